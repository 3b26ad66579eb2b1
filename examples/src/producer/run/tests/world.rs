//! Two regions without stores: what they are told to do, and what they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use dcp_core::digest::Digest;
use dcp_core::error::Failure;
use dcp_core::event::{EventId, Version};
use dcp_core::ids::{KeyId, RunId, ScopeId, SliceId};
use dcp_core::lease::LeaseTerms;
use dcp_core::log::LogId;
use dcp_core::ownership::{Claim, Evidence, Ownership, WriteGrant};
use dcp_core::ports::{AppendAck, AppendRequest, Appended, Appends};
use dcp_core::position::{Cut, LogIncarnation, Position, PrefixDigest};
use dcp_core::signed::{KeySet, Keyring, Role, Signer};
use dcp_core::treaty::{ScopeTerms, TakeoverRule, Treaty};

use super::*;
use crate::orders::Home;

pub(in crate::producer) fn west() -> RegionId {
    Home::West.region_id()
}

pub(in crate::producer) fn central() -> RegionId {
    Home::Central.region_id()
}

fn signer(home: Home) -> Signer {
    Signer::new(KeyId::new(home.region()).unwrap(), &[home as u8 + 1; 32])
}

fn key_set(home: Home, role: Role) -> KeySet {
    let signer = signer(home);
    KeySet::new(home.region(), role, 1, BTreeMap::from([(signer.id().clone(), signer.public())])).unwrap()
}

pub(in crate::producer) fn treaty_of(terms: &LeaseTerms) -> Treaty {
    let mut slices = BTreeMap::new();
    for (name, partitions) in [("s10", 0..2), ("s15", 2..5), ("s25", 5..10), ("s50", 10..20)] {
        slices.insert(SliceId::new(name).unwrap(), partitions.collect::<BTreeSet<u32>>());
    }
    let scope = |home: Home, successor: Home| {
        let successors = vec![successor.region_id()];
        ScopeTerms::new(home.region_id(), successors, TakeoverRule::Leased, 20, slices.clone()).unwrap()
    };
    let scopes = BTreeMap::from([
        (Home::West.scope_id(), scope(Home::West, Home::Central)),
        (Home::Central.scope_id(), scope(Home::Central, Home::West)),
    ]);
    let local = Home::ALL.map(|home| (home.region_id(), key_set(home, Role::Local)));
    let keyring = Keyring { local: local.into(), cross: key_set(Home::West, Role::Cross) };
    Treaty::new(1, scopes, terms.clone(), keyring).unwrap()
}

/// What a region does with an append.
#[derive(Debug, Clone)]
pub(super) enum Behaviour {
    /// Applies and answers.
    Answers,
    /// Neither applies nor answers, and does not answer questions.
    Dark,
    /// Applies and never answers, and does not answer questions.
    AppliesInSilence,
    /// Applies, and answers after this time.
    AnswersAfter(Duration),
    /// Applies, and says that it does not know.
    InDoubtApplied,
    /// Says that it does not know, and has not applied.
    InDoubtLost,
    /// Does not answer appends, and answers questions with an error.
    KnowsNobody(Error),
    /// Certainly does not apply.
    Fails(Error),
}

#[derive(Debug)]
struct State {
    behaviour: BTreeMap<RegionId, Behaviour>,
    // What each region knows of each slice's owner.
    grants: BTreeMap<(RegionId, SliceRef), WriteGrant>,
    logs: BTreeMap<LogId, Vec<EventId>>,
    requests: BTreeMap<RegionId, u64>,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) treaty: Arc<Treaty>,
    pub(super) clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl World {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let terms = LeaseTerms::new(Duration::from_secs(5), 1_000, Duration::from_millis(500)).unwrap();
        let treaty = Arc::new(treaty_of(&terms));
        let mut grants = BTreeMap::new();
        for slice in treaty.slices() {
            let home = if slice.scope == Home::West.scope_id() { Home::West } else { Home::Central };
            let grant = sign(&treaty, home, &Ownership::genesis(slice.clone(), home.region_id()));
            for region in [west(), central()] {
                grants.insert((region, slice.clone()), grant.clone());
            }
        }
        let behaviour = [west(), central()].map(|region| (region, Behaviour::Answers)).into();
        let state = State { behaviour, grants, logs: BTreeMap::new(), requests: BTreeMap::new() };
        Arc::new(Self { treaty, clock, state: Mutex::new(state) })
    }

    pub(super) fn endpoints(self: &Arc<Self>) -> Vec<Arc<dyn Appends>> {
        let endpoint = |region| Arc::new(Region { name: region, world: Arc::clone(self) }) as Arc<dyn Appends>;
        [west(), central()].map(endpoint).into()
    }

    pub(super) fn set(&self, region: &RegionId, behaviour: Behaviour) {
        self.state.lock().unwrap().behaviour.insert(region.clone(), behaviour);
    }

    /// The successor takes every slice of the west; the west does not hear of it.
    pub(super) fn take_over(&self, by: Home, told: &[RegionId]) {
        let mut state = self.state.lock().unwrap();
        for slice in self.treaty.slices().into_iter().filter(|slice| slice.scope == Home::West.scope_id()) {
            let known = |region: RegionId| state.grants[&(region, slice.clone())].clone();
            let head = [known(west()), known(central())].into_iter().max_by_key(|grant| grant.epoch).unwrap();
            let claim = Claim { run: RunId::new("run").unwrap(), plan: Digest::ZERO, nonce: Digest::ZERO };
            let evidence = Evidence::Sealed { ends: Cut::new() };
            let next = Ownership::succeed(&head, by.region_id(), claim, evidence);
            for region in told {
                state.grants.insert((region.clone(), slice.clone()), sign(&self.treaty, by, &next));
            }
        }
    }

    pub(super) fn log(&self, partition: u32, origin: &RegionId) -> Vec<EventId> {
        let log = LogId::new(Home::West.scope_id(), origin.clone(), partition);
        self.state.lock().unwrap().logs.get(&log).cloned().unwrap_or_default()
    }

    pub(super) fn requests(&self, region: &RegionId) -> u64 {
        self.state.lock().unwrap().requests.get(region).copied().unwrap_or(0)
    }

    fn behaviour(&self, region: &RegionId) -> Behaviour {
        self.state.lock().unwrap().behaviour[region].clone()
    }
}

fn sign(treaty: &Treaty, home: Home, record: &Ownership) -> WriteGrant {
    treaty.keyring().open_by_issuer(&signer(home).sign(record).unwrap()).unwrap()
}

#[derive(Debug)]
struct Region {
    name: RegionId,
    world: Arc<World>,
}

impl Region {
    fn apply(&self, request: &AppendRequest) -> Result<Appended, Failure> {
        let mut state = self.world.state.lock().unwrap();
        let terms = self.world.treaty.scope(&request.scope).unwrap();
        let slice = SliceRef::new(request.scope.clone(), terms.slice_of(request.partition).unwrap().clone());
        let grant = &state.grants[&(self.name.clone(), slice)];
        if grant.epoch != request.epoch || grant.owner != self.name {
            return Err(Failure::NotApplied(Error::fenced("other-epoch", "another owner or epoch")));
        }
        let epoch = grant.epoch;
        let name = LogId::new(ScopeId::clone(&request.scope), self.name.clone(), request.partition);
        let log = state.logs.entry(name.clone()).or_default();
        let mut acks = Vec::new();
        for event in &request.events {
            let held = log.iter().position(|id| *id == event.id);
            let rank = held.unwrap_or(log.len()) as u64;
            if held.is_none() {
                log.push(event.id);
            }
            let position = Position::from_store(LogIncarnation::from_bytes([1; 16]), rank);
            let (log, version) = (name.clone(), Version::new(1));
            acks.push(AppendAck { id: event.id, log, position, epoch, version, existing: held.is_some() });
        }
        Ok(Appended { acks, prefix: PrefixDigest { count: log.len() as u64, digest: Digest::ZERO } })
    }
}

#[async_trait]
impl Appends for Region {
    fn region(&self) -> &RegionId {
        &self.name
    }

    async fn ownership(&self, slice: &SliceRef) -> Result<WriteGrant, Error> {
        match self.world.behaviour(&self.name) {
            Behaviour::Dark | Behaviour::AppliesInSilence => std::future::pending::<()>().await,
            Behaviour::KnowsNobody(error) => return Err(error),
            _ => {}
        }
        Ok(self.world.state.lock().unwrap().grants[&(self.name.clone(), slice.clone())].clone())
    }

    async fn append(&self, request: AppendRequest) -> Result<Appended, Failure> {
        *self.world.state.lock().unwrap().requests.entry(self.name.clone()).or_default() += 1;
        self.world.clock.sleep(Duration::from_millis(5)).await;
        match self.world.behaviour(&self.name) {
            Behaviour::Answers => self.apply(&request),
            Behaviour::AnswersAfter(time) => {
                let applied = self.apply(&request);
                self.world.clock.sleep(time).await;
                applied
            }
            Behaviour::InDoubtApplied => {
                self.apply(&request)?;
                Err(Failure::in_doubt("lease-ran-out", "the lease ran out during the commit"))
            }
            Behaviour::InDoubtLost => Err(Failure::in_doubt("connection-lost", "no answer")),
            Behaviour::Fails(error) => Err(Failure::NotApplied(error)),
            Behaviour::AppliesInSilence => {
                self.apply(&request)?;
                std::future::pending().await
            }
            Behaviour::Dark | Behaviour::KnowsNobody(_) => std::future::pending().await,
        }
    }
}
