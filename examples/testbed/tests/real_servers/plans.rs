//! Fault plans done to real servers, and what happens when a fault has nothing to hit.

use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use dcp_core::clock::TokioClock;
use dcp_core::testing::faults::{FaultPlan, Fired, NotFired};
use testbed::harness::Case;
use testbed::{Bed, NAMESPACES, Wanted};

use crate::speak::Marker;

pub(crate) const CASES: &[Case<'_>] = &[
    Case { name: "plan::hurts_processes_and_connections_and_says_when", needs: &["postgres"], run: &processes },
    Case { name: "plan::a_fault_that_hits_nothing_is_an_error", needs: &["postgres"], run: &nothing_hit },
    Case { name: "plan::cuts_the_network", needs: &["postgres", NAMESPACES], run: &network },
];

fn run(bed: &Arc<Bed>, line: &str) -> Result<Vec<Fired>, NotFired> {
    let plan: FaultPlan = line.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(bed.run(&plan, &TokioClock::new()))
}

fn processes() {
    let bed = Arc::new(Bed::start(&Wanted::one("postgres"), &|_| {}).unwrap());
    let server = bed.server("postgres-a").unwrap();
    let proxy = bed.proxy("postgres-a", 7).unwrap();
    let by_proxy = Marker::at(&server, proxy.address());
    by_proxy.write("by the proxy");
    let fired = run(&bed, "0ms pause a; 300ms resume postgres-a; 400ms link a to-client reset-after=3").unwrap();
    let times: Vec<_> = fired.iter().map(|fired| fired.done >= fired.fault.at).collect();
    assert_eq!(times, [true; 3]);
    server.ask().unwrap();
    assert!(by_proxy.read().is_err());
    let before = proxy.traffic().connections;
    let mut open = TcpStream::connect(proxy.address()).unwrap();
    while proxy.traffic().connections == before {
        std::thread::sleep(Duration::from_millis(1));
    }
    run(&bed, "0ms link a to-client; 0ms reset a").unwrap();
    assert_eq!(open.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    run(&bed, "0ms kill a").unwrap();
    assert!(server.ask().is_err() && server.pid().is_none());
    run(&bed, "0ms restart a").unwrap();
    by_proxy.find("by the proxy");
}

fn nothing_hit() {
    let bed = Arc::new(Bed::start(&Wanted::one("postgres"), &|_| {}).unwrap());
    for (line, why) in [
        ("0ms pause nowhere", "no server or region is called nowhere; there is postgres-a"),
        ("0ms restart a", "postgres-a runs"),
        ("0ms reset a", "no proxy is in front of postgres-a"),
        ("0ms cut test -> a", "there is no network namespace; there is only loopback"),
        ("0ms kill a; 0ms reset a", "no proxy"),
        ("0ms pause a", "nothing: the server is not started"),
        ("0ms resume a", "nothing: the server is not started"),
    ] {
        let error = run(&bed, line).unwrap_err();
        assert!(error.to_string().contains(why), "{line}: {error}");
    }
    run(&bed, "0ms restart a").unwrap();
    bed.proxy("postgres-a", 1).unwrap();
    let error = run(&bed, "0ms reset a").unwrap_err();
    assert!(error.to_string().contains("no connection by it is open"), "{error}");
    // One plan cannot say this; a second one beside it can.
    let server = bed.server("postgres-a").unwrap();
    assert!(server.resume().unwrap_err().to_string().contains("nothing: it is not paused"));
    server.pause().unwrap();
    let error = run(&bed, "0ms pause a").unwrap_err();
    assert!(error.to_string().contains("nothing: it is paused already"), "{error}");
    server.resume().unwrap();
    assert!(server.resume().is_err());
}

fn network() {
    let bed = Arc::new(Bed::start(&Wanted::one("postgres").with_namespaces(), &|_| {}).unwrap());
    let server = bed.server("postgres-a").unwrap();
    Marker::of(&server).write("whole");
    let asking = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            // In the middle of the cut.
            std::thread::sleep(Duration::from_secs(1));
            Marker::of(&server).find("whole");
        });
        run(&bed, "0ms cut test -> a; 3000ms heal test -> a").unwrap();
        asking.join()
    });
    asking.unwrap();
    let error = run(&bed, "0ms cut a -> test:sql").unwrap_err();
    assert!(error.to_string().contains("there is no port sql of test"), "{error}");
    let error = run(&bed, "0ms cut test -> a:sql; 1ms heal test -> a:sql").unwrap_err();
    assert!(error.to_string().contains("no packet was dropped"), "{error}");
}
