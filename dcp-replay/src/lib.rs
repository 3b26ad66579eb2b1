//! Projections whose position commits with the model, and what they say of every event.

pub mod decide;
pub mod delivery;
mod logs;
pub mod mark;
mod merge;
pub mod model;
pub mod model_store;
pub mod progress;
pub mod projection;
pub mod projector;
pub mod read_model;
pub mod row;
pub mod settings;
mod sighted;
pub mod state_model;

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
