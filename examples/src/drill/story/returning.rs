//! The lost region rejoins: sealed, its tail delivered, caught up, compared.

use dcp_core::Error;
use dcp_core::control_plane::Order;

use super::{LOST, SURVIVOR, Stage};
use crate::drill::record::Phase;
use crate::region::OrderRequest;

impl Stage {
    /// Production goes on while the region rejoins: up to a quarter of what is left.
    fn rejoined_at(&self) -> u64 {
        let turns = &self.record.turns;
        turns.return_at + (turns.lines - turns.return_at) / 4
    }

    pub(super) async fn rejoin(&mut self) -> Result<Phase, Error> {
        self.group.hold(self.rejoined_at()).await?;
        let (_, control) = self.group.region(SURVIVOR)?;
        let order = Order::Rejoin { returned: LOST.region_id() };
        control.carry_out(OrderRequest::without_token(order), &*self.clock).await?;
        self.produce_to(self.rejoined_at()).await?;
        // Now the fence of the region's own store is raised too, and a session past its guards is tried.
        let report = self.try_stale(self.rejoined_at(), &["--own-sessions"]).await?;
        self.record.stale.get_or_insert_default().merge(report);
        self.printer.say(&format!("{} has rejoined: sealed, tail delivered, parity", LOST.region()));
        Ok(Phase::Rejoined)
    }
}
