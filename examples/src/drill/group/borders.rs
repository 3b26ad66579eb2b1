//! Ways across the border of a region's network namespace. Inside and outside everything listens on loopback; in
//! between stand a gate inside and a wire outside, which speak over the addresses of the border.

use std::net::{Ipv4Addr, SocketAddr};

use dcp_core::Error;
use dcp_core::tasks::TaskGroup;

use super::{Group, READY, log_of, own_id};
use crate::drill::children::Child;
use crate::drill::proxy::Wire;
use crate::drill::servers::Border;
use crate::orders::Home;

impl Group {
    /// Leads from inside a region's border to these wires; answers where, on the inner loopback.
    pub(super) async fn lead_out(
        &mut self,
        home: Home,
        border: &Border,
        ways: [SocketAddr; 2],
        tasks: &mut TaskGroup,
    ) -> Result<[SocketAddr; 2], Error> {
        let mut outer = Vec::new();
        for way in ways {
            let wire = Wire::lay_at(&format!("border of {} to {way}", home.region()), border.outside, tasks).await?;
            wire.lead_to(way);
            outer.push(wire.address());
        }
        self.gate(&format!("gate-out-{}", home.region()), border, Ipv4Addr::LOCALHOST.into(), &outer, tasks).await
    }

    /// Leads from the outside to these places on the inner loopback. The drill itself calls by a wire too, and gets
    /// its own address for the first.
    pub(super) async fn lead_in(
        &mut self,
        home: Home,
        border: &Border,
        inner: [SocketAddr; 2],
        tasks: &mut TaskGroup,
    ) -> Result<[SocketAddr; 2], Error> {
        let name = format!("gate-in-{}", home.region());
        let [region, appends] = self.gate(&name, border, border.inside, &inner, tasks).await?;
        let wire = Wire::lay(&format!("drill>{}", home.region()), tasks).await?;
        wire.lead_to(region);
        Ok([wire.address(), appends])
    }

    async fn gate(
        &mut self,
        name: &str,
        border: &Border,
        listen: std::net::IpAddr,
        to: &[SocketAddr],
        tasks: &mut TaskGroup,
    ) -> Result<[SocketAddr; 2], Error> {
        let mut arguments = vec!["gate".to_owned(), "--parent".to_owned(), own_id()];
        arguments.extend(["--listen".to_owned(), listen.to_string()]);
        arguments.extend(to.iter().flat_map(|to| ["--to".to_owned(), to.to_string()]));
        let log = log_of(&self.folder, name);
        let gate = Child::start_inside(&border.enter, &self.program, name, &arguments, &log, tasks)?;
        let addresses = gate.gate(READY).await?;
        self.gates.push(gate);
        let two = |all: Vec<_>| Error::stopped("no-gate", format!("{name} leads to {} places, not 2", all.len()));
        addresses.try_into().map_err(two)
    }
}
