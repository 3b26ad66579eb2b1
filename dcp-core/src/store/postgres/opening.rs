//! Opening a writer and sealing: fences raised and sessions set under the locks of their logs.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::rows::{self, LogRow, fence_text};
use super::server::{Server, Session};
use crate::error::{Error, Failure};
use crate::fence::Fence;
use crate::ids::RegionId;
use crate::log::LogId;
use crate::ownership::WriteGrant;
use crate::ports::event_store::WriterRole;
use crate::position::{Cut, LogIncarnation};
use crate::store::admission::{RoleKind, check_role, judge_grant};

/// Makes `session` the only writer of these logs in its role.
pub(super) async fn open(
    server: &Server,
    region: &RegionId,
    logs: &[LogId],
    role: &WriterRole,
    session: Uuid,
) -> Result<(), Failure> {
    check_role(region, logs, role).map_err(Failure::NotApplied)?;
    let kind = RoleKind::of(role);
    let grant = if let WriterRole::Owner(grant) = role { Some(grant) } else { None };
    change(server, logs, grant, Some((kind, session))).await.map(drop)
}

/// Raises the fence and answers the ends: the locks have waited for every append under way.
pub(super) async fn seal(
    server: &Server,
    incarnation: LogIncarnation,
    logs: &[LogId],
    grant: &WriteGrant,
) -> Result<Cut, Failure> {
    let rows = change(server, logs, Some(grant), None).await?;
    Ok(rows.into_iter().map(|row| (row.log.clone(), row.end(incarnation))).collect())
}

async fn change(
    server: &Server,
    logs: &[LogId],
    grant: Option<&WriteGrant>,
    session: Option<(RoleKind, Uuid)>,
) -> Result<Vec<LogRow>, Failure> {
    server
        .write(async |connection| {
            let mut changed = false;
            let prepare = async {
                connection.begin().await?;
                let rows = lock(server, connection, logs).await?;
                for row in &rows {
                    let raised = grant.map_or(Ok(None), |grant| judge_grant(&row.fence, &row.log, grant))?;
                    if raised.is_some() || session.is_some() {
                        changed = true;
                        set(server, connection, row, raised.as_ref(), session).await?;
                    }
                }
                if changed {
                    connection.ask(&server.statements.next_commit, &[]).await?;
                }
                Ok::<_, Error>(rows)
            };
            let rows = prepare.await.map_err(Failure::NotApplied)?;
            connection.commit_with(async { Ok(()) }).await?;
            Ok(rows)
        })
        .await
}

// Partition by partition in one order, so that no two callers wait for each other.
async fn lock(server: &Server, connection: &Session, logs: &[LogId]) -> Result<Vec<LogRow>, Error> {
    let add = connection.prepared(&server.statements.add_log).await?;
    let fence = fence_text(&Fence::unset())?;
    for log in logs.iter().collect::<BTreeSet<_>>() {
        let (scope, origin, partition) = (log.scope().as_str(), log.origin().as_str(), i64::from(log.partition()));
        connection.run(&add, &[&scope, &origin, &partition, &[0_u8; 32].as_slice(), &fence]).await?;
    }
    let partitions: BTreeSet<_> = logs.iter().map(|log| (log.scope().as_str(), i64::from(log.partition()))).collect();
    let lock = connection.prepared(&server.statements.lock_partition).await?;
    let mut rows = Vec::new();
    for (scope, partition) in partitions {
        for row in connection.rows(&lock, &[&scope, &partition]).await? {
            let row = LogRow::read(&row)?;
            if logs.contains(&row.log) {
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

async fn set(
    server: &Server,
    connection: &Session,
    row: &LogRow,
    raised: Option<&Fence>,
    session: Option<(RoleKind, Uuid)>,
) -> Result<(), Error> {
    let statement = connection.prepared(&server.statements.set_session).await?;
    let fence = fence_text(raised.unwrap_or(&row.fence))?;
    let kind = session.map_or(-1, |(kind, _)| rows::role_number(kind));
    connection.run(&statement, &[&row.number, &fence, &kind, &session.map(|(_, session)| session)]).await.map(drop)
}
