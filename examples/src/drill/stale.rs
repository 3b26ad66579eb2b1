//! Writes under a stale mandate, from outside, over the old owner's own endpoint.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use dcp_core::clock::{Clock, SystemClock};
use dcp_core::control_plane::Order;
use dcp_core::fence::{FencingToken, Term, TokenBinding};
use dcp_core::ids::HolderId;
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{AppendRequest, Appends, Sealable};
use dcp_core::remote::{Deadlines, RemoteAppends, RemoteEndpoint, RemoteGuard};
use dcp_core::{Error, Failure};
use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use crate::foundation::Foundation;
use crate::orders::{Home, Orders, new_event, partition_of};
use crate::region::{Ask, OrderRequest, guard_resource, to_body};
use crate::verdict::StaleWrites;

/// Attempts on each resource.
pub const ATTEMPTS: u64 = 120;

// An isolated region answers each order only after it has asked the witness in vain.
const AT_ONCE: usize = 24;

/// What was tried, by resource, and the reasons that were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct StaleReport {
    /// Counts, by resource.
    pub writes: Vec<StaleWrites>,
    /// How often each reason was given, by resource and code.
    pub reasons: BTreeMap<String, u64>,
    /// Anything that was let through, in words; must be empty.
    pub accepted: Vec<String>,
}

impl StaleReport {
    fn note<T>(&mut self, resource: &str, outcome: &Result<T, Failure>) {
        let position = self.writes.iter().position(|writes| writes.resource == resource);
        let index = position.unwrap_or_else(|| {
            let resource = resource.to_owned();
            self.writes.push(StaleWrites { resource, attempted: 0, refused: 0, in_doubt: 0 });
            self.writes.len() - 1
        });
        let Some(writes) = self.writes.get_mut(index) else { return };
        writes.attempted += 1;
        let code = match outcome {
            Ok(_) => {
                self.accepted.push(format!("{resource}: attempt {} was let through", writes.attempted));
                "accepted"
            }
            Err(Failure::NotApplied(error)) => {
                writes.refused += 1;
                error.code()
            }
            Err(Failure::InDoubt(doubt)) => {
                writes.in_doubt += 1;
                doubt.code()
            }
        };
        *self.reasons.entry(format!("{resource}/{code}")).or_default() += 1;
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
    /// Process id of the parent with which this one ends.
    #[arg(long)]
    pub parent: Option<u32>,
}

struct Attempts {
    home: Home,
    treaty: Arc<dcp_core::treaty::Treaty>,
    grants: Vec<WriteGrant>,
    tokens: Vec<FencingToken>,
    endpoint: RemoteEndpoint,
    report: StaleReport,
}

/// Tries everything that a stale mandate might be used for, and reports the answers.
///
/// # Errors
/// `Invalid` or `Refused` if grants or keys cannot be read; the answers to the attempts are no errors.
pub async fn run(arguments: &StaleArguments) -> Result<StaleReport, Error> {
    let foundation = Foundation::at(&arguments.dir);
    let treaty = foundation.treaty()?;
    let home = Home::West;
    let grants: Vec<WriteGrant> =
        foundation.genesis()?.into_iter().filter(|grant| grant.owner == home.region_id()).collect();
    let signer = foundation.signer(&home.region_id())?;
    let mut tokens = Vec::new();
    for grant in &grants {
        let binding = TokenBinding {
            slice: grant.slice.clone(),
            epoch: grant.epoch,
            ownership: grant.digest(),
            term: Term {
                issuer: home.region_id(),
                holder: HolderId::new(format!("{}.plane", home.region()))?,
                // As high as can be: a stale epoch must be refused whatever the term says.
                revision: u64::MAX,
            },
        };
        let envelope = signer.sign(&binding)?;
        tokens.push(FencingToken::new(grant.clone(), treaty.keyring().open_by_issuer(&envelope)?)?);
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let endpoint =
        RemoteEndpoint::new(arguments.address, &foundation.bearer()?, Deadlines::new(Duration::from_secs(5)), clock)?;
    let mut attempts = Attempts { home, treaty, grants, tokens, endpoint, report: StaleReport::default() };
    let orders = super::data::load(arguments.data.as_deref(), Some(arguments.lines))?;
    attempts.appends(&orders, arguments.after).await?;
    attempts.seals().await?;
    attempts.switchovers().await?;
    Ok(attempts.report)
}

impl Attempts {
    async fn appends(&mut self, orders: &Orders, after: u64) -> Result<(), Error> {
        let keyring = Arc::new(self.treaty.keyring().clone());
        let appends = RemoteAppends::new(self.endpoint.clone(), self.home.region_id(), keyring);
        let scope = self.home.scope_id();
        let own: Vec<_> =
            orders.iter().filter(|line| line.number() > after && line.home().ok() == Some(self.home)).collect();
        if own.is_empty() {
            return Err(Error::invalid("no-lines", format!("no line after {after} is still to be produced")));
        }
        let count = usize::try_from(ATTEMPTS).unwrap_or(usize::MAX);
        for line in own.iter().cycle().take(count) {
            let partition = partition_of(line.stock_code());
            let slice = self.treaty.scope(&scope)?.slice_of(partition)?.clone();
            let grant = self.grants.iter().find(|grant| grant.slice.slice == slice);
            let grant = grant.ok_or_else(|| Error::invalid("no-grant", slice.to_string()))?;
            let request = AppendRequest::new(scope.clone(), partition, grant.epoch, vec![new_event(line)?])
                .under(grant.envelope().clone());
            let outcome = appends.append(request).await;
            self.report.note("append", &outcome);
        }
        Ok(())
    }

    async fn seals(&mut self) -> Result<(), Error> {
        let mut guards = Vec::new();
        for token in self.attempted() {
            let slice = token.grant().slice.clone();
            let resource = guard_resource(&self.home.region_id(), &slice)?;
            guards.push((RemoteGuard::new(self.endpoint.clone(), resource, slice), token));
        }
        let attempts = guards.iter().map(|(guard, token)| guard.seal(token));
        let outcomes: Vec<_> = stream::iter(attempts).buffered(AT_ONCE).collect().await;
        outcomes.iter().for_each(|outcome| self.report.note("guard", outcome));
        Ok(())
    }

    async fn switchovers(&mut self) -> Result<(), Error> {
        let mut orders = Vec::new();
        for token in self.attempted() {
            let order = Order::Switchover { slice: token.grant().slice.clone(), from: self.home.region_id() };
            orders.push(to_body(&OrderRequest { order, token: Some(token.to_presented()) })?);
        }
        let order = |body| self.endpoint.call(Ask::Order.name(), body, Duration::from_secs(10));
        let outcomes: Vec<_> = stream::iter(orders.into_iter().map(order)).buffered(AT_ONCE).collect().await;
        outcomes.iter().for_each(|outcome| self.report.note("switchover", outcome));
        Ok(())
    }

    fn attempted(&self) -> Vec<FencingToken> {
        let count = usize::try_from(ATTEMPTS).unwrap_or(usize::MAX);
        self.tokens.iter().cycle().take(count).cloned().collect()
    }
}
