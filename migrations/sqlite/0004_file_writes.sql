-- The files of a deployment that are not all in their places yet. They are recorded with it and go
-- once they stand: what is found here at start is what a killed process left to do.
CREATE TABLE file_write (
    path        TEXT PRIMARY KEY,
    -- What stood there before; NULL when nothing did.
    old_sha256  TEXT,
    -- What shall stand there; NULL to remove the file.
    bytes       BLOB
);
