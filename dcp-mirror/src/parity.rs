//! Parity: the mirror against the ends that the source named, at the same counts.

use std::collections::BTreeMap;

use async_trait::async_trait;
use dcp_core::Error;
use dcp_core::ports::{ParityCheck, ParityReport};
use dcp_core::position::{Cut, PrefixDigest};

use crate::StoreLink;

#[async_trait]
impl ParityCheck for StoreLink {
    async fn compare(&self, cut: &Cut) -> Result<ParityReport, Error> {
        let mut report = ParityReport { equal: BTreeMap::new(), divergent: BTreeMap::new() };
        for (log, end) in cut.iter() {
            if !self.settings.logs.contains(log) {
                let sentence = format!("link {} does not copy {log}", self.settings.id);
                return Err(Error::invalid("unknown-log", sentence));
            }
            let here = match end.prefix.count {
                0 => Some(PrefixDigest::EMPTY),
                count => self.ports.local.prefix(log, count).await?,
            };
            if here == Some(end.prefix) {
                report.equal.insert(log.clone(), end.prefix);
            } else {
                report.divergent.insert(log.clone(), (end.prefix, here));
            }
        }
        Ok(report)
    }
}
