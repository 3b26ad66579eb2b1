//! Ports, ownership, signing, runbook and test kit for dual regional control planes.
//!
//! # Promise
//!
//! - **One owner writes.** Every append is made under a signed [`ownership`] of one epoch, which the
//!   resource itself compares; what is below its fence is refused, also after a crash and a restore.
//! - **An unknown outcome stays unknown.** Reads return [`Error`], effects return [`Failure`], and
//!   nothing turns the second into the first: `?` cannot lose a write that may have landed.
//! - **Recovery is data.** A [`runbook::Plan`] is a list of steps; what became of each is in a
//!   hash-chained, signed [`runbook::Journal`], and after a crash a step is probed, never blindly
//!   repeated.
//! - **Contracts are checked.** A port's documentation is a list of numbered clauses; for each there
//!   is a test that any implementation can run, and a planted defect that fails exactly that test.
//!
//! # Limits
//!
//! - Without features this crate does no I/O and starts no runtime. Nothing in it asks for the time by
//!   itself: time and
//!   randomness are handed in ([`clock`]).
//! - It is no broker, no database and no consensus system. Ownership moves by conditional writes at a
//!   witness that somebody else makes durable.
//! - The embedded stores (feature `embedded`) are for one process each and do not survive their disk.
//! - `remote` has no encryption and therefore refuses every address that is not loopback.
//! - A witness, both regions and every file restored to an older state together leave nobody to
//!   notice it.
//!
//! # How the parts lie
//!
//! ```text
//!   control_plane  ── leads its region; drives plans; opens and closes slices
//!        │
//!     recovery     ── blackout, rejoin, switchover: steps over ports
//!        │
//!     runbook      ── plan, pure decisions, driver, journal
//!        │
//!      ports       ── EventStore  StateStore  ResourceGuard  MirrorLink  Witness  ...
//!        │
//!   ┌────┴─────┬───────────┬───────────┬─────────────────────────────┐
//! memory   embedded     remote     dcp-fencing  dcp-mirror  dcp-replay  yours
//! (models) (one file)  (loopback)
//!        │
//!   ownership  fence  lease  signed  treaty  position  event   ── values; no I/O
//! ```
//!
//! # A first program
//!
//! An owner appends; its successor seals; the old grant writes nothing more.
//!
//! ```
//! use dcp_core::ErrorKind;
//! use dcp_core::event::{EventId, NewEvent, StreamId};
//! use dcp_core::ids::{KeyId, RegionId, SliceRef};
//! use dcp_core::memory::MemoryEventStore;
//! use dcp_core::ownership::{Claim, Evidence, Ownership, WriteGrant};
//! use dcp_core::ports::{EventSourceExt as _, EventStore as _, OwnerBatch, WriterRole};
//! use dcp_core::position::LogIncarnation;
//! use dcp_core::signed::{KeySet, Role, Signer};
//! # use dcp_core::digest::Digest;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (west, east): (RegionId, RegionId) = ("west".parse()?, "east".parse()?);
//! let log = "orders@west/0".parse()?;
//! let slice = SliceRef::new("orders".parse()?, "all".parse()?);
//!
//! // A grant is an ownership that a key set has vouched for; there is no other way to one.
//! let signer = Signer::new(KeyId::new("operator")?, &[7; 32]);
//! let keys = KeySet::new("local", Role::Local, 1, [(signer.id().clone(), signer.public())].into())?;
//! let first: WriteGrant = keys.open(&signer.sign(&Ownership::genesis(slice, west.clone()))?)?;
//!
//! let store = MemoryEventStore::new(west, LogIncarnation::from_bytes([1; 16]));
//! let logs = [log];
//! let writer = store.open_writer(&logs, WriterRole::Owner(first.clone())).await?;
//! let sold = |id| NewEvent::new(EventId::from_bytes([id; 16]), StreamId::new("85123A"), "sold", "6".into());
//! let appended = writer.append(OwnerBatch::new(logs[0].clone(), vec![sold(1)])).await?;
//! assert_eq!(appended.prefix.count, 1);
//!
//! // The next epoch belongs to the east. Once the seal has answered, the west's end is final.
//! let claim = Claim { run: "run-1".parse()?, plan: Digest::of(b"plan"), nonce: Digest::of(b"nonce") };
//! let evidence = Evidence::Attested { statement: "the west is gone".to_owned() };
//! let second: WriteGrant = keys.open(&signer.sign(&Ownership::succeed(&first, east, claim, evidence))?)?;
//! store.seal(&logs, &second).await?;
//!
//! let refused = writer.append(OwnerBatch::new(logs[0].clone(), vec![sold(2)])).await.unwrap_err();
//! assert!(matches!(refused, dcp_core::Failure::NotApplied(error) if error.kind() == ErrorKind::Fenced));
//! assert_eq!(store.end(&logs[0]).await?.prefix.count, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! | Where | What |
//! |---|---|
//! | [`ids`], [`log`], [`position`], [`event`], [`digest`] | names and values |
//! | [`ownership`], [`fence`], [`lease`] | who may write: epoch chain, tokens, lease arithmetic (pure) |
//! | [`signed`], [`treaty`] | signatures and what the regions agreed to |
//! | [`error`], [`clock`], [`tasks`], [`operation`], [`telemetry`] | what every part uses |
//! | [`ports`] | the contracts, one file each |
//! | [`memory`] | models of the stores; a crash loses what was not synced |
//! | [`store`], [`state`], `embedded` | event and state stores in one file (feature `embedded`) |
//! | `remote` | ports over HTTP on loopback (feature `remote`) |
//! | `kafka` | the Kafka wire client and the batch format (feature `kafka`); the event store is in [`store`] |
//! | `tls` | whom an encrypted connection trusts (feature `tls`) |
//! | [`appends`] | appends as owner, with the lease checked before and after |
//! | [`runbook`], [`recovery`], [`control_plane`] | plans, their steps, and the plane that drives them |
//! | `testing` | clauses, fixtures, planted defects (feature `test-util`) |

pub mod appends;
mod at_most;
pub mod clock;
pub mod control_plane;
pub mod digest;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod error;
pub mod event;
pub mod fence;
pub mod ids;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod lease;
pub mod log;
pub mod memory;
pub mod operation;
pub mod ownership;
pub mod ports;
pub mod position;
pub mod recovery;
#[cfg(feature = "remote")]
pub mod remote;
pub mod runbook;
pub mod signed;
pub mod state;
pub mod store;
pub mod tasks;
pub mod telemetry;
#[cfg(feature = "test-util")]
pub mod testing;
#[cfg(feature = "tls")]
pub mod tls;
pub mod treaty;

pub use error::{Error, ErrorKind, Failure, InDoubt};
