//! Who holds a log's transactional id by right: the last that said so in the state topic.
//!
//! Whoever takes the id fences the one before, also by mistake: an opener that came too late, or a
//! stale writer that only finds out how its last transaction ended. So each opener leaves a number of its
//! own, drawn at random, in the transaction that raises the fence. A writer that is told it was fenced
//! reads the number: if it is still its own, the other came to nothing, and it takes the id again.

use bytes::Bytes;

use super::cluster::Until;
use super::core::Core;
use super::state::{fence_key, holder_key, read_fence};
use crate::error::Error;
use crate::log::LogId;
use crate::ownership::WriteGrant;
use crate::store::admission::{RoleKind, judge_grant};

/// The right to write a log in one role.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    pub(super) log: LogId,
    pub(super) kind: RoleKind,
    /// An owner's.
    pub(super) grant: Option<WriteGrant>,
    number: Bytes,
}

impl Holder {
    /// A new one, which holds nothing until its number is written.
    pub(super) fn draw(core: &Core, log: &LogId, kind: RoleKind, grant: Option<&WriteGrant>) -> Self {
        let number = hex::encode(&core.entropy.draw()[..16]).into();
        Self { log: log.clone(), kind, grant: grant.cloned(), number }
    }

    /// What is written for it.
    pub(super) fn entry(&self) -> (String, Bytes) {
        (holder_key(&self.log, self.kind), self.number.clone())
    }

    /// Whether it is the holder still, as far as the state topic is decided, or after waiting for what
    /// is not.
    ///
    /// # Errors
    /// `Fenced` if it is not; otherwise as a read.
    pub(super) async fn check(&self, core: &Core, until: Until) -> Result<(), Error> {
        let (cluster, state) = (&core.cluster, &core.state);
        let held = state.get_until(cluster, &holder_key(&self.log, self.kind), until).await?;
        let fence = match &self.grant {
            Some(_) => state.get_until(cluster, &fence_key(&self.log), until).await?,
            None => None,
        };
        self.judge(held.as_ref(), fence.as_ref())
    }

    fn judge(&self, held: Option<&Bytes>, fence: Option<&Bytes>) -> Result<(), Error> {
        if let Some(grant) = &self.grant {
            judge_grant(&read_fence(&self.log, fence)?, &self.log, grant)?;
        }
        if held == Some(&self.number) {
            return Ok(());
        }
        let message = format!("{}: another writer was opened in the same role, or the log was sealed", self.log);
        Err(Error::fenced("newer-writer", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn it_holds_while_its_own_number_is_there() {
        let number = Bytes::from_static(b"7");
        let log = "orders@east/1".parse().unwrap();
        let holder = Holder { log, kind: RoleKind::Mirror, grant: None, number: number.clone() };
        holder.judge(Some(&number), None).unwrap();
        for other in [None, Some(Bytes::from_static(b"8"))] {
            assert_eq!(holder.judge(other.as_ref(), None).unwrap_err().kind(), ErrorKind::Fenced);
        }
    }
}
