//! The contracts: one file each. A trait lives here if recovery calls it.
//!
//! Reads return [`Error`](crate::Error); effects return [`Failure`](crate::Failure). Every effect
//! is declarative, idempotent by its key, and a read on the same port shows whether it took.

pub mod appends;
pub mod broker_admin;
pub mod event_store;
pub mod failpoints;
pub mod handover;
pub mod health_probe;
pub mod leader_election;
pub mod mirror_link;
pub mod ownership_lease;
pub mod replay_control;
pub mod resource_guard;
pub mod state_store;
pub mod step_action;
pub mod witness;

pub use appends::{AppendRequest, Appends};
pub use broker_admin::{BrokerAdmin, TopicSpec, TopicState};
pub use event_store::{
    AppendAck, Appended, CopyBatch, Cursor, EventReader, EventSource, EventSourceExt, EventStore, EventWriter,
    OwnerBatch, ReadFrom, Sighting, StoreIdentity, WriterRole,
};
pub use failpoints::{Failpoints, NoFailpoints};
pub use handover::Handover;
pub use health_probe::{Health, HealthProbe};
pub use leader_election::LeaderElection;
pub use mirror_link::{
    Exposure, LinkDesire, LinkState, LinkStatus, LogProgress, MirrorLink, ParityCheck, ParityReport,
};
pub use ownership_lease::{LeaseHoldings, OwnershipLease};
pub use replay_control::{DeliveryCounts, ReplayControl, ReplayStatus};
pub use resource_guard::{Permit, PermitLedger, ResourceGuard, Sealable};
pub use state_store::{Condition, Entry, Key, Revision, StateStore, Transaction, Write};
pub use step_action::{Facts, Readiness, StepAction, StepContext, Taken};
pub use witness::{Kept, LeaseReading, LeaseRenewal, Shown, Witness};
