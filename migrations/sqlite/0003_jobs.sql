-- Jobs: what the schedule holds and what ran. Moments are milliseconds since 1970-01-01 UTC.

-- The fencing token: grows with every claim of a run, whoever claims it.
CREATE TABLE job_head (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    fence INTEGER NOT NULL
);
INSERT INTO job_head (id, fence) VALUES (1, 0);

CREATE TABLE job_state (
    job         TEXT    NOT NULL PRIMARY KEY,
    -- No next fire: the job has fired as often as it ever will.
    next_fire   INTEGER,
    fired_count INTEGER NOT NULL,
    enabled     INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    paused      INTEGER NOT NULL CHECK (paused IN (0, 1)),
    note        TEXT    NOT NULL,
    -- The timetable as text: other edits of a job do not disturb its schedule.
    timetable   TEXT    NOT NULL
);

CREATE TABLE job_run (
    job           TEXT    NOT NULL,
    fire_time     INTEGER NOT NULL,
    attempt       INTEGER NOT NULL,
    fence         INTEGER NOT NULL,
    node          TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'lost',
                                                    'skipped', 'timed_out', 'cancelled')),
    cause         TEXT    NOT NULL CHECK (cause IN ('schedule', 'start', 'manual', 'catch_up')),
    lease_until   INTEGER,
    started       INTEGER,
    ended         INTEGER,
    elapsed_ms    INTEGER,
    cid           TEXT    NOT NULL,
    fault_code    TEXT,
    fault_message TEXT,
    PRIMARY KEY (job, fire_time, attempt)
);
CREATE INDEX job_run_state ON job_run (state, job);
