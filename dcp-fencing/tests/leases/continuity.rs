//! A region whose stores went back stays refused, and one whose answers are lost does not become so.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_restored_event_store_is_refused_however_much_it_writes_afterwards() {
    let scene = Scene::set().await;
    scene.adopt_both();
    for _ in 0..10 {
        scene.leases.renew_once().await.unwrap();
    }
    scene.heart.go_back(4);
    assert_eq!(scene.refusal().await, "store-went-back");
    // Its commits soon exceed those of the last renewal; what it lost does not come back.
    for _ in 0..100 {
        scene.heart.beat();
    }
    assert_eq!(scene.refusal().await, "store-went-back");
    assert_eq!(scene.refusal().await, "store-went-back");
}

#[tokio::test(start_paused = true)]
async fn a_restored_state_store_is_refused_also_after_a_restart() {
    let mut scene = Scene::set().await;
    scene.adopt_both();
    scene.leases.renew_once().await.unwrap();
    let backup = scene.state.backup();
    scene.leases.renew_once().await.unwrap();
    scene.leases.renew_once().await.unwrap();
    scene.state.restore(backup);
    scene.state.reopen();
    assert_eq!(scene.refusal().await, "state-went-back");
    scene.restart(Arc::clone(&scene.state), 1);
    assert_eq!(scene.refusal().await, "state-went-back");
    scene.restart(Arc::new(MemoryStateStore::new()), 2);
    assert_eq!(scene.refusal().await, "state-went-back");
    assert_eq!(scene.refusal().await, "state-went-back");
}

#[tokio::test(start_paused = true)]
async fn an_operator_readmits_the_region_that_was_looked_at() {
    let mut scene = Scene::set().await;
    scene.adopt_both();
    scene.leases.renew_once().await.unwrap();
    let looked_at = scene.leases.renew_once().await.unwrap().sequence;
    scene.heart.go_back(1);
    scene.restart(Arc::new(MemoryStateStore::new()), 1);
    scene.refusal().await;
    let other = scene.line.witness.readmit(&west(), looked_at - 1).await.unwrap_err();
    assert_eq!(other.code(), "other-renewal");
    scene.line.witness.readmit(&west(), looked_at).await.unwrap();
    scene.leases.renew_once().await.unwrap();
    scene.check(&scene.a).unwrap();
    // From there on the stores must go on.
    scene.leases.renew_once().await.unwrap();
    scene.heart.go_back(2);
    assert_eq!(scene.refusal().await, "store-went-back");
}

#[tokio::test(start_paused = true)]
async fn lost_answers_refuse_no_sound_store() {
    let mut scene = Scene::set().await;
    scene.adopt_both();
    for life in 1..5 {
        scene.leases.renew_once().await.unwrap();
        for _ in 0..3 {
            // It takes effect, and its answer is lost.
            scene.line.lose_answer.store(true, Ordering::SeqCst);
            let failure = scene.leases.renew_once().await.unwrap_err();
            assert!(matches!(failure, Failure::InDoubt(_)), "{failure:?}");
            scene.line.lose_answer.store(false, Ordering::SeqCst);
        }
        if life % 2 == 0 {
            scene.restart(Arc::clone(&scene.state), life);
        }
        scene.leases.renew_once().await.unwrap();
        scene.check(&scene.a).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_asks_the_witness_once_after_the_first() {
    let scene = Scene::set().await;
    scene.adopt_both();
    scene.leases.renew_once().await.unwrap();
    let asked = scene.line.asked.load(Ordering::SeqCst);
    for _ in 0..5 {
        scene.leases.renew_once().await.unwrap();
    }
    assert_eq!(scene.line.asked.load(Ordering::SeqCst) - asked, 5);
}

#[tokio::test(start_paused = true)]
async fn an_event_store_shows_what_it_held() {
    let store = MemoryEventStore::new(west(), LogIncarnation::from_bytes([1; 16]));
    let log = partition_log(&west(), 0);
    let first = StoreHistory::of(&store, [log.clone()], &BTreeMap::new()).await.unwrap();
    assert_eq!(first.kept, BTreeMap::from([(log.clone(), PrefixDigest::EMPTY)]));
    let longer = PrefixDigest { count: 1, digest: Digest::ZERO };
    let shown = StoreHistory::of(&store, [], &BTreeMap::from([(log.clone(), longer)])).await.unwrap();
    assert!(shown.shown.is_empty(), "a store that is shorter showed {:?}", shown.shown);
    assert!(shown.kept.contains_key(&log), "what was kept is kept on");
}
