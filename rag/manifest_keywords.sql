-- The search by words, of chunks and of the headings over them. With headings since schema 5.
CREATE VIRTUAL TABLE keywords USING fts5 (
    text, headings, content = 'chunks', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TRIGGER chunks_added AFTER INSERT ON chunks BEGIN
    INSERT INTO keywords (rowid, text, headings) VALUES (new.id, new.text, new.headings);
END;
CREATE TRIGGER chunks_removed AFTER DELETE ON chunks BEGIN
    INSERT INTO keywords (keywords, rowid, text, headings) VALUES ('delete', old.id, old.text, old.headings);
END;
INSERT INTO keywords (keywords) VALUES ('rebuild');
