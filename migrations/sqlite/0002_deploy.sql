-- Deployments: packages as they came, and every revision of every service.

-- One row for each deployment; AUTOINCREMENT never gives a number twice, also after old rows went.
CREATE TABLE package (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    name    TEXT    NOT NULL,
    sha256  TEXT    NOT NULL,
    bytes   BLOB    NOT NULL,
    at      TEXT    NOT NULL,
    author  TEXT    NOT NULL,
    origin  TEXT    NOT NULL
);

-- The texts of sources, each stored once.
CREATE TABLE source_text (
    sha256  TEXT PRIMARY KEY,
    text    TEXT NOT NULL
) WITHOUT ROWID;

-- A revision of a service: the file that defined it, and a digest over it and the modules it used.
CREATE TABLE revision (
    service   TEXT    NOT NULL,
    revision  INTEGER NOT NULL,
    path      TEXT    NOT NULL,
    sha256    TEXT    NOT NULL REFERENCES source_text (sha256),
    digest    TEXT    NOT NULL,
    language  TEXT    NOT NULL,
    package   INTEGER REFERENCES package (id) ON DELETE SET NULL,
    at        TEXT    NOT NULL,
    author    TEXT    NOT NULL,
    origin    TEXT    NOT NULL,
    state     TEXT    NOT NULL CHECK (state IN ('live', 'old', 'removed')),
    PRIMARY KEY (service, revision)
) WITHOUT ROWID;
CREATE INDEX revision_text ON revision (sha256);
CREATE INDEX revision_package ON revision (package);

-- The modules a revision used, so that its whole text can be found again.
CREATE TABLE revision_module (
    service   TEXT    NOT NULL,
    revision  INTEGER NOT NULL,
    path      TEXT    NOT NULL,
    sha256    TEXT    NOT NULL REFERENCES source_text (sha256),
    PRIMARY KEY (service, revision, path),
    FOREIGN KEY (service, revision) REFERENCES revision (service, revision) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX revision_module_path ON revision_module (path);
CREATE INDEX revision_module_text ON revision_module (sha256);
