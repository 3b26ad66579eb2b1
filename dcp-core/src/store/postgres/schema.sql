-- Event store of one region, version 1. `{schema}` is replaced by the schema's name.
--
-- Names and payloads are bytes, since an event's text may hold what `text` does not take (a zero
-- byte); the view `events` shows them as text.

CREATE TABLE {schema}.store (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    region text NOT NULL,
    incarnation bytea NOT NULL CHECK (length(incarnation) = 16),
    -- Another cluster under the same data numbers its transactions from elsewhere.
    system_identifier bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Rises with every durable commit. A sequence, since a row would be one lock for all logs.
CREATE SEQUENCE {schema}.commits MINVALUE 0 START 0;

-- One row a log. Whoever writes to a partition holds its rows until the commit, so that the order of
-- a log's ranks is the order of its commits, and a reader never sees a gap that fills later.
CREATE TABLE {schema}.logs (
    log_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope text NOT NULL,
    origin text NOT NULL,
    partition bigint NOT NULL,
    records bigint NOT NULL DEFAULT 0,
    digest bytea NOT NULL,
    fence text NOT NULL,
    owner_session uuid,
    mirror_session uuid,
    companion_session uuid,
    UNIQUE (scope, partition, origin)
) WITH (fillfactor = 50);

CREATE TABLE {schema}.records (
    log_id integer NOT NULL REFERENCES {schema}.logs,
    rank bigint NOT NULL,
    id uuid NOT NULL,
    stream bytea NOT NULL,
    version bigint NOT NULL,
    epoch bigint NOT NULL,
    event_type bytea NOT NULL,
    key bytea,
    payload bytea NOT NULL,
    headers bytea NOT NULL,
    content bytea NOT NULL,
    -- Digest of the log up to and including this record.
    prefix bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (log_id, rank),
    UNIQUE (log_id, stream, version)
);
CREATE INDEX records_id ON {schema}.records (id);

CREATE TABLE {schema}.cursors (
    name text PRIMARY KEY,
    value bytea NOT NULL
);

CREATE VIEW {schema}.events AS
SELECT l.scope, l.origin, l.partition, r.rank, r.id, convert_from(r.stream, 'UTF8') AS stream, r.version, r.epoch,
       convert_from(r.event_type, 'UTF8') AS event_type, r.key, r.payload, r.recorded_at
FROM {schema}.records r JOIN {schema}.logs l USING (log_id);
