-- Version 2. Records are written only by the statement that holds their log's row, and no log is ever
-- removed: the server need not look the log up again for every record.

ALTER TABLE {schema}.records DROP CONSTRAINT IF EXISTS records_log_id_fkey;
