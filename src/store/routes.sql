-- Routes have names. What was told until now went to everybody, by mail.
UPDATE told SET route = 'everybody' WHERE route = 'mail';
UPDATE outbox SET route = 'everybody' WHERE route = 'mail';

-- What was refused for good is still owed.
DROP INDEX outbox_pending;
CREATE INDEX outbox_open ON outbox (id) WHERE state IN ('pending', 'refused');
