-- The tables of a library's manifest; manifest.py says how they are used.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL,
    path TEXT NOT NULL,              -- absolute: what tells documents apart
    source TEXT NOT NULL,            -- relative to the folder that was given: what people read
    state TEXT NOT NULL CHECK (state IN ('indexing', 'ready', 'deleting', 'failed')),
    reason TEXT,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    recipe TEXT NOT NULL,            -- how it was read and split; another recipe means reading it again
    updated TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    unread TEXT                      -- what of it could not be read, if anything
);
CREATE TABLE failures (              -- the file as it was when it, or its newer version, could not be read
    document_id INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
    outcome TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    recipe TEXT NOT NULL             -- with the limits it was read under; others mean trying again
);
CREATE UNIQUE INDEX visible_path ON documents (collection, path) WHERE state IN ('ready', 'failed');
CREATE TABLE pages (
    document_id INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    position INTEGER NOT NULL,
    number INTEGER,
    label TEXT,
    text TEXT NOT NULL,
    PRIMARY KEY (document_id, position)
) WITHOUT ROWID;
CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    page INTEGER,
    page_label TEXT,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    text TEXT NOT NULL,
    vector_key BLOB NOT NULL REFERENCES vectors,  -- of the text under its headings
    headings TEXT NOT NULL DEFAULT ''  -- the path of headings over it
);
CREATE INDEX chunks_document ON chunks (document_id);
CREATE INDEX chunks_vector ON chunks (vector_key);
INSERT INTO meta VALUES ('schema', '{version}');
INSERT INTO meta VALUES ('library', '{identity}');
