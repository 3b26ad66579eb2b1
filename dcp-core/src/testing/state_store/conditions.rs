//! S3, S7: conditions, alone and raced.

use super::StateStoreFixture;
use super::steps::{demand_refusal, entry, key, put, value};
use crate::demand;
use crate::error::{ErrorKind, Failure};
use crate::ports::state_store::{Revision, StateStore as _, Transaction};
use crate::testing::Violation;

/// S3: a commit whose conditions do not hold writes nothing and is a conflict.
///
/// # Errors
/// The clause is not kept.
pub async fn s3_failed_conditions_write_nothing<Fx: StateStoreFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let store = fixture.store();
    let old = put(&store, "held", "1").await?;
    let now = put(&store, "held", "2").await?;
    let gone = put(&store, "gone", "1").await?;
    store.commit(Transaction::new().delete(key("gone")?)).await?;
    let never = Revision::from_store(now.get() + 1_000);
    let failing = [
        ("absent, and held", Transaction::new().absent(key("held")?)),
        ("at an older revision", Transaction::new().at(key("held")?, old)),
        ("at a revision that is yet to come", Transaction::new().at(key("held")?, never)),
        ("at the revision of a deleted key", Transaction::new().at(key("gone")?, gone)),
        ("one of two holds", Transaction::new().at(key("held")?, now).absent(key("held")?)),
    ];
    for (what, conditions) in failing {
        let refused = conditions.put(key("written")?, "x").delete(key("held")?);
        demand_refusal(store.commit(refused).await, ErrorKind::Conflict, what)?;
        let held = entry(&store, "held").await?.map(|entry| entry.revision);
        let nothing = held == Some(now) && value(&store, "written").await?.is_none();
        demand!(nothing, "{what}: the refused commit wrote something; the held key is at {held:?}");
    }
    let both = Transaction::new().at(key("held")?, now).absent(key("gone")?).put(key("written")?, "x");
    store.commit(both).await?;
    demand!(value(&store, "written").await?.is_some(), "a commit whose conditions hold wrote nothing");
    Ok(())
}

/// S7: of commits that race on the same condition at most one takes effect.
///
/// # Errors
/// The clause is not kept.
pub async fn s7_one_of_many_racers_wins<Fx: StateStoreFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let store = fixture.store();
    put(&store, "prize", "nobody").await?;
    for round in 0..4 {
        let read = entry(&store, "prize").await?;
        let racer = |name: &'static str| -> Result<_, Violation> {
            let claim = Transaction::new().unchanged(key("prize")?, read.as_ref());
            Ok(store.commit(claim.put(key("prize")?, format!("{name} {round}"))))
        };
        let (one, two, three) = (racer("one")?, racer("two")?, racer("three")?);
        let (one, two, three) = tokio::join!(biased; one, two, three);
        let outcomes = [("one", one), ("two", two), ("three", three)];
        let mut winners = Vec::new();
        for (name, outcome) in outcomes {
            match outcome {
                Ok(_) => winners.push(format!("{name} {round}")),
                Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Conflict => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        let held = value(&store, "prize").await?;
        let one_winner = winners.len() == 1 && held == winners.first().map(|winner| winner.clone().into());
        demand!(one_winner, "answered as winners {winners:?}, held is {held:?}");
    }
    Ok(())
}
