//! Conformance of a [`BrokerAdmin`]: clauses B1 to B7.
//!
//! Implement [`BrokerAdminFixture`] for yours and name the tests with
//! [`broker_admin_conformance!`](crate::broker_admin_conformance). Clauses use the settings
//! `retention.ms`, `cleanup.policy` and `max.message.bytes`, one replica, and names that begin with `b`.

use std::sync::Arc;

use async_trait::async_trait;

use crate::demand;
use crate::error::{ErrorKind, Failure};
use crate::ports::broker_admin::{BrokerAdmin, TopicSpec, TopicState};
use crate::testing::{Clause, Violation};

/// An administration under test, of a cluster that nobody else alters.
#[async_trait]
pub trait BrokerAdminFixture: Send + Sized + 'static {
    /// A cluster in which no topic has one of the clauses' names.
    async fn start() -> Self;

    /// The administration.
    fn admin(&self) -> Arc<dyn BrokerAdmin>;

    /// What a clause's topic is called here.
    fn name(&self, name: &str) -> String {
        name.to_owned()
    }

    /// Kills the cluster, so that it loses whatever was not durable, and starts it again.
    async fn crash(&mut self);
}

/// The clauses, bound to a fixture.
#[must_use]
pub fn clauses<Fx: BrokerAdminFixture>() -> Vec<Clause> {
    macro_rules! clause {
        ($id:literal, $clause:ident, $demands:literal) => {
            Clause { id: $id, demands: $demands, run: || Box::pin($clause::<Fx>()) }
        };
    }
    vec![
        clause!("B1", b1_ensured_topics_are_described, "what was ensured is described"),
        clause!("B2", b2_ensuring_again_changes_nothing, "ensuring again, or at once, changes nothing"),
        clause!("B3", b3_other_counts_are_refused, "another count is refused, and nothing of the call is done"),
        clause!("B4", b4_named_settings_alone_are_set, "settings that are not named stay"),
        clause!("B5", b5_describing_makes_nothing, "describing makes nothing and leaves out what is not there"),
        clause!("B6", b6_answers_survive_a_crash, "what was answered survives a crash"),
        clause!("B7", b7_what_cannot_be_is_refused, "what cannot be is refused, and nothing of the call is done"),
    ]
}

/// Names one test per clause of [`BrokerAdmin`](crate::ports::BrokerAdmin):
/// `broker_admin_conformance!(memory, MemoryFixture)` gives `memory::b1_ensured_topics_are_described` and
/// so on. Needs tokio's `macros` feature in the crate that calls it.
#[macro_export]
macro_rules! broker_admin_conformance {
    ($name:ident, $fixture:ty) => {
        mod $name {
            use super::*;
            $crate::broker_admin_conformance!(
                @tests $fixture;
                b1_ensured_topics_are_described
                b2_ensuring_again_changes_nothing
                b3_other_counts_are_refused
                b4_named_settings_alone_are_set
                b5_describing_makes_nothing
                b6_answers_survive_a_crash
                b7_what_cannot_be_is_refused
            );
        }
    };
    (@tests $fixture:ty; $($clause:ident)*) => {
        $(
            #[tokio::test]
            async fn $clause() -> Result<(), $crate::testing::Violation> {
                $crate::testing::broker_admin::$clause::<$fixture>().await
            }
        )*
    };
}

const RETENTION: &str = "retention.ms";
const POLICY: &str = "cleanup.policy";
const LARGEST: &str = "max.message.bytes";

fn spec<Fx: BrokerAdminFixture>(fixture: &Fx, name: &str, partitions: u32) -> TopicSpec {
    TopicSpec::new(fixture.name(name), partitions, 1)
}

async fn shown<Fx: BrokerAdminFixture>(fixture: &Fx, name: &str) -> Result<Option<TopicState>, Violation> {
    let name = fixture.name(name);
    Ok(fixture.admin().topics(std::slice::from_ref(&name)).await?.remove(&name))
}

async fn demand_shown<Fx: BrokerAdminFixture>(fixture: &Fx, name: &str, spec: &TopicSpec) -> Result<(), Violation> {
    let held = shown(fixture, name).await?;
    let as_ensured = held.as_ref().is_some_and(|held| {
        held.partitions == spec.partitions && held.replicas == spec.replicas && spec.differing(held).next().is_none()
    });
    demand!(as_ensured, "{name}: ensured {spec:?}, described {held:?}");
    Ok(())
}

fn demand_refusal(result: &Result<(), Failure>, kind: ErrorKind, what: &str) -> Result<(), Violation> {
    let refused = matches!(result, Err(Failure::NotApplied(error)) if error.kind() == kind);
    demand!(refused, "{what}: expected a refusal of kind {kind}, got {result:?}");
    Ok(())
}

/// B1: what was ensured is described.
///
/// # Errors
/// The clause is not kept.
pub async fn b1_ensured_topics_are_described<Fx: BrokerAdminFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let first = spec(&fixture, "b1.one", 3).with_setting(RETENTION, "86400000").with_setting(POLICY, "delete");
    let second = spec(&fixture, "b1.two", 1).with_setting(POLICY, "compact");
    fixture.admin().ensure(&[first.clone(), second.clone()]).await?;
    demand_shown(&fixture, "b1.one", &first).await?;
    demand_shown(&fixture, "b1.two", &second).await
}

/// B2: ensuring again, also by several callers at once, changes nothing.
///
/// # Errors
/// The clause is not kept.
pub async fn b2_ensuring_again_changes_nothing<Fx: BrokerAdminFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let admin = fixture.admin();
    let wanted = [spec(&fixture, "b2", 2).with_setting(RETENTION, "86400000")];
    let (one, other) = tokio::join!(biased; admin.ensure(&wanted), admin.ensure(&wanted));
    one.and(other)?;
    let before = shown(&fixture, "b2").await?;
    admin.ensure(&wanted).await?;
    let after = shown(&fixture, "b2").await?;
    demand!(before.is_some() && before == after, "ensured again: {before:?} before, {after:?} after");
    Ok(())
}

/// B3: another count is refused, and nothing of the call is done.
///
/// # Errors
/// The clause is not kept.
pub async fn b3_other_counts_are_refused<Fx: BrokerAdminFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let admin = fixture.admin();
    let held = spec(&fixture, "b3", 2).with_setting(RETENTION, "86400000");
    admin.ensure(std::slice::from_ref(&held)).await?;
    let more_replicas = TopicSpec { replicas: 2, ..held.clone() };
    for (what, other) in [
        ("more partitions", TopicSpec { partitions: 3, ..held.clone() }),
        ("fewer partitions", TopicSpec { partitions: 1, ..held.clone() }),
        ("more replicas", more_replicas),
    ] {
        let call = [spec(&fixture, "b3.new", 1), other.with_setting(RETENTION, "1000")];
        demand_refusal(&admin.ensure(&call).await, ErrorKind::Refused, what)?;
        demand_shown(&fixture, "b3", &held).await?;
        demand!(shown(&fixture, "b3.new").await?.is_none(), "{what}: another topic of the refused call was made");
    }
    Ok(())
}

/// B4: a setting that differs is set; settings that are not named stay.
///
/// # Errors
/// The clause is not kept.
pub async fn b4_named_settings_alone_are_set<Fx: BrokerAdminFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let admin = fixture.admin();
    let first = spec(&fixture, "b4", 1).with_setting(RETENTION, "86400000").with_setting(LARGEST, "2097152");
    admin.ensure(&[first]).await?;
    admin.ensure(&[spec(&fixture, "b4", 1).with_setting(RETENTION, "1000")]).await?;
    let both = spec(&fixture, "b4", 1).with_setting(RETENTION, "1000").with_setting(LARGEST, "2097152");
    demand_shown(&fixture, "b4", &both).await
}

/// B5: describing makes nothing, and leaves out what is not there.
///
/// # Errors
/// The clause is not kept.
pub async fn b5_describing_makes_nothing<Fx: BrokerAdminFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    fixture.admin().ensure(&[spec(&fixture, "b5", 1)]).await?;
    let names = [fixture.name("b5"), fixture.name("b5.absent")];
    for time in ["first", "second"] {
        let described: Vec<_> = fixture.admin().topics(&names).await?.into_keys().collect();
        demand!(described == names[..1], "described for the {time} time: {described:?}");
    }
    Ok(())
}

/// B6: what was answered survives a crash.
///
/// # Errors
/// The clause is not kept.
pub async fn b6_answers_survive_a_crash<Fx: BrokerAdminFixture>() -> Result<(), Violation> {
    let mut fixture = Fx::start().await;
    let wanted = spec(&fixture, "b6", 2).with_setting(RETENTION, "86400000");
    fixture.admin().ensure(std::slice::from_ref(&wanted)).await?;
    fixture.crash().await;
    demand_shown(&fixture, "b6", &wanted).await
}

/// B7: what cannot be is refused, and nothing of the call is done.
///
/// # Errors
/// The clause is not kept.
pub async fn b7_what_cannot_be_is_refused<Fx: BrokerAdminFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let good = spec(&fixture, "b7", 1);
    for (what, bad) in [
        ("a name with a blank", TopicSpec::new("b 7", 1, 1)),
        ("no name", TopicSpec::new("", 1, 1)),
        ("no partitions", spec(&fixture, "b7.bad", 0)),
        ("no replicas", TopicSpec { replicas: 0, ..spec(&fixture, "b7.bad", 1) }),
        ("one topic twice", good.clone()),
    ] {
        demand_refusal(&fixture.admin().ensure(&[good.clone(), bad]).await, ErrorKind::Invalid, what)?;
        demand!(shown(&fixture, "b7").await?.is_none(), "{what}: another topic of the refused call was made");
    }
    Ok(())
}
