//! What a fault plan does to this world. Its places are the regions, the witness and the producers
//! (`producer.eu-west-2`); what runs outside the regions never ends.

use async_trait::async_trait;
use dcp_core::testing::faults::{self, FaultKind, FaultPlan};

use super::observations::Finding;
use super::world::{World, stuck};
use crate::orders::Home;

impl World {
    /// Does a plan.
    pub(super) async fn hurt(&mut self, plan: &FaultPlan) -> Result<(), Finding> {
        let clock = std::sync::Arc::clone(&self.around.clock);
        let done = faults::run(plan, &*clock, self).await;
        done.map(drop).map_err(|error| stuck("the faults", &error.to_string()))
    }

    /// Takes back, of what the dark plan has left, the faults that are chosen.
    pub(super) async fn bring_back(&mut self, chosen: impl Fn(&FaultKind) -> bool) -> Result<(), Finding> {
        let left = self.plan.dark.undone();
        let kinds: Vec<_> = left.faults().iter().map(|fault| fault.kind.clone()).filter(chosen).collect();
        let plan = FaultPlan::at_once(kinds);
        self.hurt(&plan.map_err(|error| stuck("the faults", &error.to_string()))?).await
    }

    fn knows(&self, place: &str) -> Result<(), String> {
        let producer = |home: &Home| format!("producer.{}", home.region());
        let known = place == "witness" || home(place).is_ok() || Home::ALL.iter().any(|of| producer(of) == place);
        if known { Ok(()) } else { Err(format!("nobody is called {place}")) }
    }

    fn way(&self, from: &str, to: &str, port: Option<&String>, cut: bool) -> Result<(), String> {
        self.knows(from)?;
        self.knows(to)?;
        if port.is_some() {
            return Err("nodes of the simulated world have no ports".to_owned());
        }
        let network = &self.around.network;
        if network.is_cut(from, to) == cut {
            return Err("it is so already".to_owned());
        }
        if cut {
            network.cut(from, to)
        } else {
            network.mend_way(from, to)
        }
        Ok(())
    }
}

#[async_trait]
impl faults::World for World {
    async fn strike(&mut self, kind: &FaultKind) -> Result<(), String> {
        match kind {
            FaultKind::Pause { place } => self.region(home(place)?).served().map_err(words)?.process.pause(),
            FaultKind::Resume { place } => self.region(home(place)?).served().map_err(words)?.process.resume(),
            FaultKind::Kill { place } => {
                let home = home(place)?;
                self.region(home).kill();
                self.down = Some(home);
            }
            FaultKind::Restart { place } => {
                let home = home(place)?;
                self.region(home).restart().await.map_err(words)?;
                self.down = None;
            }
            FaultKind::Cut { from, to, port } => self.way(from, to, port.as_ref(), true)?,
            FaultKind::Heal { from, to, port } => self.way(from, to, port.as_ref(), false)?,
            other => return Err(format!("the simulated world has no such fault: {other}")),
        }
        Ok(())
    }
}

fn home(place: &str) -> Result<Home, String> {
    let found = Home::ALL.into_iter().find(|home| home.region() == place);
    found.ok_or_else(|| format!("no region is called {place}"))
}

fn words(error: dcp_core::Error) -> String {
    error.to_string()
}
