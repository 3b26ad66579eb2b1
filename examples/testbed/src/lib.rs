//! Real servers on one machine, for tests that cannot be fooled: obtained once, started together on free
//! loopback ports, asked in their own protocol whether they serve, hurt on purpose, and gone with the
//! process that started them, also when that is killed with `kill -9`.
//!
//! ```no_run
//! use testbed::{Bed, Wanted};
//!
//! # fn main() -> Result<(), testbed::Error> {
//! let bed = Bed::start(&Wanted::one("postgres"), &|line| eprintln!("{line}"))?;
//! let postgres = bed.server("postgres-a")?;
//! let proxy = postgres.proxy(7)?;
//! // ... connect to proxy.address() ...
//! postgres.kill()?;
//! postgres.start()?;
//! # Ok(())
//! # }
//! ```
//!
//! | Module | Holds |
//! |---|---|
//! | [`catalog`] | the servers as data: how to obtain, start, ask and stop each |
//! | `obtain` | the cache: once, under a lock, resumable, whole or not at all |
//! | `layout`, `bed` | which servers stand where, and their start |
//! | `server`, [`supervise`] | one server, and the process that makes sure nothing of it outlives its owner |
//! | `ready` | questions in Kafka's, Postgres' and etcd's own protocols |
//! | [`mod@shared`] | one server for all tests of a run |
//! | [`keeper`] | the process behind `cargo testbed up` |
//! | [`harness`] | tests that say, while they run, that a tool is missing |
//! | `proxy` | faults on a connection, seeded |
//! | `network` | a namespace for each region, and packets dropped between them |

mod address;
mod bed;
mod cache;
pub mod catalog;
mod deadline;
mod error;
pub mod harness;
pub mod keeper;
mod layout;
mod network;
mod obtain;
mod place;
mod ports;
mod protoc;
mod proxy;
mod ready;
mod server;
pub mod shared;
pub mod supervise;
mod template;
mod tls;

pub use address::Address;
pub use bed::Bed;
pub use error::{Error, Kept};
pub use layout::Wanted;
pub use network::{Network, TEST};
pub use obtain::{FAKE_CLOCK, NAMESPACES, Progress, SMALL_DISKS, is_obtained, lacking, missing, obtain};
pub use place::can_keep;
pub use protoc::{PROTOC, protoc};
pub use proxy::{Conditions, Direction, Proxy, Traffic};
pub use server::{Server, with_clock_off_by};
pub use shared::shared;
pub use tls::Tls;
