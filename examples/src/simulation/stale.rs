//! Writes under a stale mandate, at the old owner's own endpoint and store.

use std::time::Duration;

use dcp_core::fence::{FencingToken, Term, TokenBinding};
use dcp_core::ids::HolderId;
use dcp_core::log::LogId;
use dcp_core::ports::{AppendRequest, OwnerBatch, WriterRole};
use dcp_core::{Error, Failure};
use tokio::task::JoinSet;

use super::story::{Happened, LOST};
use super::world::World;
use crate::orders::{new_event, partition_of};

/// Attempts at each resource.
const ATTEMPTS: usize = 24;
/// How long a deposed process waits for an answer.
const WAIT: Duration = Duration::from_secs(20);

/// An attempt: what it was at, and why it was not let through.
pub(super) type Tried = (&'static str, Result<(), Failure>);

impl World {
    /// Appends of real lines that are not produced yet, and seals, under the first epoch.
    pub(super) fn stale_attempts(&self, after: u64) -> Result<JoinSet<Tried>, Error> {
        let mut attempts = JoinSet::new();
        let endpoint = self.endpoint("deposed", LOST, WAIT);
        for request in self.stale_requests(after)? {
            let endpoint = std::sync::Arc::clone(&endpoint);
            attempts.spawn(async move { ("append", endpoint.append(request).await.map(drop)) });
        }
        for token in self.stale_tokens()? {
            let (served, outside) = (self.region(LOST).served()?, token.grant().slice.clone());
            attempts.spawn(async move {
                served.process.awake().await;
                let sealed = match served.seal_of(&outside) {
                    Ok(guard) => guard.seal(&token).await.map(drop),
                    Err(error) => Err(Failure::NotApplied(error)),
                };
                ("guard", sealed)
            });
        }
        Ok(attempts)
    }

    fn stale_requests(&self, after: u64) -> Result<Vec<AppendRequest>, Error> {
        let scope = LOST.scope_id();
        let later = self.orders.iter().filter(|line| line.number() > after && line.home().ok() == Some(LOST));
        let mut requests = Vec::new();
        for line in later.take(ATTEMPTS) {
            let partition = partition_of(line.stock_code());
            let slice = self.around.treaty.scope(&scope)?.slice_of(partition)?;
            let grant = self.genesis.iter().find(|grant| grant.slice.scope == scope && &grant.slice.slice == slice);
            let grant = grant.ok_or_else(|| Error::invalid("no-grant", slice.to_string()))?;
            requests.push(
                AppendRequest::new(scope.clone(), partition, grant.epoch, vec![new_event(&line)?])
                    .under(grant.envelope().clone()),
            );
        }
        Ok(requests)
    }

    fn stale_tokens(&self) -> Result<Vec<FencingToken>, Error> {
        let region = self.region(LOST);
        let token = |grant: &dcp_core::ownership::WriteGrant| {
            let binding = TokenBinding {
                slice: grant.slice.clone(),
                epoch: grant.epoch,
                ownership: grant.digest(),
                // As high as can be: a stale epoch must be refused whatever the term says.
                term: Term { issuer: LOST.region_id(), holder: HolderId::new("deposed")?, revision: u64::MAX },
            };
            let envelope = region.signer.sign(&binding)?;
            FencingToken::new(grant.clone(), self.around.treaty.keyring().open_by_issuer(&envelope)?)
        };
        region.genesis.iter().map(token).collect()
    }

    /// Waits for what became of the attempts.
    pub(super) async fn tried(&self, mut attempts: JoinSet<Tried>, happened: &mut Happened) {
        while let Some(attempt) = attempts.join_next().await {
            match attempt {
                Ok((resource, outcome)) => self.note_stale(resource, outcome, happened),
                Err(cause) => self.around.observer.check("stale", Some(cause.to_string())),
            }
        }
    }

    fn note_stale(&self, resource: &'static str, outcome: Result<(), Failure>, happened: &mut Happened) {
        happened.stale.0 += 1;
        happened.stale.1 += u64::from(outcome.is_err());
        let wrong = outcome.is_ok().then(|| format!("{resource}: a stale write was let through"));
        self.around.observer.check("F4", wrong);
    }

    /// A deposed process with a session of its own at the sealed store: no plane stands before it.
    pub(super) async fn stale_sessions(&self, after: u64, happened: &mut Happened) {
        let requests = match self.stale_requests(after) {
            Ok(requests) => requests,
            Err(error) => return self.around.observer.check("stale", Some(error.to_string())),
        };
        for request in requests {
            let outcome = self.stale_session(request).await;
            self.note_stale("store", outcome, happened);
        }
    }

    async fn stale_session(&self, request: AppendRequest) -> Result<(), Failure> {
        let region = self.region(LOST);
        let grant = || {
            let slice = self.around.treaty.scope(&request.scope)?.slice_of(request.partition)?;
            let grant = region.genesis.iter().find(|grant| &grant.slice.slice == slice);
            let grant = grant.cloned().ok_or_else(|| Error::invalid("no-grant", slice.to_string()))?;
            Ok::<_, Error>((self.around.treaty.logs_of(&grant.slice, &LOST.region_id())?, grant))
        };
        let (logs, grant) = grant().map_err(Failure::NotApplied)?;
        let writer = region.store.open_writer(&logs, WriterRole::Owner(grant)).await?;
        let log = LogId::new(request.scope.clone(), LOST.region_id(), request.partition);
        writer.append(OwnerBatch::new(log, request.events)).await.map(drop)
    }
}
