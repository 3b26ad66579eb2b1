//! Elections, ownership leases, the witness and guards for dual regional control planes.
//!
//! # Promise
//!
//! Nobody writes with a stale mandate. When a seal has answered, nothing below it lands any more;
//! no append is acknowledged unless its ownership lease was valid before the write and after its
//! durable commit; and the fence that refuses an old owner outlives the process that raised it.
//!
//! # Limits
//!
//! - **A lease by itself proves nothing.** It saves work and bounds how long an isolated owner
//!   writes, under the treaty's bound on the rate error of clocks; a virtual machine that is paused
//!   without its clock noticing is outside that bound. Safety is the guard's and the store's fence.
//! - **An election is not a mandate.** Seal every guard under the new term, then act.
//! - A counter in the process is no term: two processes both give out 1, and one that starts again
//!   starts again at 1. Terms here are numbers of the commits that took the leader's key.
//! - The witness holds no clock and breaks no tie: of two claims of one epoch the first that is
//!   committed stands. It is as durable as the [`StateStore`](dcp_core::ports::StateStore) under it.
//! - [`guard::SliceGuard`] counts the permits of its own process. What another process of the same
//!   region has under way is stopped by the resource's own fence (its barrier), not waited for.
//! - A region whose event store or state store was restored from a backup, lost or replaced is
//!   refused by the witness, and its leases stay suspended, until an operator readmits it
//!   ([`StateStoreWitness::readmit`]). What is noticed is everything up to the last renewal that took
//!   effect: a store that has lost only what it wrote since then passes. A region that renews
//!   nothing is not asked, and its plane may still drive plans.
//! - A region claims all slices of a lost one in one commit, so that a treaty has at most 64
//!   ([`SLICES_MAX`](dcp_core::treaty::SLICES_MAX)); renewals alone would bear 127.
//!
//! # Parts
//!
//! | Module | Implements | Over |
//! |---|---|---|
//! | [`election`] | [`LeaderElection`] | a state store of the region |
//! | [`witness`] | [`Witness`] | a state store at a third place |
//! | [`leases`] | [`OwnershipLease`] | a witness |
//! | [`guard`] | [`ResourceGuard`] | a state store and the resource |
//!
//! # A first program
//!
//! A region takes up its slice, appends under the lease, and is fenced off by its successor.
//!
//! ```
//! # use std::sync::Arc;
//! # use dcp_core::clock::{Clock, SeededEntropy, TokioClock};
//! # use dcp_core::ids::ResourceId;
//! # use dcp_core::memory::{MemoryEventStore, MemoryStateStore};
//! # use dcp_core::ports::{ResourceGuard, Sealable, Witness};
//! # use dcp_core::position::LogIncarnation;
//! # use dcp_core::testing::fixtures::{TwoRegions, east, holder, orders, partition_log, slice_a, west};
//! use dcp_fencing::guard::{EventStoreSlice, GuardParts, SliceGuard};
//! use dcp_fencing::leases::{NoHeartbeat, OwnershipLeases};
//! use dcp_fencing::witness::StateStoreWitness;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let regions = TwoRegions::new();
//! # let treaty = Arc::new((**regions.treaty()).clone());
//! # let slice = slice_a(&orders());
//! # let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
//! # let events = Arc::new(MemoryEventStore::new(west(), LogIncarnation::from_bytes([1; 16])));
//! // At the witness: the first record of the slice gives it to its home region.
//! let witness = Arc::new(StateStoreWitness::new(Arc::new(MemoryStateStore::new()), treaty.clone()));
//! let grant = regions.genesis(&slice);
//! witness.claim(&[grant.clone()], None).await?;
//!
//! // In the region: a lease, and a guard that asks it.
//! let heartbeat = Arc::new(NoHeartbeat::new(events.clone()));
//! let state = Arc::new(MemoryStateStore::new());
//! let marks = Arc::new(SeededEntropy::new(1, "marks"));
//! let terms = treaty.lease().clone();
//! let leases = OwnershipLeases::new(west(), witness, terms, clock.clone(), heartbeat, state.clone(), marks);
//! let leases = Arc::new(leases);
//! let guard = SliceGuard::new(GuardParts::new(
//!     west(),
//!     ResourceId::new("west.orders.a")?,
//!     slice,
//!     state,
//!     treaty.keyring().clone(),
//!     leases.clone(),
//!     Arc::new(EventStoreSlice::new(events, vec![partition_log(&west(), 0)])),
//!     clock.clone(),
//! ))?;
//! assert!(guard.admit(&grant, clock.now()).is_err(), "everything starts closed");
//!
//! leases.adopt(grant.clone())?;
//! leases.renew_once().await?;
//! guard.open(&grant).await?;
//! let permit = guard.admit(&grant, clock.now())?;
//! // ... the durable append ...
//! permit.applied(clock.now()).expect("the lease is still valid: acknowledge");
//!
//! // The successor seals the guard: from here on the old grant is refused.
//! # let taken = regions.grant(guard.slice(), &east(), 2);
//! let token = regions.token(&taken, &holder("east-1"), 1);
//! let receipt = guard.seal(&token).await?;
//! assert_eq!(receipt.ends.len(), 1);
//! assert_eq!(guard.admit(&grant, clock.now()).unwrap_err().code(), "stale");
//! # Ok(())
//! # }
//! ```

pub mod election;
pub mod guard;
pub mod leases;
pub mod telemetry;
pub mod witness;

pub use dcp_core::ports::{LeaderElection, OwnershipLease, ResourceGuard, Sealable, Witness};
pub use election::StateStoreElection;
pub use guard::{EventStoreSlice, GuardParts, Protected, Reach, SliceGuard};
pub use leases::{BeforeRenewal, NoHeartbeat, OwnershipLeases, StoreHistory};
pub use witness::StateStoreWitness;
