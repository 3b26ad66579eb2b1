//! The story: two regions, one blackout, told with real processes.

pub mod children;
pub mod control;
pub mod data;
pub mod proxy;
pub mod record;
pub mod stale;
