//! Only the link between the regions is cut, and both renew at the witness: nobody takes over, not
//! even on order. And what a running region refuses: another key, a second drill, a dump.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use dcp_core::clock::{Clock, SystemClock};
use dcp_core::control_plane::Order;
use dcp_core::remote::{BearerKey, Deadlines, RemoteEndpoint};
use dcp_core::tasks::TaskGroup;
use dcp_core::{ErrorKind, Failure};
use examples::drill::data;
use examples::drill::folder::Folder;
use examples::drill::group::Group;
use examples::drill::options::DrillOptions;
use examples::drill::progress::Say;
use examples::drill::servers::Servers;
use examples::foundation::{Door, Foundation};
use examples::orders::Home;
use examples::region::OrderRequest;
use tokio_util::sync::CancellationToken;

use super::drill::{Drill, ttl};

const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Parser)]
struct Options {
    #[command(flatten)]
    drill: DrillOptions,
}

struct Running {
    group: Group,
    tasks: TaskGroup,
    clock: Arc<dyn Clock>,
    // The lock of the folder.
    _folder: Folder,
}

async fn started(out: &Path) -> Running {
    let place = ["--out", out.to_str().unwrap()];
    let arguments = [vec!["drill".to_owned()], Drill::fresh(&place)].concat();
    let options = Options::parse_from(arguments).drill;
    let folder = Folder::lock(out).unwrap();
    let record = folder.begin(&options, &data::load(None, options.lines).unwrap()).unwrap();
    let mut tasks = TaskGroup::new(&CancellationToken::new());
    let program = Path::new(env!("CARGO_BIN_EXE_drill"));
    let servers = Servers::of(record.store, out, Say::plain());
    let mut group = Group::start(program, &folder, None, servers, &mut tasks).await.unwrap();
    for home in Home::ALL {
        group.start_region(home, &record, &mut tasks).await.unwrap();
        group.start_producer(home, &record, &mut tasks).unwrap();
    }
    let running = Running { group, tasks, clock: Arc::new(SystemClock::new()), _folder: folder };
    running.until("both regions are open", async |running| running.open().await == [4, 4]).await;
    running
}

impl Running {
    async fn until(&self, what: &str, shown: impl AsyncFn(&Self) -> bool) {
        let deadline = self.clock.now().after(DEADLINE);
        while !shown(self).await {
            assert!(self.clock.now() < deadline, "{what} has not shown");
            self.clock.sleep(Duration::from_millis(10)).await;
        }
    }

    async fn open(&self) -> [usize; 2] {
        let mut open = [0; 2];
        for (home, open) in Home::ALL.into_iter().zip(&mut open) {
            *open = self.group.region(home).unwrap().1.status().await.map_or(0, |status| status.open.len());
        }
        open
    }

    fn acknowledged(&self) -> u64 {
        Home::ALL.into_iter().map(|home| self.group.producer(home).unwrap().progress().acknowledged).sum()
    }

    async fn end(self) {
        self.group.finish().await;
        self.tasks.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_behind_a_cut_link_is_never_taken_over() {
    let drill = Drill::new();
    let running = started(&drill.out()).await;
    running.group.hold(500).await.unwrap();
    running.until("the first 500 lines", async |running| running.acknowledged() == 500).await;
    running.group.part().unwrap();
    // Longer than a challenge waits: whoever took the silence of the link for death would act now.
    running.clock.sleep(Duration::from_secs_f64(ttl() * 4.0)).await;
    for home in Home::ALL {
        let status = running.group.region(home).unwrap().1.status().await.unwrap();
        assert!(status.plane.runs.is_empty(), "{}: {:?}", home.region(), status.plane.runs);
    }
    assert_eq!(running.open().await, [4, 4]);

    // An operator orders it: the step that would take ownership refuses and names the lease.
    let (_, control) = running.group.region(Home::Central).unwrap();
    let order = Order::Blackout { lost: Home::West.region_id() };
    let refused = control.carry_out(OrderRequest::without_token(order), &*running.clock).await.unwrap_err();
    assert_eq!(refused.code(), "run-failed", "{refused}");
    for word in ["take-ownership", "lease/eu-west-2", "is being renewed"] {
        assert!(refused.to_string().contains(word), "{word:?} is missing in: {refused}");
    }

    // Both go on acknowledging, each under epoch 1.
    running.group.hold(1_000).await.unwrap();
    running.until("1,000 lines", async |running| running.acknowledged() == 1_000).await;
    let status = running.group.region(Home::West).unwrap().1.status().await.unwrap();
    assert!(status.open.len() == 4 && status.open.values().all(|epoch| *epoch == 1), "{:?}", status.open);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_region_refuses_other_keys_drills_and_readers_of_its_files() {
    let drill = Drill::new();
    let running = started(&drill.out()).await;
    for home in Home::ALL {
        let address = running.group.address(home).unwrap();
        // Somebody's own key; that of producers, who may neither ask nor order; that of the witness.
        let doors = [Door::Appends, Door::Witness].map(|door| Foundation::at(&drill.out()).bearer(door).unwrap());
        for other in doors.iter().chain([&BearerKey::from_bytes(&[7; 32])]) {
            let deadlines = Deadlines::new(Duration::from_secs(5));
            let endpoint = RemoteEndpoint::new(address, other, deadlines, Arc::clone(&running.clock)).unwrap();
            for ask in ["status", "order", "drill/own-session"] {
                let answer = endpoint.call(ask, Bytes::from_static(b"null"), Duration::from_secs(5)).await;
                let Err(Failure::NotApplied(error)) = answer else { panic!("let in with another key: {answer:?}") };
                assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "wrong-key"));
            }
        }
    }
    drill.begin(&[]).with(2).saying(&["in-use", "another --out"]);
    drill.resume(&[]).with(2).saying(&["another drill works in it"]);
    drill.run(["dump", "--region", "eu-west-2"]).with(2).saying(&["in-use"]);
    assert_eq!(running.open().await, [4, 4]);
    running.end().await;
}
