-- Objects: the present, their past, and the one row whose update orders all writes.
-- Moments are milliseconds since 1970-01-01 UTC.

CREATE TABLE config_head (
    id  INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    rev INTEGER NOT NULL
);
INSERT INTO config_head (id, rev) VALUES (1, 0);

CREATE TABLE object (
    kind    TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    version INTEGER NOT NULL,
    rev     INTEGER NOT NULL,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    body    TEXT    NOT NULL,
    source  TEXT    NOT NULL,
    sha256  TEXT    NOT NULL,
    PRIMARY KEY (kind, name)
);

-- Append-only: every version an object ever had; a deletion is a version without a body.
CREATE TABLE object_version (
    kind    TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    version INTEGER NOT NULL,
    rev     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    author  TEXT    NOT NULL,
    note    TEXT    NOT NULL,
    cid     TEXT    NOT NULL,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    body    TEXT,
    source  TEXT    NOT NULL,
    PRIMARY KEY (kind, name, version)
);
CREATE INDEX object_version_rev ON object_version (rev);
