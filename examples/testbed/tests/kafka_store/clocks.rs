//! Clocks that are far apart. A broker compares the time in a record with its own clock and refuses what is more
//! than an hour ahead of it (`message.timestamp.after.max.ms`). It cannot be told another time here, so its client
//! is: this program runs itself again, under another clock.

use std::process::{Command, ExitCode};

use dcp_core::Failure;
use dcp_core::kafka::NewTopic;
use dcp_core::testing::fixtures::event;
use testbed::{FAKE_CLOCK, with_clock_off_by};

use crate::broker::{block_on, broker, client, client_of, create, fresh_namespace, open, open_at, settings};
use crate::steps::{append, ids, own, owner, read_all};

pub(crate) const NEEDS: &[&str] = &["kafka", FAKE_CLOCK];
const AT: &str = "UNDER_ANOTHER_CLOCK";
const DAY: i64 = 24 * 60 * 60;

/// What this program does under another clock: one append, and one word of what became of it.
pub(crate) fn other_time() -> Option<ExitCode> {
    let told = std::env::var(AT).ok()?;
    let mut words = told.split(' ');
    let mut word = || words.next().unwrap();
    let (address, namespace, number) = (word(), word(), word().parse().unwrap());
    let outcome: Result<(), Failure> = block_on(async {
        let store = open_at(client_of(address), settings(namespace)).await.map_err(Failure::NotApplied)?;
        let writer = owner(&store, number).await?;
        append(&writer, vec![event(number)]).await.map(drop)
    });
    match outcome {
        Ok(()) => println!("appended"),
        Err(failure) => {
            eprintln!("  {failure}");
            println!("{}", if failure.is_in_doubt() { "in doubt" } else { failure.code() });
        }
    }
    Some(ExitCode::SUCCESS)
}

fn appended_at(seconds: i64, namespace: &str, number: u64) -> String {
    let words = with_clock_off_by(seconds).unwrap();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg(std::env::current_exe().unwrap());
    command.env(AT, format!("{} {namespace} {number}", broker().address("plain").unwrap()));
    let ended = command.stderr(std::process::Stdio::inherit()).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    String::from_utf8(ended.stdout).unwrap().trim().to_owned()
}

pub(crate) fn far_off() {
    block_on(run());
}

async fn run() {
    let namespace = fresh_namespace();
    for name in ["orders", "east.orders"] {
        // Nothing is deleted because it says that it is old; how far ahead it may be is the broker's default.
        create(&client(), NewTopic::new(format!("{namespace}{name}"), 2, 1).with_config("retention.ms", "-1")).await;
    }
    let appended = |seconds, number| tokio::task::block_in_place(|| appended_at(seconds, &namespace, number));
    assert_eq!(appended(-20 * 365 * DAY, 1), "appended");
    assert_eq!(appended(2 * DAY, 2), "bad-timestamp");
    assert_eq!(appended(0, 3), "appended");
    // Times went back and forth; order and count did not.
    let store = open(&namespace).await.unwrap();
    assert_eq!(ids(&read_all(&*store, &own()).await), [event(1).id, event(3).id]);
}
