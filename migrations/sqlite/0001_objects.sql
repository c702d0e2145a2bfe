-- Objects: the present, their past, and the one row whose update orders all writes.
CREATE TABLE config_head (id INTEGER PRIMARY KEY CHECK (id = 1), rev INTEGER NOT NULL);
INSERT INTO config_head (id, rev) VALUES (1, 0);
