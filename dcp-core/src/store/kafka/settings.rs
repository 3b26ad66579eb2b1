//! What a store is told.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::Error;
use crate::ids::{RegionId, ScopeId};

/// Settings of a [`KafkaEventStore`](super::KafkaEventStore).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KafkaEventSettings {
    /// The region whose store it is.
    pub region: RegionId,
    /// The scopes whose logs it holds.
    pub scopes: BTreeSet<ScopeId>,
    /// The regions whose logs it mirrors.
    pub peers: BTreeSet<RegionId>,
    /// Put before every name in the cluster: topics and transactional ids (nothing).
    pub namespace: String,
    /// How many brokers keep the store's own topics; none is three, or as many as there are.
    pub replication_factor: Option<u16>,
    /// Partitions of the topic with fences and cursors (8). A transaction that hangs holds back the fence
    /// and the cursors that it has written, until a successor ends it or its time-out does; of others in its partition
    /// more is read each time. Fixed when the store is made.
    pub state_partitions: u32,
    /// How long a read may take without coming further (5 s). Each of its requests takes half of it at most, and
    /// no longer than the client's own, so that a broker is asked again, or another one, while there is time. A
    /// write may take the client's own deadline for each of its steps: a batch, the end of a transaction, the
    /// taking of an id.
    pub deadline: Duration,
    /// After this the cluster ends a transaction whose writer is gone (60 s; brokers look for them
    /// every 10 s, unless told otherwise), and holds readers of the log, and of the cursors that it was to
    /// move, back so long: `undecided-transaction`. A successor ends it at once. A writer whose transaction was cut off so, by an outage that is longer than this, goes on
    /// with the next one.
    pub transaction_timeout: Duration,
    /// How far an owner's append may be behind the mirrors of its partition when it looks ids up (1 s).
    /// It is looked at again before the commit: if their ends were not confirmed within this time by then,
    /// it is aborted and refused with `Retry`.
    pub mirror_lag: Duration,
    /// How many ids of a log are remembered, the latest (262,144): an id is appended once within this
    /// horizon. About 150 bytes each.
    pub id_horizon: usize,
}

impl KafkaEventSettings {
    /// Settings with the defaults named at the fields, without scopes and peers.
    #[must_use]
    pub fn new(region: RegionId) -> Self {
        Self {
            region,
            scopes: BTreeSet::new(),
            peers: BTreeSet::new(),
            namespace: String::new(),
            replication_factor: None,
            state_partitions: 8,
            deadline: Duration::from_secs(5),
            transaction_timeout: Duration::from_secs(60),
            mirror_lag: Duration::from_secs(1),
            id_horizon: 1 << 18,
        }
    }

    /// With one more scope.
    #[must_use]
    pub fn with_scope(mut self, scope: ScopeId) -> Self {
        self.scopes.insert(scope);
        self
    }

    /// With more peers.
    #[must_use]
    pub fn with_peers(mut self, peers: impl IntoIterator<Item = RegionId>) -> Self {
        self.peers.extend(peers);
        self
    }

    /// With something put before every name: letters, digits, `.`, `_` and `-`, at most 60.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// With as many replicas of the store's own topics.
    #[must_use]
    pub fn with_replication_factor(mut self, replicas: u16) -> Self {
        self.replication_factor = Some(replicas);
        self
    }

    /// With another number of state partitions, 1 to 100.
    #[must_use]
    pub fn with_state_partitions(mut self, partitions: u32) -> Self {
        self.state_partitions = partitions;
        self
    }

    /// With another deadline, of at least 100 ms.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// With another time-out of transactions, of at least 1 s.
    #[must_use]
    pub fn with_transaction_timeout(mut self, timeout: Duration) -> Self {
        self.transaction_timeout = timeout;
        self
    }

    /// With another lag budget of mirrors, of at least 10 ms.
    #[must_use]
    pub fn with_mirror_lag(mut self, lag: Duration) -> Self {
        self.mirror_lag = lag;
        self
    }

    /// With another horizon of ids.
    #[must_use]
    pub fn with_id_horizon(mut self, ids: usize) -> Self {
        self.id_horizon = ids;
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let legal = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'_' | b'-');
        if self.namespace.len() > 60 || !self.namespace.bytes().all(legal) {
            let message = format!("namespace {:?}: letters, digits, '.', '_' and '-', at most 60", self.namespace);
            return Err(Error::invalid("bad-namespace", message));
        }
        if self.peers.contains(&self.region) {
            return Err(Error::invalid("own-peer", format!("{} is not its own peer", self.region)));
        }
        let millis = Duration::from_millis;
        let too_short =
            self.deadline < millis(100) || self.transaction_timeout < millis(1_000) || self.mirror_lag < millis(10);
        if too_short {
            let message = format!(
                "deadline {:?} (from 100 ms), transactions {:?} (from 1 s), mirror lag {:?} (from 10 ms)",
                self.deadline, self.transaction_timeout, self.mirror_lag
            );
            return Err(Error::invalid("bad-interval", message));
        }
        if !(1..=100).contains(&self.state_partitions) || self.replication_factor.is_some_and(|replicas| replicas < 1) {
            let message =
                format!("{} partitions (1 to 100), {:?} replicas", self.state_partitions, self.replication_factor);
            return Err(Error::invalid("bad-state-topic", message));
        }
        Ok(())
    }
}
