-- What must survive a restart is one map of small values. It replaces a table for each kind of them.

CREATE TABLE state (                  -- keys are paths, such as notified/everybody/experiment/pend00
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL CHECK (json_valid(value))
) STRICT, WITHOUT ROWID;
