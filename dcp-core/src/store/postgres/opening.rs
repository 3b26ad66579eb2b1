//! Opening a writer and sealing: fences raised and sessions set under the locks of their logs.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::log_writer::Lanes;
use super::rows::{self, LogRow, fence_text};
use super::same_store;
use super::server::{Server, Session};
use crate::error::{Error, Failure};
use crate::fence::Fence;
use crate::ids::RegionId;
use crate::log::LogId;
use crate::ownership::WriteGrant;
use crate::ports::event_store::WriterRole;
use crate::position::{Cut, LogIncarnation};
use crate::store::admission::{RoleKind, check_role, judge_grant};

/// A store that is open, and what it knows.
pub(super) struct Opened<'a> {
    pub(super) server: &'a Server,
    pub(super) incarnation: LogIncarnation,
    pub(super) lanes: &'a Lanes,
}

/// Makes `session` the only writer of these logs in its role.
pub(super) async fn open(
    store: &Opened<'_>,
    region: &RegionId,
    logs: &[LogId],
    role: &WriterRole,
    session: Uuid,
) -> Result<(), Failure> {
    check_role(region, logs, role).map_err(Failure::NotApplied)?;
    let kind = RoleKind::of(role);
    let grant = if let WriterRole::Owner(grant) = role { Some(grant) } else { None };
    change(store, logs, grant, Some((kind, session))).await.map(drop)
}

/// Raises the fence and answers the ends: the locks have waited for every append under way.
pub(super) async fn seal(store: &Opened<'_>, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
    let rows = change(store, logs, Some(grant), None).await?;
    Ok(rows.into_iter().map(|row| (row.log.clone(), row.end(store.incarnation))).collect())
}

async fn change(
    store: &Opened<'_>,
    logs: &[LogId],
    grant: Option<&WriteGrant>,
    session: Option<(RoleKind, Uuid)>,
) -> Result<Vec<LogRow>, Failure> {
    let Opened { server, incarnation, lanes } = *store;
    server
        .write(async |connection| {
            let prepare = async {
                connection.begin().await?;
                let rows = lock(server, connection, logs).await?;
                // Behind the locks: until the commit nobody can make the store anew.
                let store = connection.ask(&server.statements.incarnation, &[]).await?;
                same_store::check_store(&store, incarnation)?;
                for row in &rows {
                    let known = lanes.known(&row.log);
                    same_store::check_history(server, connection, &row.log, known, row.prefix).await?;
                }
                let mut fences = Vec::with_capacity(rows.len());
                let mut changed = session.is_some();
                for row in &rows {
                    let raised = grant.map_or(Ok(None), |grant| judge_grant(&row.fence, &row.log, grant))?;
                    changed |= raised.is_some();
                    fences.push(fence_text(raised.as_ref().unwrap_or(&row.fence))?);
                }
                if changed {
                    set(server, connection, &rows, &fences, session).await?;
                }
                Ok::<_, Error>(rows)
            };
            let rows = prepare.await.map_err(Failure::NotApplied)?;
            connection.commit_with(async { Ok(()) }).await?;
            Ok(rows)
        })
        .await
}

// One statement makes the rows that are missing and one locks all: both go through the partitions in one
// order, so that no two callers wait for each other.
async fn lock(server: &Server, connection: &Session, logs: &[LogId]) -> Result<Vec<LogRow>, Error> {
    let named: BTreeSet<_> = logs.iter().collect();
    let scopes: Vec<&str> = named.iter().map(|log| log.scope().as_str()).collect();
    let origins: Vec<&str> = named.iter().map(|log| log.origin().as_str()).collect();
    let partitions: Vec<i64> = named.iter().map(|log| i64::from(log.partition())).collect();
    let fence = fence_text(&Fence::unset())?;
    let add = connection.prepared(&server.statements.add_logs).await?;
    connection.run(&add, &[&scopes, &origins, &partitions, &[0_u8; 32].as_slice(), &fence]).await?;
    let lock = connection.prepared(&server.statements.lock_partitions).await?;
    let rows = connection.rows(&lock, &[&scopes, &partitions]).await?;
    let rows = rows.iter().map(LogRow::read).collect::<Result<Vec<_>, _>>()?;
    Ok(rows.into_iter().filter(|row| named.contains(&row.log)).collect())
}

async fn set(
    server: &Server,
    connection: &Session,
    rows: &[LogRow],
    fences: &[String],
    session: Option<(RoleKind, Uuid)>,
) -> Result<(), Error> {
    let statement = connection.prepared(&server.statements.set_sessions).await?;
    let numbers: Vec<i32> = rows.iter().map(|row| row.number).collect();
    let kind = session.map_or(-1, |(kind, _)| rows::role_number(kind));
    connection.run(&statement, &[&numbers, &fences, &kind, &session.map(|(_, session)| session)]).await.map(drop)
}
