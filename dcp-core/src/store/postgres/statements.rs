//! The statements, with the schema's name in them. Each is prepared once a connection.

/// Text of every statement.
#[derive(Debug)]
pub(super) struct Statements {
    /// The schema that they are for.
    pub(super) schema: String,
    /// The store's own row, with the number of its commits.
    pub(super) store: String,
    /// Which store this is.
    pub(super) incarnation: String,
    /// Makes the rows of those logs that have none.
    pub(super) add_logs: String,
    /// Locks the rows of some partitions' logs, always in the same order.
    pub(super) lock_partitions: String,
    /// Locks the rows of a partition's logs, always in the same order.
    pub(super) lock_partition: String,
    /// Rows of named logs, unlocked.
    pub(super) logs: String,
    /// Rows of a partition's logs, unlocked.
    pub(super) logs_of_partition: String,
    /// Every log that holds something.
    pub(super) logs_held: String,
    /// Sets fences, and who writes.
    pub(super) set_sessions: String,
    /// Highest versions of streams in a log.
    pub(super) versions: String,
    /// Where ids are held, in some logs.
    pub(super) sightings: String,
    /// Writes records ($1 to $12), the row ($13 to $15) and cursors ($16, $17) of a log that is locked. One
    /// statement: what fails before it is sent leaves nothing of it for the commit to keep.
    pub(super) write_locked: String,
    /// Writes records ($1 to $12) and the log's row ($20 to $22), if the row still is as it was ($13 to
    /// $18) and nothing in the store has one of the ids ($19).
    pub(super) write_at_once: String,
    /// The same for one record, which takes the server half the work.
    pub(super) write_one_at_once: String,
    /// The same as for any number, with cursors ($23, $24).
    pub(super) write_with_cursors: String,
    pub(super) cursor: String,
    /// The digest of a log up to a record.
    pub(super) prefix: String,
    /// Records of a log after a rank: at most so many, and so many bytes beyond the first one.
    pub(super) records: String,
    /// How much each log holds.
    pub(super) counts: String,
}

const LOG_COLUMNS: &str =
    "log_id, scope, origin, partition, records, digest, fence, owner_session, mirror_session, companion_session";
const RECORD_COLUMNS: &str =
    "log_id, rank, id, stream, version, epoch, event_type, key, payload, headers, content, prefix";
const READ_COLUMNS: &str = "rank, id, stream, version, epoch, event_type, key, payload, headers, prefix";
const RECORDS_GIVEN: &str = "n.* FROM unnest($2::bigint[], $3::uuid[], $4::bytea[], $5::bigint[], $6::bigint[], \
     $7::bytea[], $8::bytea[], $9::bytea[], $10::bytea[], $11::bytea[], $12::bytea[]) AS n, moved";
/// Of partitions, whatever the database's collation is.
const LOCK_ORDER: &str = "n.scope COLLATE \"C\", n.partition";

impl Statements {
    pub(super) fn in_schema(schema: &str) -> Self {
        Self {
            schema: schema.to_owned(),
            store: format!(
                "SELECT s.incarnation, s.region, s.system_identifier, \
                 s.commits_before + (SELECT coalesce(sum(l.commits), 0)::bigint FROM {schema}.logs l), \
                 k.system_identifier FROM {schema}.store s, pg_control_system() k"
            ),
            incarnation: format!("SELECT incarnation FROM {schema}.store"),
            add_logs: add_logs(schema),
            lock_partitions: format!(
                "SELECT {LOG_COLUMNS} FROM {schema}.logs n WHERE (scope, partition) IN \
                 (SELECT * FROM unnest($1::text[], $2::bigint[])) ORDER BY {LOCK_ORDER}, log_id FOR UPDATE OF n"
            ),
            lock_partition: format!(
                "SELECT {LOG_COLUMNS} FROM {schema}.logs WHERE scope = $1 AND partition = $2 ORDER BY log_id FOR UPDATE"
            ),
            logs: format!(
                "SELECT {LOG_COLUMNS} FROM {schema}.logs JOIN unnest($1::text[], $2::text[], $3::bigint[]) \
                 AS named (scope, origin, partition) USING (scope, origin, partition)"
            ),
            logs_of_partition: format!(
                "SELECT {LOG_COLUMNS} FROM {schema}.logs WHERE scope = $1 AND partition = $2 ORDER BY log_id"
            ),
            logs_held: format!("SELECT {LOG_COLUMNS} FROM {schema}.logs WHERE records > 0"),
            set_sessions: set_sessions(schema),
            versions: format!(
                "SELECT s.stream, (SELECT max(r.version) FROM {schema}.records r \
                 WHERE r.log_id = $1 AND r.stream = s.stream) FROM unnest($2::bytea[]) AS s (stream)"
            ),
            // By id before anything else: a plan that was made while logs were short would go through one.
            sightings: format!(
                "WITH held AS MATERIALIZED (SELECT log_id, rank, id, epoch, version, content \
                 FROM {schema}.records WHERE id = ANY ($1)) SELECT * FROM held WHERE log_id = ANY ($2)"
            ),
            write_locked: format!(
                "WITH moved AS (\
                 UPDATE {schema}.logs SET records = $13, digest = $14, fence = $15, commits = commits + 1 \
                 WHERE log_id = $1 RETURNING log_id\
                 ){} INSERT INTO {schema}.records ({RECORD_COLUMNS}) SELECT moved.log_id, {RECORDS_GIVEN}",
                keep_cursors(schema, "$16::text[], $17::bytea[]")
            ),
            write_at_once: write_at_once(schema, "", RECORDS_GIVEN),
            write_one_at_once: write_at_once(schema, "", "$2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 FROM moved"),
            write_with_cursors: write_at_once(
                schema,
                &keep_cursors(schema, "$23::text[], $24::bytea[]"),
                RECORDS_GIVEN,
            ),
            cursor: format!("SELECT value FROM {schema}.cursors WHERE name = $1"),
            prefix: format!(
                "SELECT r.prefix FROM {schema}.records r JOIN {schema}.logs l USING (log_id) \
                 WHERE l.scope = $1 AND l.origin = $2 AND l.partition = $3 AND r.rank = $4"
            ),
            records: records(schema),
            counts: format!("SELECT scope, origin, partition, records FROM {schema}.logs"),
        }
    }
}

fn add_logs(schema: &str) -> String {
    format!(
        "INSERT INTO {schema}.logs (scope, origin, partition, digest, fence) \
         SELECT n.scope, n.origin, n.partition, $4, $5 \
         FROM unnest($1::text[], $2::text[], $3::bigint[]) AS n (scope, origin, partition) \
         WHERE NOT EXISTS (SELECT FROM {schema}.logs l \
         WHERE l.scope = n.scope AND l.partition = n.partition AND l.origin = n.origin) \
         ORDER BY {LOCK_ORDER}, n.origin COLLATE \"C\" ON CONFLICT (scope, partition, origin) DO NOTHING"
    )
}

fn set_sessions(schema: &str) -> String {
    format!(
        "UPDATE {schema}.logs l SET fence = n.fence, commits = commits + 1, \
         owner_session = CASE $3::int WHEN 0 THEN $4::uuid ELSE owner_session END, \
         mirror_session = CASE $3::int WHEN 1 THEN $4::uuid ELSE mirror_session END, \
         companion_session = CASE $3::int WHEN 2 THEN $4::uuid ELSE companion_session END \
         FROM unnest($1::int[], $2::text[]) AS n (log_id, fence) WHERE l.log_id = n.log_id"
    )
}

fn records(schema: &str) -> String {
    format!(
        "SELECT {READ_COLUMNS} FROM (SELECT {READ_COLUMNS}, \
         sum(octet_length(payload) + octet_length(headers) + coalesce(octet_length(key), 0)) OVER (ORDER BY rank ROWS UNBOUNDED PRECEDING) \
         AS bytes FROM {schema}.records WHERE log_id = (SELECT log_id FROM {schema}.logs \
         WHERE scope = $1 AND origin = $2 AND partition = $3) AND rank > $4 ORDER BY rank LIMIT $5\
         ) page WHERE bytes <= $6 OR rank = $4 + 1 ORDER BY rank"
    )
}

fn keep_cursors(schema: &str, given: &str) -> String {
    format!(
        ", kept AS (INSERT INTO {schema}.cursors (name, value) SELECT n.* FROM moved, unnest({given}) AS n \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value)"
    )
}

// An id that is held anywhere, in another scope too, makes it write nothing: whoever then locks and looks
// finds out whether it matters.
fn write_at_once(schema: &str, also: &str, records: &str) -> String {
    format!(
        "WITH moved AS (\
         UPDATE {schema}.logs SET records = $20, digest = $21, fence = $22, commits = commits + 1 \
         WHERE log_id = $1 AND records = $13 AND digest = $14 AND fence = $15 \
         AND owner_session IS NOT DISTINCT FROM $16::uuid \
         AND mirror_session IS NOT DISTINCT FROM $17::uuid \
         AND companion_session IS NOT DISTINCT FROM $18::uuid \
         AND NOT EXISTS (SELECT FROM {schema}.records WHERE id = ANY ($19::uuid[])) \
         RETURNING log_id\
         ){also} INSERT INTO {schema}.records ({RECORD_COLUMNS}) SELECT moved.log_id, {records}"
    )
}

#[cfg(test)]
mod tests {
    use super::Statements;

    // Neither what is written nor what is read depends on what time the server thinks it is.
    #[test]
    fn no_statement_asks_for_the_time() {
        let all = format!("{:?}", Statements::in_schema("s")).to_lowercase();
        for word in ["now(", "timestamp", "current_", "localtime", "timeofday", "recorded_at", "interval"] {
            assert!(!all.contains(word), "{word}");
        }
    }
}
