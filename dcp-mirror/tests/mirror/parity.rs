//! Parity at a cut.

use dcp_core::digest::Digest;
use dcp_core::ports::ParityCheck as _;
use dcp_core::position::{Cut, LogEnd, LogIncarnation, PrefixDigest};
use dcp_core::testing::Violation;
use dcp_core::testing::mirror_link::World;

use crate::store_fixture::{StoreFixture, store_link};

#[tokio::test(start_paused = true)]
async fn prefixes_are_compared_at_the_counts_of_the_cut() -> Result<(), Violation> {
    let mut world = World::start().await?;
    let logs = World::logs();
    let running = world.run::<StoreFixture>()?;
    world.append(&logs[0], 5).await?;
    let cut = world.source_ends().await?;
    world.append(&logs[0], 5).await?;
    world.until_equal().await?;
    let check = running.link.parity().ok_or_else(|| Violation("no parity".to_owned()))?;
    let report = check.compare(&cut).await?;
    assert_eq!((report.equal.len(), report.divergent.len()), (2, 0), "the cut is behind the mirror");
    assert_eq!(report.equal[&logs[0]].count, 5);

    let incarnation = LogIncarnation::from_bytes([1; 16]);
    let end = |count, digest| LogEnd { incarnation, last: None, prefix: PrefixDigest { count, digest } };
    let other = Digest::of(b"other");
    let wrong = Cut::from_iter([(logs[0].clone(), end(5, other)), (logs[1].clone(), end(1, other))]);
    let report = check.compare(&wrong).await?;
    assert_eq!(report.divergent.len(), 2);
    let (source, here) = report.divergent[&logs[0]];
    assert_eq!((source.digest, here), (other, cut.get(&logs[0]).map(|end| end.prefix)));
    assert_eq!(report.divergent[&logs[1]].1, None, "the mirror is shorter than the cut");
    running.stop().await?;

    let (parts, _) = world.parts(logs);
    let foreign = Cut::from_iter([("orders@east/0".parse()?, end(1, other))]);
    assert_eq!(store_link(parts)?.compare(&foreign).await.unwrap_err().code(), "unknown-log");
    Ok(())
}
