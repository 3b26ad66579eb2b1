//! The reading half of the store.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio_postgres::Row;
use uuid::Uuid;

use super::reader::PostgresReader;
use super::rows::{self, LogRow};
use super::server::Value;
use super::{PostgresEventStore, same_store, schema};
use crate::error::Error;
use crate::event::EventId;
use crate::fence::Fence;
use crate::ids::{CursorName, ScopeId};
use crate::log::LogId;
use crate::ports::event_store::{EventReader, EventSource, ReadFrom, Sighting, StoreIdentity};
use crate::position::{Cut, LogEnd, PrefixDigest};
use crate::store::admission::records_before;

impl PostgresEventStore {
    async fn ask(&self, text: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        same_store::ask(&self.server, self.incarnation, text, values).await
    }

    // Rows of these logs, of one moment; a log that nobody has opened yet has none.
    async fn rows_of(&self, logs: &[LogId]) -> Result<Vec<LogRow>, Error> {
        let scopes: Vec<&str> = logs.iter().map(|log| log.scope().as_str()).collect();
        let origins: Vec<&str> = logs.iter().map(|log| log.origin().as_str()).collect();
        let partitions: Vec<i64> = logs.iter().map(|log| i64::from(log.partition())).collect();
        let values: [Value<'_>; 3] = [&scopes, &origins, &partitions];
        self.ask(&self.server.statements.logs, &values).await?.iter().map(LogRow::read).collect()
    }

    async fn row_of(&self, log: &LogId) -> Result<Option<LogRow>, Error> {
        Ok(self.rows_of(std::slice::from_ref(log)).await?.pop())
    }

    fn end_of(&self, row: Option<&LogRow>) -> LogEnd {
        rows::end_of(self.incarnation, row.map_or(PrefixDigest::EMPTY, |row| row.prefix))
    }
}

#[async_trait]
impl EventSource for PostgresEventStore {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        let identity = schema::identity(&self.server, &self.settings).await?;
        if identity.incarnation != self.incarnation {
            return Err(same_store::other_store());
        }
        Ok(StoreIdentity { incarnation: identity.incarnation, commit_sequence: identity.commit_sequence })
    }

    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        let known: Vec<_> = logs.iter().map(|log| self.lanes.known(log)).collect();
        let rows = self.rows_of(logs).await?;
        let ends = logs.iter().zip(known).map(|(log, known)| {
            let end = self.end_of(rows.iter().find(|row| &row.log == log));
            same_store::check_end(log, known, end.prefix)?;
            Ok((log.clone(), end))
        });
        ends.collect()
    }

    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        let mut logs = Vec::new();
        for row in self.ask(&self.server.statements.logs_held, &[]).await? {
            logs.push(LogRow::read(&row)?.log);
        }
        logs.sort();
        Ok(logs)
    }

    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        Ok(self.row_of(log).await?.map(|row| row.fence).unwrap_or_default())
    }

    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        if count == 0 {
            return Ok(Some(PrefixDigest::EMPTY));
        }
        let (scope, origin) = (log.scope().as_str(), log.origin().as_str());
        let (partition, rank) = (i64::from(log.partition()), rows::signed(count)?);
        let values: [Value<'_>; 4] = [&scope, &origin, &partition, &rank];
        let known = self.lanes.known(log);
        let found = self.ask(&self.server.statements.prefix, &values).await?;
        if count == known.count || (found.is_empty() && count < known.count) {
            same_store::check_record(&found, log, PrefixDigest { count, ..known })?;
        }
        found.first().map(|row| Ok(PrefixDigest { count, digest: rows::digest(row.get(0), log)? })).transpose()
    }

    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        let (scope, partition) = (scope.as_str(), i64::from(partition));
        let ids: Vec<Uuid> = ids.iter().map(rows::uuid).collect();
        let texts = &self.server.statements;
        let asked = self.server.read(async |session| {
            let logs = session.ask(&texts.logs_of_partition, &[&scope, &partition]).await?;
            let logs = logs.iter().map(LogRow::read).collect::<Result<Vec<_>, _>>()?;
            let numbers: Vec<i32> = logs.iter().map(|row| row.number).collect();
            let values: [Value<'_>; 2] = [&ids, &numbers];
            Ok((logs, same_store::ask_in(&self.server, session, self.incarnation, &texts.sightings, &values).await?))
        });
        let (logs, found) = asked.await?;
        let mut sightings = Vec::new();
        for row in &found {
            let number: i32 = row.get(0);
            if let Some(of) = logs.iter().find(|of| of.number == number) {
                sightings.push(rows::sighting(row, &of.log, self.incarnation)?);
            }
        }
        Ok(sightings)
    }

    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error> {
        let found = self.ask(&self.server.statements.cursor, &[&name.as_str()]).await?;
        Ok(found.first().map(|row| Bytes::copy_from_slice(row.get(0))))
    }

    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        let known = self.lanes.known(log);
        let row = self.row_of(log).await?;
        if self.prefix(log, known.count).await? != Some(known) {
            return Err(same_store::went_back(log, known.count));
        }
        let after = records_before(log, &self.end_of(row.as_ref()), from)?;
        let read = self.prefix(log, after).await?.ok_or_else(|| same_store::went_back(log, after))?;
        Ok(Box::new(PostgresReader::new(
            Arc::clone(&self.server),
            Arc::clone(&self.news),
            log.clone(),
            self.incarnation,
            read,
        )))
    }
}
