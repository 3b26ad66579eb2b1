//! The story: two regions, one blackout, told with real processes.

pub mod children;
pub mod control;
pub mod data;
pub mod dump;
pub mod export;
pub mod folder;
pub mod gate;
pub mod group;
pub mod judge;
pub mod options;
pub mod progress;
pub mod proxy;
pub mod record;
pub mod run;
pub mod servers;
pub mod stale;
pub mod steps;
pub mod stores;
pub mod story;
pub mod summary;
pub mod with_servers;
