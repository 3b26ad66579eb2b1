//! Projections whose position commits with the model, and what they say of every event.
//!
//! # Promise
//!
//! - **Position and model are never apart.** Rows, positions, stream marks and counts of one batch are
//!   one commit, conditional on the one before: a crash loses or keeps the batch as a whole, and a
//!   projector that was replaced cannot commit any more.
//! - **Every event is judged before it is folded** ([`Delivery`]): *New* and *Late* are applied as the
//!   projection declares ([`LateRule`]), *Redelivered* and *Copy* are counted and dropped, *Conflict*
//!   and *AppliedAhead* stop the projection durably on first sight, with both digests and places. The
//!   judgement is exact across mirrored logs, and its memory is bounded by streams, not by events.
//! - **Replay sends nothing, by type.** A [`Projection`] is a pure fold that holds no port.
//! - **Late events are set right once.** A projection that depends on order marks the stream dirty,
//!   and [`ReplayControl::refold`] folds it again from its first event in canonical order.
//! - **A position that the log no longer holds is refused** with a repair plan, never read as "no lag".
//!
//! # Limits
//!
//! - Events that cannot be folded stop their projection; dead letters, dry runs into a shadow, snapshots
//!   and the switch of read models are not here yet.
//! - A stream lives in one partition, and one owner writes under an epoch; anything else is a conflict.
//! - A projection that rebuilds streams has rows of one stream each; totals over such rows are added up
//!   by the reader.
//! - While a refold runs, applying waits. Between a late event and the refold, a dirty stream's rows are
//!   those of before the late event.
//! - [`StateModelStore`] holds up to its number of buckets in MiB; a scan reads all buckets.
//!
//! # A first program
//!
//! ```
//! use std::sync::Arc;
//!
//! use dcp_core::Error;
//! use dcp_core::clock::TokioClock;
//! use dcp_core::event::{EventId, NewEvent, StreamId};
//! use dcp_core::ids::{KeyId, ProjectionId, RegionId, SliceRef};
//! use dcp_core::log::LogId;
//! use dcp_core::memory::{MemoryEventStore, MemoryStateStore};
//! use dcp_core::ownership::{Ownership, WriteGrant};
//! use dcp_core::ports::{EventStore as _, OwnerBatch, WriterRole};
//! use dcp_core::position::LogIncarnation;
//! use dcp_core::signed::{KeySet, Role, Signer};
//! use dcp_replay::{
//!     Applied, LateRule, Model, Projection, Projector, ProjectorSettings, ReadModel, ReplayControl as _, StateModelStore,
//! };
//!
//! /// How many orders each stream has.
//! #[derive(Debug)]
//! struct Orders;
//!
//! impl Projection for Orders {
//!     fn id(&self) -> ProjectionId {
//!         "orders".parse().expect("a legal name")
//!     }
//!     fn late_rule(&self) -> LateRule {
//!         LateRule::Commutes
//!     }
//!     fn apply(&self, model: &mut Model<'_>, event: &Applied<'_>) -> Result<(), Error> {
//!         let key = format!("count/{}", event.record.stream);
//!         let count: u64 = model.read(&key)?.unwrap_or(0);
//!         model.write(&key, &(count + 1))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // An owner appends one event.
//! let region = RegionId::new("eu-west-2")?;
//! let log: LogId = "orders@eu-west-2/0".parse()?;
//! let signer = Signer::new(KeyId::new("operator")?, &[7; 32]);
//! let keys = KeySet::new("local", Role::Local, 1, [(signer.id().clone(), signer.public())].into())?;
//! let slice = SliceRef::new("orders".parse()?, "all".parse()?);
//! let grant: WriteGrant = keys.open(&signer.sign(&Ownership::genesis(slice, region.clone()))?)?;
//! let events = Arc::new(MemoryEventStore::new(region, LogIncarnation::from_bytes([1; 16])));
//! let writer = events.open_writer(&[log.clone()], WriterRole::Owner(grant)).await?;
//! let sold = NewEvent::new(EventId::from_bytes([1; 16]), StreamId::new("85123A"), "sold", "6".into());
//! writer.append(OwnerBatch::new(log.clone(), vec![sold])).await?;
//!
//! // The projection folds it; its position is committed with the row.
//! let models = Arc::new(StateModelStore::new(Arc::new(MemoryStateStore::new()), "read-models")?);
//! let projector = Projector::new(
//!     ProjectorSettings::new(vec![log, "orders@eu-central-1/0".parse()?])?,
//!     events,
//!     models.clone(),
//!     vec![Arc::new(Orders)],
//!     Arc::new(TokioClock::new()),
//! )?;
//! projector.catch_up().await?; // or projector.run(stop), until told to stop
//!
//! let read = ReadModel::new(models, &Orders.id());
//! assert_eq!(read.row::<u64>("count/85123A").await?, Some(1));
//! assert!(projector.status().await?.stopped.is_empty());
//! # Ok(())
//! # }
//! ```

mod decide;
mod delivery;
mod logs;
mod mark;
mod merge;
pub mod model;
pub mod model_store;
mod progress;
mod projection;
mod projector;
mod read_model;
mod row;
mod settings;
mod sighted;
pub mod state_model;
pub mod telemetry;

pub use dcp_core::ports::{DeliveryCounts, ReplayControl, ReplayStatus};
pub use delivery::{Delivery, Evidence, Place};
pub use model::Model;
pub use model_store::{Changes, ModelRevision, ModelStore};
pub use projection::{Applied, LateRule, Projection};
pub use projector::Projector;
pub use read_model::ReadModel;
pub use row::RowKey;
pub use settings::ProjectorSettings;
pub use state_model::StateModelStore;
