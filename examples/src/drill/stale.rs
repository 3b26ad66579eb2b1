//! Writes under a stale mandate, from outside, over the old owner's own endpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use dcp_core::clock::{Clock, SystemClock};
use dcp_core::control_plane::Order;
use dcp_core::fence::{FencingToken, Term, TokenBinding};
use dcp_core::ids::HolderId;
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{AppendRequest, Appends, Sealable};
use dcp_core::remote::{Deadlines, RemoteAppends, RemoteEndpoint, RemoteGuard};
use dcp_core::signed::Signer;
use dcp_core::treaty::Treaty;
use dcp_core::{Error, Failure};
use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use crate::foundation::{Door, Foundation};
use crate::orders::{Home, Orders, new_event, partition_of};
use crate::region::{Ask, DrillControl, OrderRequest, guard_resource, to_body};
use crate::verdict::StaleWrites;

/// Attempts on each resource.
pub const ATTEMPTS: u64 = 120;

const AT_ONCE: usize = 24;

// Attempts that were refused for another reason than their staleness, such as a region that has not
// read the witness yet, are made up for, up to this many attempts on a resource.
const ATTEMPTS_MAX: u64 = 5 * ATTEMPTS;
const BEFORE_MORE: Duration = Duration::from_millis(100);

/// What was tried, by resource, and the reasons that were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct StaleReport {
    /// Counts and reasons, by resource.
    pub writes: Vec<StaleWrites>,
    /// Lines of which an append has no known outcome: each may stand in the lost region's log.
    pub doubtful_lines: BTreeSet<u64>,
    /// Anything that was let through, in words; must be empty.
    pub accepted: Vec<String>,
}

impl StaleReport {
    fn note<T>(&mut self, resource: &str, line: Option<u64>, outcome: &Result<T, Failure>) {
        let position = self.writes.iter().position(|writes| writes.resource == resource);
        let index = position.unwrap_or_else(|| {
            let (resource, reasons) = (resource.to_owned(), BTreeMap::new());
            self.writes.push(StaleWrites { resource, attempted: 0, refused: 0, reasons, in_doubt: 0 });
            self.writes.len() - 1
        });
        let Some(writes) = self.writes.get_mut(index) else { return };
        writes.attempted += 1;
        match outcome {
            Ok(_) => {
                let line = line.map_or_else(String::new, |line| format!(" of line {line}"));
                self.accepted.push(format!("{resource}: attempt {}{line} was let through", writes.attempted));
            }
            Err(Failure::NotApplied(error)) => {
                writes.refused += 1;
                *writes.reasons.entry(error.code().to_owned()).or_default() += 1;
            }
            Err(Failure::InDoubt(_)) => {
                writes.in_doubt += 1;
                self.doubtful_lines.extend(line);
            }
        }
    }

    // How many attempts are to be made next on a resource; none once enough were refused as stale,
    // one was let through, or no more are worth it.
    fn wanted(&self, resource: &str) -> u64 {
        let Some(writes) = self.writes.iter().find(|writes| writes.resource == resource) else { return ATTEMPTS };
        if !self.accepted.is_empty() || writes.attempted >= ATTEMPTS_MAX {
            return 0;
        }
        ATTEMPTS.saturating_sub(writes.refused_as_stale())
    }

    /// Takes the other's resources in, in the place of its own of the same name.
    pub fn merge(&mut self, other: Self) {
        self.writes.retain(|mine| other.writes.iter().all(|theirs| theirs.resource != mine.resource));
        self.writes.extend(other.writes);
        self.doubtful_lines.extend(other.doubtful_lines);
        self.accepted.extend(other.accepted);
    }
}

/// Arguments of `drill stale`.
#[derive(Debug, Clone, Args)]
pub struct StaleArguments {
    /// Folder with the old owner's key and its genesis grants.
    #[arg(long)]
    pub dir: PathBuf,
    /// The old owner's own address.
    #[arg(long)]
    pub address: SocketAddr,
    /// Order lines; the bundled ones if absent.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Only the first lines of the data.
    #[arg(long)]
    pub lines: u64,
    /// Lines after this record have not been produced yet.
    #[arg(long)]
    pub after: u64,
    /// Tries sessions of its own at the region's store, past its endpoint, instead of the endpoint.
    #[arg(long)]
    pub own_sessions: bool,
    /// Process id of the parent with which this one ends.
    #[arg(long)]
    pub parent: Option<u32>,
}

struct Attempts {
    home: Home,
    treaty: Arc<Treaty>,
    grants: Vec<WriteGrant>,
    tokens: Vec<FencingToken>,
    endpoint: RemoteEndpoint,
    clock: Arc<dyn Clock>,
    report: StaleReport,
}

/// Tries everything that a stale mandate might be used for, and reports the answers.
///
/// # Errors
/// `Invalid` or `Refused` if grants or keys cannot be read; the answers to the attempts are no errors.
pub async fn run(arguments: &StaleArguments) -> Result<StaleReport, Error> {
    let foundation = Foundation::at(&arguments.dir);
    let (treaty, home) = (foundation.treaty()?, Home::West);
    let grants: Vec<WriteGrant> =
        foundation.genesis()?.into_iter().filter(|grant| grant.owner == home.region_id()).collect();
    let signer = foundation.signer(&home.region_id())?;
    let mut tokens = Vec::new();
    for grant in &grants {
        let holder = HolderId::new("deposed")?;
        // As high as can be: a stale epoch must be refused whatever the term says.
        let term = Term { issuer: home.region_id(), holder, revision: u64::MAX };
        tokens.push(token_of(grant, term, &signer, &treaty)?);
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let deadlines = Deadlines::new(Duration::from_secs(5));
    let endpoint =
        RemoteEndpoint::new(arguments.address, &foundation.bearer(Door::Region)?, deadlines, Arc::clone(&clock))?;
    let report = StaleReport::default();
    let mut attempts = Attempts { home, treaty, grants, tokens, endpoint, clock, report };
    let orders = super::data::load(arguments.data.as_deref(), Some(arguments.lines))?;
    if arguments.own_sessions {
        attempts.sessions(&orders, arguments.after).await?;
    } else {
        attempts.appends(&orders, arguments.after).await?;
        attempts.seals().await?;
        attempts.switchovers().await?;
    }
    Ok(attempts.report)
}

/// A token of a grant under a term of its owner.
///
/// # Errors
/// `Refused` if the signer's key is not the owner's.
pub fn token_of(grant: &WriteGrant, term: Term, signer: &Signer, treaty: &Treaty) -> Result<FencingToken, Error> {
    let (slice, epoch) = (grant.slice.clone(), grant.epoch);
    let binding = TokenBinding { slice, epoch, ownership: grant.digest(), term };
    FencingToken::new(grant.clone(), treaty.keyring().open_by_issuer(&signer.sign(&binding)?)?)
}

impl Attempts {
    // Appends of real lines that are not produced yet, under the grants of the first epoch.
    fn requests(&self, orders: &Orders, after: u64) -> Result<Vec<(u64, AppendRequest)>, Error> {
        let scope = self.home.scope_id();
        let own = orders.iter().filter(|line| line.number() > after && line.home().ok() == Some(self.home));
        let mut requests = Vec::new();
        for line in own.take(usize::try_from(ATTEMPTS).unwrap_or(usize::MAX)) {
            let partition = partition_of(line.stock_code());
            let slice = self.treaty.scope(&scope)?.slice_of(partition)?.clone();
            let grant = self.grants.iter().find(|grant| grant.slice.slice == slice);
            let grant = grant.ok_or_else(|| Error::invalid("no-grant", slice.to_string()))?;
            let request = AppendRequest::new(scope.clone(), partition, grant.epoch, vec![new_event(&line)?]);
            requests.push((line.number(), request.under(grant.envelope().clone())));
        }
        if requests.is_empty() {
            return Err(Error::invalid("no-lines", format!("no line after {after} is still to be produced")));
        }
        Ok(requests)
    }

    async fn appends(&mut self, orders: &Orders, after: u64) -> Result<(), Error> {
        let keyring = Arc::new(self.treaty.keyring().clone());
        let appends = RemoteAppends::new(self.endpoint.clone(), self.home.region_id(), keyring);
        let requests = self.requests(orders, after)?;
        let mut next = requests.iter().cycle();
        while let Some(count) = self.more("append").await {
            for (line, request) in next.by_ref().take(count) {
                let outcome = appends.append(request.clone()).await;
                self.report.note("append", Some(*line), &outcome);
            }
        }
        Ok(())
    }

    async fn sessions(&mut self, orders: &Orders, after: u64) -> Result<(), Error> {
        let requests = self.requests(orders, after)?;
        let mut next = requests.iter().cycle();
        while let Some(count) = self.more("store").await {
            for (line, request) in next.by_ref().take(count) {
                let outcome = self.ask(DrillControl::OwnSession.name(), to_body(request)?).await;
                self.report.note("store", Some(*line), &outcome);
            }
        }
        Ok(())
    }

    async fn seals(&mut self) -> Result<(), Error> {
        let mut guards = Vec::new();
        for token in &self.tokens {
            let slice = token.grant().slice.clone();
            let resource = guard_resource(&self.home.region_id(), &slice)?;
            guards.push((RemoteGuard::new(self.endpoint.clone(), resource, slice), token.clone()));
        }
        while let Some(count) = self.more("guard").await {
            let attempts = guards.iter().cycle().take(count).map(|(guard, token)| guard.seal(token));
            let outcomes: Vec<_> = stream::iter(attempts).buffered(AT_ONCE).collect().await;
            outcomes.iter().for_each(|outcome| self.report.note("guard", None, outcome));
        }
        Ok(())
    }

    // The very order by which a slice goes home later, which a mandate of its present owner starts.
    async fn switchovers(&mut self) -> Result<(), Error> {
        let mut orders = Vec::new();
        for token in &self.tokens {
            let order = Order::Switchover { slice: token.grant().slice.clone(), from: self.home.other().region_id() };
            orders.push(to_body(&OrderRequest { order, token: Some(token.to_presented()) })?);
        }
        while let Some(count) = self.more("switchover").await {
            let attempts = orders.iter().cycle().take(count).map(|body| self.ask(Ask::Order.name(), body.clone()));
            let outcomes: Vec<_> = stream::iter(attempts).buffered(AT_ONCE).collect().await;
            outcomes.iter().for_each(|outcome| self.report.note("switchover", None, outcome));
        }
        Ok(())
    }

    async fn ask(&self, operation: &str, body: Bytes) -> Result<Bytes, Failure> {
        self.endpoint.call(operation, body, Duration::from_secs(10)).await
    }

    // How many attempts follow on a resource; a pause before those that make up for others.
    async fn more(&self, resource: &str) -> Option<usize> {
        let wanted = self.report.wanted(resource);
        if wanted > 0 && self.report.writes.iter().any(|writes| writes.resource == resource) {
            self.clock.sleep(BEFORE_MORE).await;
        }
        usize::try_from(wanted).ok().filter(|wanted| *wanted > 0)
    }
}

#[cfg(test)]
mod tests;
