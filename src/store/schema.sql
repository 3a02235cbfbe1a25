-- The first version of labwatch's memory. Times are milliseconds since 1970, UTC; an open end is NULL.
-- Look with: sqlite3 -readonly labwatch.db 'SELECT * FROM events_readable ORDER BY id DESC LIMIT 20'

CREATE TABLE experiments (            -- who is known, so that only what is new gets a start-up grace
    stub       TEXT PRIMARY KEY,
    first_seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE events (                 -- every change of an experiment's health, in the order of being decided
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    stub    TEXT NOT NULL,
    health  TEXT NOT NULL,
    was     TEXT NOT NULL,
    issues  TEXT NOT NULL CHECK (json_valid(issues)),
    jump    TEXT NOT NULL,
    streams TEXT NOT NULL CHECK (json_valid(streams)),
    why     TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_stub ON events (stub);                        -- the last ones of each, in order, even when the clock was set back
CREATE INDEX events_by_time ON events (stub, at, id, health);        -- ranges and uptime

CREATE TABLE switches (               -- what we did to availability in book
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    resource  TEXT NOT NULL,
    stub      TEXT NOT NULL,
    available INTEGER CHECK (available IN (0, 1)),
    reason    TEXT NOT NULL,
    outcome   TEXT,                   -- NULL until it is known
    note      TEXT,                   -- what book said
    took      INTEGER                 -- milliseconds until the outcome
) STRICT;
CREATE INDEX switches_open ON switches (resource) WHERE outcome IS NULL;
CREATE INDEX switches_by_time ON switches (at, id);

CREATE TABLE sources (                -- changes of relay, jump and book
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    source TEXT NOT NULL,
    health TEXT NOT NULL,
    note   TEXT NOT NULL
) STRICT;
CREATE INDEX sources_by_time ON sources (at, id);

CREATE TABLE notices (                -- what concerns the whole laboratory: manifest, blindness, sampling, mails
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    content TEXT NOT NULL CHECK (json_valid(content))
) STRICT;
CREATE INDEX notices_by_time ON notices (at, id);

CREATE TABLE holds (                  -- resources that a person withdrew in book
    id       INTEGER PRIMARY KEY,
    resource TEXT NOT NULL,
    reason   TEXT NOT NULL,
    since    INTEGER NOT NULL,
    until    INTEGER
) STRICT;
CREATE UNIQUE INDEX holds_open ON holds (resource) WHERE until IS NULL;

CREATE TABLE outbox (                 -- what is to be told: written before it is sent
    id         INTEGER PRIMARY KEY,
    route      TEXT NOT NULL,
    created    INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'refused', 'superseded')),
    attempts   INTEGER NOT NULL DEFAULT 0,
    tried      INTEGER,
    last_error TEXT,
    content    TEXT NOT NULL CHECK (json_valid(content))
) STRICT;
CREATE INDEX outbox_pending ON outbox (id) WHERE state = 'pending';

CREATE TABLE told (                   -- what each recipient last heard about each subject
    route   TEXT NOT NULL,
    subject TEXT NOT NULL,
    value   TEXT NOT NULL CHECK (json_valid(value)),
    PRIMARY KEY (route, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE notes (                  -- acknowledgements, silences, maintenance windows
    id      TEXT PRIMARY KEY,
    kind    TEXT NOT NULL CHECK (kind IN ('acknowledgement', 'silence', 'window')),
    created INTEGER NOT NULL,
    until   INTEGER,
    ended   INTEGER,
    content TEXT NOT NULL CHECK (json_valid(content))
) STRICT, WITHOUT ROWID;
CREATE INDEX notes_open ON notes (id) WHERE ended IS NULL;

CREATE TABLE keep (                   -- small state of any kind
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL CHECK (json_valid(value))
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (                  -- who did what
    id   INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    who  TEXT NOT NULL,
    what TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (at, id);

CREATE TABLE gaps (                   -- when nothing was kept: we were off, or the disk took nothing
    id    INTEGER PRIMARY KEY,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    why   TEXT NOT NULL CHECK (why IN ('off', 'lost'))
) STRICT;
CREATE INDEX gaps_by_time ON gaps (until, since);

CREATE TABLE alive (                  -- one row: when labwatch last ran
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at  INTEGER NOT NULL
) STRICT;

CREATE VIEW events_readable AS
    SELECT id, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS time, stub, was, health, why, issues, jump, streams FROM events;
CREATE VIEW switches_readable AS
    SELECT id, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS time, resource, stub, available, reason, outcome, note, took FROM switches;
CREATE VIEW gaps_readable AS
    SELECT strftime('%Y-%m-%dT%H:%M:%fZ', since / 1000.0, 'unixepoch') AS since,
           strftime('%Y-%m-%dT%H:%M:%fZ', until / 1000.0, 'unixepoch') AS until, why FROM gaps;
