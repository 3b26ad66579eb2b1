//! The order lines: read from a file, mapped to events, folded into read models.
//!
//! ```text
//! load ── OrderLine ── event ── NewEvent ──> (logs) ──> payload ── OrderLine ── Sales, Stock
//!              └───────────── expected ─────────────────────────────────────── the same figures
//! ```

pub mod event;
pub mod expected;
pub mod homes;
pub mod line;
pub mod load;
pub mod projections;
pub mod read_models;
pub mod sales;
pub mod stock;

pub use event::{PARTITIONS, event_id, line_of, new_event, partition_of};
pub use expected::expected;
pub use homes::Home;
pub use line::OrderLine;
pub use load::Orders;
pub use projections::{SalesProjection, StockProjection, projections, read_models};
pub use read_models::{Figures, ReadModels, SalesModel, StockModel};
pub use sales::{Counts, Sales};
pub use stock::{Stock, StockItem};
