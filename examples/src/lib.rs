//! What the drill is made of: the order lines, what they must add up to, the producer that sends
//! them, the regions, the story around them, and the form of the verdict.

pub mod child;
pub mod command;
#[cfg(feature = "simulation")]
pub mod defects;
pub mod drill;
pub mod event_store;
pub mod foundation;
pub mod memory;
pub mod orders;
pub mod producer;
pub mod producer_process;
pub mod region;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod verdict;
pub mod witness;

/// The first program of the README compiles and runs with every `cargo test`.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
