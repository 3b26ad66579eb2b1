//! The fence as it is kept, and what is written when something higher is presented. Pure.

use std::fmt;

use dcp_core::Error;
use dcp_core::fence::{Fence, FenceRank, Judgement, Purpose};
use dcp_core::ids::ResourceId;
use dcp_core::ownership::{Epoch, WriteGrant};
use dcp_core::ports::{Entry, Key};
use serde::{Deserialize, Serialize};

/// Value of `fence/<resource>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredFence {
    pub(crate) fence: Fence,
    /// Another issuer presented the fence's epoch too: nobody passes until a higher epoch is sealed.
    contested: bool,
}

/// What follows from a presented rank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It passes; the fence stands as it is.
    Stands,
    /// It passes once this is durable.
    Write(StoredFence),
    /// It is refused.
    Refuse(Error),
    /// It is refused, and so is the other one from now on: this must be durable first.
    Contest(StoredFence, Error),
}

pub(crate) fn key(resource: &ResourceId) -> Result<Key, Error> {
    Key::new(format!("fence/{resource}"))
}

/// What a grant compares as where no term is at hand: the first revision of its epoch.
pub(crate) fn rank_of(grant: &WriteGrant) -> FenceRank {
    FenceRank { epoch: grant.epoch, issuer: grant.owner.clone(), revision: 0 }
}

impl StoredFence {
    pub(crate) fn read(entry: Option<&Entry>) -> Result<Self, Error> {
        let Some(entry) = entry else { return Ok(Self::default()) };
        serde_json::from_slice(&entry.value)
            .map_err(|cause| Error::corrupt("bad-fence", format!("{}: {cause}; refuse all", entry.key)))
    }

    pub(crate) fn to_value(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|cause| Error::invalid("unwritable-fence", cause.to_string()))
    }

    pub(crate) fn is_contested(&self) -> bool {
        self.contested
    }

    /// Refuses a contested epoch.
    pub(crate) fn refuse_contested(&self, place: &dyn fmt::Display, epoch: Epoch) -> Result<(), Error> {
        if self.contested && self.fence.highest().is_some_and(|highest| highest.epoch == epoch) {
            return Err(Error::fenced(
                "dual-claim",
                format!("{place}: two issuers have presented epoch {epoch}; sign a new epoch"),
            ));
        }
        Ok(())
    }

    /// Judges a whole token.
    pub(crate) fn judge_token(&self, place: &dyn fmt::Display, rank: &FenceRank, purpose: Purpose) -> Outcome {
        self.outcome(place, rank, self.fence.judge(rank, purpose))
    }

    /// Judges a grant that wants to append: epoch and issuer only.
    pub(crate) fn judge_grant(&self, place: &dyn fmt::Display, grant: &WriteGrant) -> Outcome {
        self.outcome(place, &rank_of(grant), self.fence.judge_append(grant))
    }

    /// The refusal of a grant that was judged not to pass.
    pub(crate) fn refusal(&self, place: &dyn fmt::Display, grant: &WriteGrant, judgement: Judgement) -> Error {
        let refusal = self.fence.refusal(place, &rank_of(grant), judgement);
        refusal.unwrap_or_else(|| Error::retry("guard-closed", format!("{place}: open it under this grant first")))
    }

    fn outcome(&self, place: &dyn fmt::Display, rank: &FenceRank, judgement: Judgement) -> Outcome {
        if let Err(error) = self.refuse_contested(place, rank.epoch) {
            return Outcome::Refuse(error);
        }
        match (judgement, self.fence.refusal(place, rank, judgement)) {
            (Judgement::OtherIssuer, Some(error)) => {
                Outcome::Contest(Self { fence: self.fence.clone(), contested: true }, error)
            }
            (_, Some(error)) => Outcome::Refuse(error),
            (Judgement::Raises, None) => Outcome::Write(Self { fence: self.fence.raised(rank), contested: false }),
            (_, None) => Outcome::Stands,
        }
    }
}
