//! The server's disk is full: the store's tables lie on a small file system in memory, which only root can
//! make.

use std::path::Path;
use std::process::Command;

use dcp_core::clock::{Entropy as _, SeededEntropy};
use dcp_core::event::{EventId, NewEvent, StreamId};
use dcp_core::ports::OwnerBatch;
use dcp_core::store::postgres::PostgresEventSettings;
use dcp_core::testing::fixtures::west;
use dcp_core::{ErrorKind, Failure};
use testbed::harness::MOUNTS;

use crate::events::{held, id, log, owner, session};
use crate::server::{block_on, config, open_as};

/// Unmounted when the test ends, however it does.
struct Small(tempfile::TempDir);

fn mount(arguments: &[&str], at: &Path) -> bool {
    Command::new(arguments[0]).args(&arguments[1..]).arg(at).status().is_ok_and(|status| status.success())
}

impl Small {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        assert!(mount(&["mount", "-t", "tmpfs", "-o", "size=16m", "small"], folder.path()));
        Self(folder)
    }

    fn grow(&self) {
        assert!(mount(&["mount", "-o", "remount,size=64m"], self.0.path()));
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: the server has files open there.
        let _gone = mount(&["umount", "-l"], self.0.path());
    }
}

pub(crate) const NEEDS: &[&str] = &["postgres", MOUNTS];

fn batch(number: u64) -> OwnerBatch {
    // Nothing that the server could make smaller.
    let drawn = SeededEntropy::new(number, "payload");
    let payload: Vec<u8> = (0..8_000).flat_map(|_| drawn.draw()).collect();
    let payload = payload.into();
    OwnerBatch::new(log(0), vec![NewEvent::new(id(number), StreamId::new("stream"), "counted", payload)])
}

pub(crate) fn room() {
    block_on(run());
}

async fn run() {
    let small = Small::new();
    let (admin, _, _running) = session("maker").await;
    let folder = small.0.path().display();
    admin.batch_execute(&format!("CREATE TABLESPACE small LOCATION '{folder}'")).await.unwrap();
    admin.batch_execute("CREATE DATABASE small TABLESPACE small").await.unwrap();
    let mut config = config();
    config.dbname("small");
    let store = open_as(config, PostgresEventSettings::new(west())).await.unwrap();
    let writer = owner(&store, 1).await.unwrap();
    let mut answered = 0;
    let failure = loop {
        match writer.append(batch(answered)).await {
            Ok(_) => answered += 1,
            Err(failure) => break failure,
        }
        assert!(answered < 1_000, "16 MB are never full");
    };
    let Failure::NotApplied(error) = failure else { panic!("{failure}") };
    assert_eq!((error.kind(), error.code()), (ErrorKind::Retry, "disk-full"), "{error}");
    println!("  {error}");
    let there = |count: u64| (0..count).map(id).collect::<Vec<EventId>>();
    assert_eq!(held(&store, 0).await, there(answered), "answered {answered}");
    // Room is made, and the same batch goes in.
    small.grow();
    writer.append(batch(answered)).await.unwrap();
    assert_eq!(held(&store, 0).await, there(answered + 1));
    drop((writer, store));
    admin.batch_execute("DROP DATABASE small WITH (FORCE)").await.unwrap();
    admin.batch_execute("DROP TABLESPACE small").await.unwrap();
}
