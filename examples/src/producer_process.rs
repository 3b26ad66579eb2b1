//! A producer as a process: gates come in on standard input, progress goes out on standard output.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use dcp_core::Error;
use dcp_core::clock::{Clock, SystemClock};
use dcp_core::ids::RegionId;
use dcp_core::ports::Appends;
use dcp_core::remote::{Deadlines, RemoteAppends, RemoteEndpoint};
use dcp_core::tasks::TaskGroup;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_util::sync::CancellationToken;

use crate::child::{Line, tell};
use crate::drill::data;
use crate::foundation::{Door, Foundation, once_free};
use crate::orders::Home;
use crate::producer::{Gate, Producer, ProducerSettings};

/// How long an answer may take that is no longer counted.
const LATE_ANSWERS: Duration = Duration::from_secs(120);

/// Arguments of `drill producer`.
#[derive(Debug, Clone, Args)]
pub struct ProducerArguments {
    /// The region whose lines it sends.
    #[arg(long)]
    pub region: String,
    /// Folder with the treaty; its evidence goes to `acks` in it.
    #[arg(long)]
    pub dir: PathBuf,
    /// Order lines; the bundled ones if absent.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Only the first lines of the data.
    #[arg(long)]
    pub lines: u64,
    /// Most lines of one batch.
    #[arg(long)]
    pub batch: usize,
    /// A region and its address, as `region=address`; once for each region.
    #[arg(long, value_parser = endpoint)]
    pub endpoint: Vec<(String, SocketAddr)>,
    /// Even partitions stay with the home region while it answers.
    #[arg(long)]
    pub prefer_home: bool,
    /// Process id of the parent with which this one ends.
    #[arg(long)]
    pub parent: Option<u32>,
}

fn endpoint(text: &str) -> Result<(String, SocketAddr), String> {
    let (region, address) = text.split_once('=').ok_or("expected region=address")?;
    Ok((region.to_owned(), address.parse().map_err(|cause| format!("{address}: {cause}"))?))
}

/// Sends until every line is acknowledged or standard input ends.
///
/// # Errors
/// As [`Producer::open`] and [`Producer::run`].
pub async fn run(arguments: ProducerArguments) -> Result<(), Error> {
    let foundation = Foundation::at(&arguments.dir);
    let treaty = foundation.treaty()?;
    let (clock, keyring): (Arc<dyn Clock>, _) = (Arc::new(SystemClock::new()), Arc::new(treaty.keyring().clone()));
    let bearer = foundation.bearer(Door::Appends)?;
    let mut regions: Vec<Arc<dyn Appends>> = Vec::new();
    for (region, address) in &arguments.endpoint {
        // The producer has a deadline of its own; beyond it an answer is listened for as evidence.
        let asking = treaty.lease().request_deadline();
        let deadlines = Deadlines::new(LATE_ANSWERS).with_read(asking).with_connect(asking / 2);
        let endpoint = RemoteEndpoint::new(*address, &bearer, deadlines, Arc::clone(&clock))?;
        regions.push(Arc::new(RemoteAppends::new(endpoint, RegionId::new(region)?, Arc::clone(&keyring))));
    }
    let orders = Arc::new(data::load(arguments.data.as_deref(), Some(arguments.lines))?);
    let home = Home::of_region(&RegionId::new(&arguments.region)?)?;
    let mut settings =
        ProducerSettings::new(home, treaty, arguments.dir.join("acks")).with_batch_lines(arguments.batch);
    if arguments.prefer_home {
        settings = settings.preferring_home();
    }
    let open = || {
        let (clock, stamps) = (Arc::clone(&clock), Arc::new(SystemClock::monotonic()));
        Producer::open(settings.clone(), Arc::clone(&orders), regions.clone(), clock, stamps)
    };
    let producer = once_free(&*clock, open).await?;
    producer.gate().hold(0);
    let stop = CancellationToken::new();
    let mut group = TaskGroup::new(&stop);
    let (gate, ends) = (producer.gate(), stop.clone());
    group.spawn("gate", async move { obey(gate, ends).await });
    let (mut progress, ends) = (producer.progress(), group.stop_token());
    group.spawn("progress", async move {
        loop {
            tell(&Line::Progress { progress: progress.borrow_and_update().clone() });
            tokio::select! {
                biased;
                () = ends.cancelled() => return Ok(()),
                changed = progress.changed() => if changed.is_err() { break },
            }
        }
        // All is sent: the process stays until it is asked to end, so that its figures can be read.
        ends.cancelled().await;
        Ok(())
    });
    let ends = stop.clone();
    group.spawn("producer", async move { producer.run(&ends).await });
    group.join().await
}

// Each line is the number of the last record that may be sent; the end of input is the end.
async fn obey(gate: Gate, stop: CancellationToken) -> Result<(), Error> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let level = line.trim().parse();
        gate.hold(level.map_err(|cause| Error::invalid("bad-gate", format!("gate {line:?}: {cause}")))?);
    }
    stop.cancel();
    Ok(())
}
