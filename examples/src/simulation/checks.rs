//! Judging a story from what the stores hold and the producers noted, past every wire and process.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dcp_core::Error;
use dcp_core::event::{EventId, Placed, Version};
use dcp_core::ids::SliceRef;
use dcp_core::log::LogId;
use dcp_core::ownership::{Epoch, Evidence, WriteGrant};
use dcp_core::ports::{Facts, ReplayControl as _, StateStore as _};
use dcp_core::position::Cut;
use dcp_core::runbook::{ExportLine, JournalEntry, StepResult, verify_export};
use serde::Deserialize;

use super::journals;
use super::story::{Happened, LOST, SURVIVOR};
use super::world::World;
use crate::orders::{Home, event_id, expected, read_models};

type Dump = BTreeMap<LogId, Vec<Placed>>;

#[derive(Deserialize)]
struct Claimed {
    slice: SliceRef,
    epoch: Epoch,
}

impl World {
    /// Compares everything that is left.
    pub(super) async fn judge(&self, happened: &mut Happened) -> Result<(), Error> {
        // A story that was stuck may have left a region down.
        for region in self.regions.values() {
            region.durable.reopen();
        }
        let (west, central) = (self.dump(LOST).await?, self.dump(SURVIVOR).await?);
        for (home, dump) in [(LOST, &west), (SURVIVOR, &central)] {
            self.models(home).await?;
            self.every_line(home, dump);
            self.versions(home, dump);
        }
        self.mirrors(&west, &central);
        self.acknowledged(&west, &central);
        self.counted_in_order()?;
        let mut chains = BTreeMap::new();
        for slice in self.around.treaty.slices() {
            chains.insert(slice.clone(), self.witness.chain(&slice).await?);
        }
        self.chains(&chains);
        self.claims(&chains);
        self.seals(&chains, &west, &central);
        self.terms();
        self.journals().await?;
        happened.copies = copies(&central);
        let status = self.region(SURVIVOR).served()?.projector.status().await?;
        happened.late = status.deliveries.values().map(|deliveries| deliveries.late).sum();
        Ok(())
    }

    async fn dump(&self, home: Home) -> Result<Dump, Error> {
        let region = self.region(home);
        let mut dump = Dump::new();
        for log in region.store.logs().await?.into_iter().filter(|log| !log.is_companion()) {
            let mut reader = region.store.open_reader(&log, dcp_core::ports::ReadFrom::Start).await?;
            let mut placed = Vec::new();
            loop {
                let page = reader.next(1_000, Duration::ZERO).await?;
                if page.is_empty() {
                    break;
                }
                placed.extend(page);
            }
            dump.insert(log, placed);
        }
        Ok(dump)
    }

    async fn models(&self, home: Home) -> Result<(), Error> {
        let wanted = expected(self.orders.iter())?;
        let held = read_models(self.region(home).models()?).await?;
        let wrong = (held != wanted).then(|| format!("{}: its read models are not those of the file", home.region()));
        self.around.observer.check("R1", wrong);
        Ok(())
    }

    fn doubted(&self) -> BTreeSet<EventId> {
        let books = self.producers.values().map(|producer| producer.book.get());
        books.flat_map(|book| book.doubts).map(|doubt| doubt.id).collect()
    }

    // Every line once; twice only if it was in doubt, and then once a log and with equal content.
    fn every_line(&self, home: Home, dump: &Dump) {
        let doubted = self.doubted();
        let mut seen: BTreeMap<EventId, Vec<(&LogId, &Placed)>> = BTreeMap::new();
        for (log, placed) in dump {
            for one in placed {
                seen.entry(one.record.id).or_default().push((log, one));
            }
        }
        for line in self.orders.iter() {
            let id = event_id(line.number());
            let places = seen.remove(&id).unwrap_or_default();
            let logs: BTreeSet<_> = places.iter().map(|(log, _)| log).collect();
            let contents: BTreeSet<_> = places.iter().map(|(_, one)| one.record.content_digest()).collect();
            let wrong = match places.len() {
                0 => Some("is missing"),
                1 => None,
                _ if !doubted.contains(&id) => Some("is there twice and was never in doubt"),
                count if logs.len() < count => Some("is twice in one log"),
                _ if contents.len() > 1 => Some("is there with two contents"),
                _ => None,
            };
            let wrong = wrong.map(|what| format!("{}: line {} {what}", home.region(), line.number()));
            self.around.observer.check("lines", wrong);
        }
        let strange = (!seen.is_empty()).then(|| format!("{}: {} events are no lines", home.region(), seen.len()));
        self.around.observer.check("lines", strange);
    }

    fn versions(&self, home: Home, dump: &Dump) {
        for (log, placed) in dump {
            let mut next: BTreeMap<&str, Version> = BTreeMap::new();
            let mut gap = None;
            for one in placed {
                let last = next.entry(one.record.stream.as_str()).or_insert(Version::NONE);
                if last.next() != one.record.version {
                    gap = Some(format!("{}: {log}: {} follows {last} of a stream", home.region(), one.record.version));
                }
                *last = one.record.version;
            }
            self.around.observer.check("R4", gap);
        }
    }

    fn mirrors(&self, west: &Dump, central: &Dump) {
        let logs: BTreeSet<&LogId> = west.keys().chain(central.keys()).collect();
        for log in logs {
            let digests = |dump: &Dump| {
                let placed = dump.get(log).map(Vec::as_slice).unwrap_or_default();
                placed.iter().map(|one| one.record.digest()).collect::<Vec<_>>()
            };
            let (here, there) = (digests(west), digests(central));
            let wrong = (here != there).then(|| {
                format!("{log}: {} records in the west, {} in the centre, or others", here.len(), there.len())
            });
            self.around.observer.check("M1", wrong);
        }
    }

    // What was acknowledged is in both regions, in the log that was answered.
    fn acknowledged(&self, west: &Dump, central: &Dump) {
        let places = |dump: &Dump| -> BTreeSet<(LogId, EventId)> {
            let pairs = dump.iter().flat_map(|(log, placed)| placed.iter().map(|one| (log.clone(), one.record.id)));
            pairs.collect()
        };
        let (west, central) = (places(west), places(central));
        for producer in self.producers.values() {
            for ack in &producer.book.get().acks {
                let place = (ack.log.clone(), ack.id);
                let lost = [("eu-west-2", &west), ("eu-central-1", &central)]
                    .into_iter()
                    .find(|(_, held)| !held.contains(&place));
                let wrong = lost.map(|(region, _)| {
                    format!("{region}: line {} was acknowledged in {} and is not there", ack.line, ack.log)
                });
                self.around.observer.check("acknowledged", wrong);
            }
        }
    }

    // No client counted an answer under an epoch after the first under a newer one.
    fn counted_in_order(&self) -> Result<(), Error> {
        let mut first: BTreeMap<(SliceRef, Epoch), u64> = BTreeMap::new();
        let mut counted = Vec::new();
        for producer in self.producers.values() {
            for ack in &producer.book.get().acks {
                let terms = self.around.treaty.scope(ack.log.scope())?;
                let slice = SliceRef::new(ack.log.scope().clone(), terms.slice_of(ack.log.partition())?.clone());
                let at = first.entry((slice.clone(), ack.epoch)).or_insert(ack.at_ns);
                *at = ack.at_ns.min(*at);
                counted.push((slice, ack.epoch, ack.at_ns, ack.line));
            }
        }
        for (slice, epoch, at, line) in counted {
            let newer = first.iter().find(|((of, newer), first)| *of == slice && *newer > epoch && **first <= at);
            let wrong = newer.map(|((_, newer), _)| {
                format!("{slice}: line {line} counted under {epoch} after the first under {newer}")
            });
            self.around.observer.check("F2", wrong);
        }
        Ok(())
    }

    fn chains(&self, chains: &BTreeMap<SliceRef, Vec<WriteGrant>>) {
        for (slice, chain) in chains {
            let moved = slice.scope == LOST.scope_id() && !self.plan.dark.is_empty();
            let wanted = if moved { 2 + usize::from(self.plan.homecoming) } else { 1 };
            let epochs: Vec<u64> = chain.iter().map(|record| record.epoch.get()).collect();
            let rising = epochs.iter().copied().eq(1..=epochs.len() as u64);
            let wrong =
                (!rising || epochs.len() != wanted).then(|| format!("{slice}: epochs {epochs:?}, {wanted} expected"));
            self.around.observer.check("epochs", wrong);
        }
    }

    // What a journal says that its run took, the chain says of that very run.
    fn claims(&self, chains: &BTreeMap<SliceRef, Vec<WriteGrant>>) {
        for home in Home::ALL {
            for entry in journals::entries(&self.around.observer, home.region()) {
                let JournalEntry::Outcome { run, step, result: StepResult::Done { facts }, .. } = entry else {
                    continue;
                };
                if step.as_str() != "take-ownership" {
                    continue;
                }
                for one in facts.get::<Vec<Claimed>>("claimed").unwrap_or_default() {
                    let record =
                        chains.get(&one.slice).and_then(|chain| chain.iter().find(|record| record.epoch == one.epoch));
                    let by = record.and_then(|record| record.claim.as_ref()).map(|claim| claim.run.clone());
                    let wrong = (by.as_ref() != Some(&run)).then(|| {
                        format!("{run} says that it took {} under {}; the chain names {by:?}", one.slice, one.epoch)
                    });
                    self.around.observer.check("claims", wrong);
                }
            }
        }
    }

    // The ends that a seal answered are final for the epochs below it.
    fn seals(&self, chains: &BTreeMap<SliceRef, Vec<WriteGrant>>, west: &Dump, central: &Dump) {
        let mut ends: Vec<(Epoch, Cut)> = Vec::new();
        for record in chains.values().flatten() {
            if let Evidence::Sealed { ends: sealed } = &record.evidence {
                ends.push((record.epoch, sealed.clone()));
            }
        }
        for entry in journals::entries(&self.around.observer, SURVIVOR.region()) {
            if let JournalEntry::Outcome { step, result: StepResult::Done { facts }, .. } = entry
                && step.as_str() == "seal-returned"
                && let Ok(sealed) = Facts::get::<Cut>(&facts, "ends")
            {
                ends.push((Epoch::GENESIS.next(), sealed));
            }
        }
        for (epoch, sealed) in ends {
            for (log, end) in sealed.iter() {
                let own = if log.origin() == &LOST.region_id() { west } else { central };
                let placed = own.get(log).map(Vec::as_slice).unwrap_or_default();
                let below = placed.iter().filter(|one| one.record.epoch < epoch).count() as u64;
                let wrong = (below != end.prefix.count)
                    .then(|| format!("{log}: sealed at {} records, {below} below epoch {epoch}", end.prefix.count));
                self.around.observer.check("G4", wrong);
            }
        }
    }

    // No two drivers of a journal have had one term.
    fn terms(&self) {
        for home in Home::ALL {
            let mut highest = 0;
            for entry in journals::entries(&self.around.observer, home.region()) {
                let JournalEntry::DriverTaken { term } = entry else { continue };
                let wrong = (term.revision <= highest)
                    .then(|| format!("{}: term {} after term {highest}", home.region(), term.revision));
                highest = highest.max(term.revision);
                self.around.observer.check("terms", wrong);
            }
        }
    }

    // What a journal was answered is in the store, and what is there verifies.
    async fn journals(&self) -> Result<(), Error> {
        for ((region, key), value) in self.around.observer.journal() {
            let home = if region == LOST.region() { LOST } else { SURVIVOR };
            let held = self.region(home).durable.state.read(&key).await?;
            let same = held.is_some_and(|entry| entry.value == value);
            self.around
                .observer
                .check("journal", (!same).then(|| format!("{region}: {key} was answered and is not there")));
        }
        for home in Home::ALL {
            let lines = self.export(home).await?;
            let lines = lines.iter().map(|line| ExportLine::from_json(line)).collect::<Result<Vec<_>, _>>()?;
            let verified = verify_export(&lines, self.around.treaty.keyring().local(&home.region_id())?);
            self.around.observer.check("journal", verified.err().map(|error| format!("{}: {error}", home.region())));
        }
        Ok(())
    }

    /// A region's journal, line by line.
    pub(super) async fn export(&self, home: Home) -> Result<Vec<Vec<u8>>, Error> {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut after = None;
        loop {
            let page = self.region(home).durable.state.scan("journal/entry/", after.as_ref(), 500).await?;
            let Some(last) = page.last() else { return Ok(lines) };
            after = Some(last.key.clone());
            lines.extend(page.iter().map(|entry| entry.value.to_vec()));
        }
    }
}

fn copies(dump: &Dump) -> u64 {
    let mut places: BTreeMap<EventId, u64> = BTreeMap::new();
    for one in dump.values().flatten() {
        *places.entry(one.record.id).or_default() += 1;
    }
    places.values().filter(|count| **count > 1).count() as u64
}
