-- Version 3. Commits are counted in the rows that they change, which are locked until the commit is durable: a
-- sequence is seen before that, and may be lower again after a crash.

ALTER TABLE {schema}.logs ADD COLUMN commits bigint NOT NULL DEFAULT 0;
ALTER TABLE {schema}.store ADD COLUMN commits_before bigint NOT NULL DEFAULT 0;
UPDATE {schema}.store SET commits_before = (SELECT last_value FROM {schema}.commits);
DROP SEQUENCE {schema}.commits;
