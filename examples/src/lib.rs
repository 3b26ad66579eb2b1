//! What the drill is made of: the order lines, what they must add up to, the producer that sends
//! them, and the form of the verdict.

pub mod orders;
pub mod producer;
pub mod verdict;
