-- Where on its page what no text layer holds is seen, and when it is heard; in characters of the page. Since schema 4.
CREATE TABLE lines (                 -- recognised in a picture: shares of it, from its top left corner
    document_id INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    position INTEGER NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    "left" REAL NOT NULL,
    top REAL NOT NULL,
    "right" REAL NOT NULL,
    bottom REAL NOT NULL,
    PRIMARY KEY (document_id, position, start)
) WITHOUT ROWID;
CREATE TABLE moments (               -- said in a recording, from this second on
    document_id INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    position INTEGER NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    second REAL NOT NULL,
    PRIMARY KEY (document_id, position, start)
) WITHOUT ROWID;
