-- What reports count besides events: who had booked what, and whose time in the laboratory is over.

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
CREATE UNIQUE INDEX bookings_alike ON bookings (resource, start, until);
CREATE INDEX bookings_by_time ON bookings (until, start);

CREATE TABLE forgotten (              -- experiments that were forgotten: from then on their last event says nothing
    id   INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    stub TEXT NOT NULL
) STRICT;
CREATE INDEX forgotten_of_stub ON forgotten (stub, id);

-- Of those that were forgotten until now, the last that was heard is their last event.
INSERT INTO forgotten (at, stub)
    SELECT max(at), stub FROM events WHERE stub NOT IN (SELECT stub FROM experiments) GROUP BY stub ORDER BY max(at);

CREATE VIEW bookings_readable AS
    SELECT strftime('%Y-%m-%dT%H:%M:%fZ', start / 1000.0, 'unixepoch') AS start,
           strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(ended, until) / 1000.0, 'unixepoch') AS until,
           resource, stub, students, started, unfulfilled FROM bookings;
