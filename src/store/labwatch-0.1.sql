-- A database as labwatch 0.1.0 left it, as the dump of what its own code wrote.
BEGIN TRANSACTION;
CREATE TABLE alive (                  -- one row: when labwatch last ran
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at  INTEGER NOT NULL
) STRICT;
INSERT INTO "alive" VALUES(1,1796033679634);
CREATE TABLE audit (                  -- who did what
    id   INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    who  TEXT NOT NULL,
    what TEXT NOT NULL
) STRICT;
CREATE TABLE bookings (               -- when a resource was booked; by whom is not known here
    id          INTEGER PRIMARY KEY,
    resource    TEXT NOT NULL,
    stub        TEXT NOT NULL,
    start       INTEGER NOT NULL,
    until       INTEGER NOT NULL,
    students    INTEGER NOT NULL,     -- how many bookings are alike
    started     INTEGER NOT NULL CHECK (started IN (0, 1)),
    unfulfilled INTEGER NOT NULL CHECK (unfulfilled IN (0, 1)),
    ended       INTEGER               -- when it vanished while it ran; NULL: it ran until its end, or is to
) STRICT;
INSERT INTO "bookings" VALUES(1,'r-pend00','pend00',1790001000000,2090000000000,1,0,0,NULL);
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
INSERT INTO "events" VALUES(1,1790000005000,'pend00','ok','unknown','[]','up','[["pend00-st-data","active"]]','first judged');
INSERT INTO "events" VALUES(2,1790000005000,'pend01','ok','unknown','[]','up','[["pend01-st-data","active"]]','first judged');
INSERT INTO "events" VALUES(3,1790000005000,'gone00','ok','unknown','[]','up','[["gone00-st-data","active"]]','first judged');
INSERT INTO "events" VALUES(4,1790000020000,'pend00','down','ok','[{"required":["pend00-st-data","missing"]}]','up','[["pend00-st-data","missing"]]','observed');
INSERT INTO "events" VALUES(5,1790000030000,'pend01','degraded','ok','["jump lost",{"other":["pend01-st-video","silent"]}]','up','[["pend01-st-data","active"]]','observed');
CREATE TABLE experiments (            -- who is known, so that only what is new gets a start-up grace
    stub       TEXT PRIMARY KEY,
    first_seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "experiments" VALUES('pend00',1790000000000);
INSERT INTO "experiments" VALUES('pend01',1790000000000);
INSERT INTO "experiments" VALUES('spin00',1790000000000);
CREATE TABLE forgotten (              -- experiments that were forgotten: from then on their last event says nothing
    id   INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    stub TEXT NOT NULL
) STRICT;
INSERT INTO "forgotten" VALUES(1,1790000060000,'gone00');
CREATE TABLE gaps (                   -- when nothing was kept: we were off, or the disk took nothing
    id    INTEGER PRIMARY KEY,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    why   TEXT NOT NULL CHECK (why IN ('off', 'lost'))
) STRICT;
CREATE TABLE holds (                  -- resources that a person withdrew in book
    id       INTEGER PRIMARY KEY,
    resource TEXT NOT NULL,
    reason   TEXT NOT NULL,
    since    INTEGER NOT NULL,
    until    INTEGER
) STRICT;
INSERT INTO "holds" VALUES(1,'r-spin00','in the workshop',1790000040000,NULL);
CREATE TABLE keep (                   -- small state of any kind
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL CHECK (json_valid(value))
) STRICT, WITHOUT ROWID;
INSERT INTO "keep" VALUES('category.exam','{"at":"2026-09-21T14:14:15Z","by":"labwatch","cause":"fault","enabled":false,"kept_back":["pend00"],"reason":"failing: pend00"}');
INSERT INTO "keep" VALUES('pools','{"pend":["pend00","pend01"]}');
INSERT INTO "keep" VALUES('revoked.abc','"2026-10-02T00:13:20Z"');
INSERT INTO "keep" VALUES('wish.r-pend01','{"hold":"demo"}');
CREATE TABLE notes (                  -- acknowledgements, silences, maintenance windows
    id      TEXT PRIMARY KEY,
    kind    TEXT NOT NULL CHECK (kind IN ('acknowledgement', 'silence', 'window')),
    created INTEGER NOT NULL,
    until   INTEGER,
    ended   INTEGER,
    content TEXT NOT NULL CHECK (json_valid(content))
) STRICT, WITHOUT ROWID;
INSERT INTO "notes" VALUES('1','acknowledgement',1790000050000,NULL,NULL,'{"acknowledgement":{"health":"down","since":"2026-09-21T14:14:10Z","subject":{"experiment":"pend00"},"text":"cable","until":null,"who":"ann"}}');
INSERT INTO "notes" VALUES('2','silence',1790000051000,1790900000000,NULL,'{"silence":{"pattern":"spin*","reason":"rebuild","since":"2026-09-21T14:14:11Z","until":"2026-10-02T00:13:20Z","who":"bob"}}');
INSERT INTO "notes" VALUES('3','window',1790000052000,1790500000000,NULL,'{"maintenance":{"pattern":"pend*","reason":"cleaning","schedule":{"once":{"from":"2026-09-26T05:20:00Z","until":"2026-09-27T09:06:40Z"}},"since":"2026-09-21T14:14:12Z","who":"ann"}}');
INSERT INTO "notes" VALUES('4','silence',1790000052000,1790900000000,1790000053000,'{"silence":{"pattern":"old*","reason":"done","since":"2026-09-21T14:14:12Z","until":"2026-10-02T00:13:20Z","who":"bob"}}');
CREATE TABLE notices (                -- what concerns the whole laboratory: manifest, blindness, sampling, mails
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    content TEXT NOT NULL CHECK (json_valid(content))
) STRICT;
INSERT INTO "notices" VALUES(1,1790000021000,'mailing','{"alerts":[],"id":1,"news":[["pend00","ok","down"]],"occasion":"news","problems":1,"route":"everybody"}');
INSERT INTO "notices" VALUES(2,1790000022000,'mailed','{"error":null,"id":1}');
INSERT INTO "notices" VALUES(3,1790000031000,'mailing','{"alerts":["x"],"id":2,"news":[["pend01","ok","degraded"]],"occasion":"news","problems":1,"route":"everybody"}');
INSERT INTO "notices" VALUES(4,1790000032000,'mailed','{"error":"no answer within the time limit","id":2}');
INSERT INTO "notices" VALUES(5,1790000033000,'mailing','{"alerts":[],"id":3,"news":[["pend00","ok","down"]],"occasion":"news","problems":1,"route":"pends"}');
INSERT INTO "notices" VALUES(6,1790000033000,'mailed','{"error":"no answer within the time limit","id":3}');
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
INSERT INTO "outbox" VALUES(1,'everybody',1790000021000,'sent',1,1790000022000,NULL,'{"concerns":[],"news":[{"health":"down","since":"2026-09-21T14:13:40Z","stub":"pend00"}]}');
INSERT INTO "outbox" VALUES(2,'everybody',1790000031000,'pending',1,1790000032000,'no answer within the time limit','{"concerns":[{"concern":"manifest","ended":"2026-09-21T14:13:48Z","since":"2026-09-21T14:13:45Z"}],"news":[{"health":"degraded","since":"2026-09-21T14:13:50Z","stub":"pend01"}]}');
INSERT INTO "outbox" VALUES(3,'pends',1790000033000,'refused',1,1790000033000,'no answer within the time limit','{"concerns":[],"news":[{"health":"down","since":"2026-09-21T14:13:40Z","stub":"pend00"}]}');
CREATE TABLE sources (                -- changes of relay, jump and book
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    source TEXT NOT NULL,
    health TEXT NOT NULL,
    note   TEXT NOT NULL
) STRICT;
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
CREATE TABLE told (                   -- what each recipient last heard about each subject
    route   TEXT NOT NULL,
    subject TEXT NOT NULL,
    value   TEXT NOT NULL CHECK (json_valid(value)),
    PRIMARY KEY (route, subject)
) STRICT, WITHOUT ROWID;
INSERT INTO "told" VALUES('everybody','experiment/pend00','{"bad_since":"2026-09-21T14:13:40Z","health":"down","issues":[{"Required":["pend00-st-data","missing"]}],"listed":true,"thread":{"last":["2026-09-21T14:13:41Z",1],"root":["2026-09-21T14:13:41Z",1]}}');
INSERT INTO "told" VALUES('everybody','laboratory/jump','{"since":"2026-09-21T14:13:35Z","thread":{"last":["2026-09-21T14:13:41Z",1],"root":["2026-09-21T14:13:41Z",1]}}');
INSERT INTO "told" VALUES('everybody','rounds','{"digest":"2026-09-21T14:13:30Z","reminders":1,"told_at":"2026-09-21T14:13:42Z"}');
CREATE INDEX events_of_stub ON events (stub);
CREATE INDEX events_by_time ON events (stub, at, id, health);
CREATE INDEX switches_open ON switches (resource) WHERE outcome IS NULL;
CREATE INDEX switches_by_time ON switches (at, id);
CREATE INDEX sources_by_time ON sources (at, id);
CREATE INDEX notices_by_time ON notices (at, id);
CREATE UNIQUE INDEX holds_open ON holds (resource) WHERE until IS NULL;
CREATE INDEX notes_open ON notes (id) WHERE ended IS NULL;
CREATE INDEX audit_by_time ON audit (at, id);
CREATE INDEX gaps_by_time ON gaps (until, since);
CREATE VIEW events_readable AS
    SELECT id, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS time, stub, was, health, why, issues, jump, streams FROM events;
CREATE VIEW switches_readable AS
    SELECT id, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS time, resource, stub, available, reason, outcome, note, took FROM switches;
CREATE VIEW gaps_readable AS
    SELECT strftime('%Y-%m-%dT%H:%M:%fZ', since / 1000.0, 'unixepoch') AS since,
           strftime('%Y-%m-%dT%H:%M:%fZ', until / 1000.0, 'unixepoch') AS until, why FROM gaps;
CREATE INDEX outbox_open ON outbox (id) WHERE state IN ('pending', 'refused');
CREATE UNIQUE INDEX bookings_alike ON bookings (resource, start, until);
CREATE INDEX bookings_by_time ON bookings (until, start);
CREATE INDEX forgotten_of_stub ON forgotten (stub, id);
CREATE VIEW bookings_readable AS
    SELECT strftime('%Y-%m-%dT%H:%M:%fZ', start / 1000.0, 'unixepoch') AS start,
           strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(ended, until) / 1000.0, 'unixepoch') AS until,
           resource, stub, students, started, unfulfilled FROM bookings;
COMMIT;
PRAGMA user_version = 3;
