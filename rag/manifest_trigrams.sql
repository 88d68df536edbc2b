-- The search by words in scripts that write none apart: three characters in a row count as one. Since schema 3.
CREATE VIRTUAL TABLE trigrams USING fts5 (
    text, content = 'chunks', content_rowid = 'id', tokenize = 'trigram'
);
CREATE TRIGGER unspaced_chunks_added AFTER INSERT ON chunks WHEN new.text GLOB '{unspaced}' BEGIN
    INSERT INTO trigrams (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER unspaced_chunks_removed AFTER DELETE ON chunks WHEN old.text GLOB '{unspaced}' BEGIN
    INSERT INTO trigrams (trigrams, rowid, text) VALUES ('delete', old.id, old.text);
END;
INSERT INTO trigrams (rowid, text) SELECT id, text FROM chunks WHERE text GLOB '{unspaced}';
