//! The story: two regions, one blackout, told with real processes.

pub mod children;
pub mod dump;
pub mod export;
pub mod judge;
pub mod proxy;
pub mod record;
pub mod stale;
mod stores;
