-- The search by words in scripts that write none apart: three characters in a row count as one. Since schema 3, with
-- headings since 5.
CREATE VIRTUAL TABLE trigrams USING fts5 (
    text, headings, content = 'chunks', content_rowid = 'id', tokenize = 'trigram'
);
CREATE TRIGGER unspaced_chunks_added AFTER INSERT ON chunks WHEN new.text || new.headings GLOB '{unspaced}' BEGIN
    INSERT INTO trigrams (rowid, text, headings) VALUES (new.id, new.text, new.headings);
END;
CREATE TRIGGER unspaced_chunks_removed AFTER DELETE ON chunks WHEN old.text || old.headings GLOB '{unspaced}' BEGIN
    INSERT INTO trigrams (trigrams, rowid, text, headings) VALUES ('delete', old.id, old.text, old.headings);
END;
INSERT INTO trigrams (rowid, text, headings)
SELECT id, text, headings FROM chunks WHERE text || headings GLOB '{unspaced}';
