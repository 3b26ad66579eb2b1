//! The processes of a drill and the wires between them.

mod borders;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::remote::BearerKey;
use dcp_core::tasks::TaskGroup;

use super::children::Child;
use super::control::Control;
use super::folder::Folder;
use super::proxy::Wire;
use super::record::{Dark, RunRecord};
use super::servers::Servers;
use crate::foundation::Door;
use crate::orders::Home;
use crate::region::CrashAfter;

const READY: Duration = Duration::from_secs(60);
const ENDING: Duration = Duration::from_secs(20);
/// Most lines of one batch of a producer.
pub const BATCH_LINES: usize = 500;

/// What the wires are called: who calls whom.
fn wire_names() -> Vec<String> {
    let mut names = Vec::new();
    for home in Home::ALL {
        names.push(format!("{}>witness", home.region()));
        for called in Home::ALL {
            if called != home {
                names.push(format!("{}>{}", home.region(), called.region()));
            }
            names.push(format!("producer-{}>{}", home.region(), called.region()));
        }
    }
    names
}

/// Everything that runs.
#[derive(Debug)]
pub struct Group {
    program: PathBuf,
    folder: PathBuf,
    bearer: BearerKey,
    wires: BTreeMap<String, Wire>,
    witness: Arc<Child>,
    regions: BTreeMap<Home, (Arc<Child>, Control, SocketAddr)>,
    gates: Vec<Arc<Child>>,
    producers: BTreeMap<Home, Arc<Child>>,
    crash_after: Option<CrashAfter>,
    servers: Servers,
}

impl Group {
    /// Lays the wires and starts the witness; regions and producers are started one by one.
    /// `program` is the drill's binary, which each of them runs.
    ///
    /// # Errors
    /// `Stopped` or `Retry` with the process that does not start; its log says why.
    pub async fn start(
        program: &Path,
        folder: &Folder,
        crash_after: Option<CrashAfter>,
        servers: Servers,
        tasks: &mut TaskGroup,
    ) -> Result<Self, Error> {
        let mut wires = BTreeMap::new();
        for name in wire_names() {
            let wire = Wire::lay(&name, tasks).await?;
            wires.insert(name, wire);
        }
        let path = folder.path();
        let arguments = ["witness".to_owned(), "--dir".to_owned(), text(path), "--parent".to_owned(), own_id()];
        let witness = Child::start(program, "witness", &arguments, &log_of(path, "witness"), tasks)?;
        let (address, _) = witness.ready(READY).await?;
        for home in Home::ALL {
            if let Some(wire) = wires.get(&format!("{}>witness", home.region())) {
                wire.lead_to(address);
            }
        }
        Ok(Self {
            program: program.to_owned(),
            folder: path.to_owned(),
            bearer: folder.foundation().bearer(Door::Region)?,
            wires,
            witness,
            regions: BTreeMap::new(),
            gates: Vec::new(),
            producers: BTreeMap::new(),
            crash_after,
            servers,
        })
    }

    fn wire(&self, name: &str) -> Result<&Wire, Error> {
        self.wires.get(name).ok_or_else(|| Error::invalid("no-wire", format!("no wire {name}")))
    }

    /// Starts the servers of these regions, all at once, where their events are in some.
    ///
    /// # Errors
    /// As [`Servers::start`].
    pub async fn start_servers(&mut self, homes: &[Home], tasks: &mut TaskGroup) -> Result<(), Error> {
        self.servers.start(homes).await?;
        homes.iter().for_each(|home| self.servers.watch(*home, tasks));
        Ok(())
    }

    /// As [`Servers::ended_unplanned`].
    #[must_use]
    pub fn server_ended_unplanned(&self) -> Option<Error> {
        self.servers.ended_unplanned()
    }

    /// Starts a region, whose server runs, and leads every wire to it.
    ///
    /// # Errors
    /// As [`Group::start`].
    pub async fn start_region(&mut self, home: Home, record: &RunRecord, tasks: &mut TaskGroup) -> Result<(), Error> {
        let (region, peer) = (home.region(), home.other().region());
        let mut arguments = vec!["region".to_owned()];
        let mut push = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
        push("region", region.to_owned());
        push("peer", peer.to_owned());
        push("dir", text(&self.folder));
        let ways = [self.wire(&format!("{region}>witness"))?, self.wire(&format!("{region}>{peer}"))?];
        let ways = ways.map(Wire::address);
        let border = self.servers.border(home)?;
        let [to_witness, to_peer] = match &border {
            Some(border) => self.lead_out(home, border, ways, tasks).await?,
            None => ways,
        };
        push("witness", to_witness.to_string());
        push("peer-address", to_peer.to_string());
        push("events", self.servers.events(home)?.to_string());
        // The drill runs one process of a region at a time: a restarted one leads again at once.
        push("holder", format!("{region}.plane"));
        push("seed", record.seed.to_string());
        push("parent", own_id());
        arguments.push("--drill-controls".to_owned());
        let mut push = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
        if let Some(crash) = &self.crash_after {
            push("crash-after", crash.to_string());
        }
        let inside = border.as_ref().map_or(&[] as &[String], |border| &border.enter);
        let log = log_of(&self.folder, region);
        let child = Child::start_inside(inside, &self.program, region, &arguments, &log, tasks)?;
        let (address, appends) = child.ready(READY).await?;
        let appends = appends.ok_or_else(|| Error::stopped("no-appends", format!("{region} takes no appends")))?;
        let [address, appends] = match &border {
            Some(border) => self.lead_in(home, border, [address, appends], tasks).await?,
            None => [address, appends],
        };
        let control = Control::new(address, &self.bearer)?;
        self.wire(&format!("{peer}>{region}"))?.lead_to(address);
        for producer in Home::ALL {
            self.wire(&format!("producer-{}>{region}", producer.region()))?.lead_to(appends);
        }
        self.regions.insert(home, (child, control, address));
        Ok(())
    }

    /// Starts a producer; it sends nothing before its gate is set.
    ///
    /// # Errors
    /// As [`Group::start`].
    pub fn start_producer(&mut self, home: Home, record: &RunRecord, tasks: &mut TaskGroup) -> Result<(), Error> {
        let name = format!("producer-{}", home.region());
        let mut arguments = vec!["producer".to_owned()];
        let mut push = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
        push("region", home.region().to_owned());
        push("dir", text(&self.folder));
        push("lines", record.turns.lines.to_string());
        push("batch", BATCH_LINES.to_string());
        push("parent", own_id());
        if let Some(data) = &record.data_path {
            push("data", text(data));
        }
        for region in Home::ALL {
            let address = self.wire(&format!("{name}>{}", region.region()))?.address();
            push("endpoint", format!("{}={address}", region.region()));
        }
        if record.dark == Some(Dark::Cut) {
            arguments.push("--prefer-home".to_owned());
        }
        let child = Child::start(&self.program, &name, &arguments, &log_of(&self.folder, &name), tasks)?;
        self.producers.insert(home, child);
        Ok(())
    }

    /// A region that runs.
    ///
    /// # Errors
    /// `Retry` if it does not run.
    pub fn region(&self, home: Home) -> Result<(&Arc<Child>, &Control), Error> {
        let running = self.regions.get(&home).map(|(child, control, _)| (child, control));
        running.ok_or_else(|| Error::retry("not-running", format!("{} does not run", home.region())))
    }

    /// A region's own address, past the wires.
    ///
    /// # Errors
    /// `Retry` if it does not run.
    pub fn address(&self, home: Home) -> Result<SocketAddr, Error> {
        self.regions
            .get(&home)
            .map(|(_, _, address)| *address)
            .ok_or_else(|| Error::retry("not-running", format!("{} does not run", home.region())))
    }

    /// Whether a region's process is there.
    #[must_use]
    pub fn runs(&self, home: Home) -> bool {
        self.regions.contains_key(&home)
    }

    /// A producer.
    ///
    /// # Errors
    /// `Retry` if it does not run.
    pub fn producer(&self, home: Home) -> Result<&Arc<Child>, Error> {
        self.producers
            .get(&home)
            .ok_or_else(|| Error::retry("not-running", format!("no producer of {}", home.region())))
    }

    /// Sets both producers' gates: up to which record they may send.
    ///
    /// # Errors
    /// `Stopped` if one has ended.
    pub async fn hold(&self, level: u64) -> Result<(), Error> {
        for home in Home::ALL {
            self.producer(home)?.send(&level.to_string()).await?;
        }
        Ok(())
    }

    /// Cuts a region off from its peer and from the witness, both ways.
    ///
    /// # Errors
    /// None in a group that was started.
    pub fn isolate(&self, home: Home) -> Result<(), Error> {
        self.each_wire_of(home, Wire::cut)
    }

    /// Cuts the regions off from each other, both ways; each still reaches the witness.
    ///
    /// # Errors
    /// None in a group that was started.
    pub fn part(&self) -> Result<(), Error> {
        for home in Home::ALL {
            self.wire(&format!("{}>{}", home.region(), home.other().region()))?.cut();
        }
        Ok(())
    }

    /// Mends what [`Group::isolate`] or [`Group::part`] cut.
    ///
    /// # Errors
    /// None in a group that was started.
    pub fn mend(&self, home: Home) -> Result<(), Error> {
        self.each_wire_of(home, Wire::mend)
    }

    fn each_wire_of(&self, home: Home, change: impl Fn(&Wire)) -> Result<(), Error> {
        let (region, peer) = (home.region(), home.other().region());
        for name in [format!("{region}>{peer}"), format!("{peer}>{region}"), format!("{region}>witness")] {
            change(self.wire(&name)?);
        }
        Ok(())
    }

    /// Kills a region and its server, planned and at the same time.
    ///
    /// # Errors
    /// `Stopped` if one had ended.
    pub async fn kill_region(&mut self, home: Home) -> Result<(), Error> {
        let Some((child, ..)) = self.regions.remove(&home) else { return Ok(()) };
        let (server, child) = tokio::join!(self.servers.kill(home), child.kill());
        server.and(child)
    }

    /// Stops a region and its server where they stand (`SIGSTOP`).
    ///
    /// # Errors
    /// `Stopped` if one has ended.
    pub async fn pause_region(&self, home: Home) -> Result<(), Error> {
        self.region(home)?.0.pause()?;
        self.servers.pause(home).await
    }

    /// Lets both go on (`SIGCONT`).
    ///
    /// # Errors
    /// `Stopped` if one has ended.
    pub async fn wake_region(&self, home: Home) -> Result<(), Error> {
        self.servers.wake(home).await?;
        self.region(home)?.0.wake()
    }

    /// Lets the kernel drop all that goes to or comes from a region and its server; both live on.
    ///
    /// # Errors
    /// `Stopped` if the rules cannot be set.
    pub async fn cut_off_region(&self, home: Home) -> Result<(), Error> {
        self.servers.cut_off(home).await
    }

    /// Lets packets through again; answers how many were dropped, in and out.
    ///
    /// # Errors
    /// `Stopped` (`no-darkness`) if none was dropped one way: then the region was not dark.
    pub async fn reconnect_region(&self, home: Home) -> Result<(u64, u64), Error> {
        let (inward, outward) = self.servers.reconnect(home).await?;
        if inward == 0 || outward == 0 {
            let message =
                format!("{} was cut off, and {inward} packets to it and {outward} from it met the cut", home.region());
            return Err(Error::stopped("no-darkness", message));
        }
        Ok((inward, outward))
    }

    /// Notes the highest memory of every process in the record.
    pub fn note_memory(&self, record: &mut RunRecord) {
        let regions = self.regions.values().map(|(child, ..)| child);
        for child in regions.chain(self.producers.values()).chain([&self.witness]) {
            let peak = record.peak_memory_mb.entry(child.name().to_owned()).or_default();
            *peak = (*peak).max(child.peak_memory_mb());
        }
    }

    /// Ends everything in good order: producers, regions, witness, servers.
    pub async fn finish(self) {
        for producer in self.producers.values() {
            producer.finish(ENDING).await;
        }
        for (child, ..) in self.regions.values() {
            child.finish(ENDING).await;
        }
        for gate in &self.gates {
            gate.finish(ENDING).await;
        }
        self.witness.finish(ENDING).await;
        self.servers.stop().await;
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn own_id() -> String {
    std::process::id().to_string()
}

fn log_of(folder: &Path, name: &str) -> PathBuf {
    folder.join("logs").join(format!("{name}.log"))
}
