//! Calls of administration, once, on a broker that nothing happens to.

use std::collections::BTreeMap;
use std::time::Duration;

use dcp_core::kafka::{
    Acl, AclFilter, AclOperation, AclPattern, AclPermission, AclResource, ConfigChange, ConfigResource, GroupOffset,
    NewTopic, OffsetAt, Outcome, Produce,
};
use dcp_core::{ErrorKind, Failure};

use crate::broker::{NOBODY, at, batch, block_on, name, plain, shared, topic};

pub(crate) fn settings_and_partitions() {
    block_on(async {
        let client = plain(&shared());
        let orders = name("orders");
        let new = NewTopic::new(orders.clone(), 1, 1).with_config("retention.ms", "86400000");
        client.create_topics(&[new]).await.unwrap()[&orders].as_ref().unwrap();
        let of = ConfigResource::Topic(orders.clone());
        let read = async || client.describe_configs(std::slice::from_ref(&of)).await.unwrap().remove(&of).unwrap();
        let found = read().await;
        assert_eq!((found["retention.ms"].value.as_deref(), found["retention.ms"].own), (Some("86400000"), true));
        assert!(!found["cleanup.policy"].own);

        let changes = |name: &str, change| BTreeMap::from([(of.clone(), BTreeMap::from([(name.to_owned(), change)]))]);
        let compact = ConfigChange::Set("compact".to_owned());
        client.alter_configs(&changes("cleanup.policy", compact)).await.unwrap().remove(&of).unwrap().unwrap();
        client
            .alter_configs(&changes("retention.ms", ConfigChange::Unset))
            .await
            .unwrap()
            .remove(&of)
            .unwrap()
            .unwrap();
        // The controller answers before every broker has heard of it.
        let changed = async {
            loop {
                let found = read().await;
                if found["cleanup.policy"].value.as_deref() == Some("compact") && !found["retention.ms"].own {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), changed).await.unwrap();
        let wrong = changes("cleanup.policy", ConfigChange::Set("nonsense".to_owned()));
        let refused = client.alter_configs(&wrong).await.unwrap().remove(&of).unwrap().unwrap_err();
        assert_eq!(refused.not_applied().unwrap().kind(), ErrorKind::Invalid, "{refused}");
        let brokers = client.describe_configs(&[ConfigResource::Broker(Some(1))]).await.unwrap();
        assert!(brokers[&ConfigResource::Broker(Some(1))].len() > 100);

        client.create_partitions(&BTreeMap::from([(orders.clone(), 3)])).await.unwrap()[&orders].as_ref().unwrap();
        let again = client.create_partitions(&BTreeMap::from([(orders.clone(), 3)])).await.unwrap();
        assert_eq!(again[&orders].as_ref().unwrap_err().code(), "bad-partition-count");
        client.offsets(&[at(&orders, 2)], OffsetAt::LogStart).await.unwrap();
    });
}

pub(crate) fn records_and_producers() {
    block_on(async {
        let client = plain(&shared());
        let (orders, id) = topic(&client, "orders", 1).await;
        let (to, writer) = (at(&orders, 0), name("writer"));
        let session = client.init_producer(Some(&writer), Duration::from_secs(60), None).await.unwrap();
        let open = Produce::new(vec![(to.clone(), batch(session, 0, true, &["a", "b", "c"]).into())]);
        client.produce(open.with_transactional_id(writer.clone())).await.unwrap()[&to].as_ref().unwrap();
        let known = client.describe_producers(std::slice::from_ref(&to)).await.unwrap().remove(&to).unwrap();
        assert_eq!((known.len(), known[0].producer_id, known[0].last_sequence), (1, session.producer_id, 2));
        assert_eq!(known[0].transaction_start, Some(0));
        client.end_transaction(&writer, session, Outcome::Commit).await.unwrap();

        let before = client.log_identities(std::slice::from_ref(&to)).await.unwrap()[&to];
        assert_eq!((before.topic_id, before.log_start), (id, 0));
        let kept = client.delete_records(&BTreeMap::from([(to.clone(), 2)])).await.unwrap();
        assert_eq!(kept[&to], 2);
        assert_eq!(client.delete_records(&BTreeMap::from([(to.clone(), 2)])).await.unwrap()[&to], 2);
        assert_eq!(client.log_identities(std::slice::from_ref(&to)).await.unwrap()[&to].log_start, 2);
        let beyond = client.delete_records(&BTreeMap::from([(to.clone(), 99)])).await.unwrap_err();
        assert_eq!((beyond.code(), beyond.is_in_doubt()), ("offset-out-of-range", false));
        let nothing = client.end_transaction(&writer, session, Outcome::Abort).await;
        assert!(matches!(nothing, Err(Failure::NotApplied(_))), "{nothing:?}");
        let unseen = client.produce(Produce::new(vec![(to.clone(), batch(session, 0, true, &["x"]).into())])).await;
        assert_eq!(unseen.unwrap_err().code(), "bad-batch", "the transactional bit without an id");
        let unseen = Produce::new(vec![(to.clone(), batch(NOBODY, -1, false, &["x"]).into())]);
        let unseen = client.produce(unseen.with_transactional_id(writer)).await;
        assert_eq!(unseen.unwrap_err().code(), "bad-batch", "an id without the transactional bit");
    });
}

pub(crate) fn access_rules() {
    block_on(async {
        let client = plain(&shared());
        let acl = |operation| Acl {
            resource: AclResource::Topic,
            name: "secret".to_owned(),
            pattern: AclPattern::Prefixed,
            principal: "User:alice".to_owned(),
            host: "*".to_owned(),
            operation,
            permission: AclPermission::Deny,
        };
        let rules = [acl(AclOperation::Read), acl(AclOperation::Write)];
        let of_alice = AclFilter {
            resource: Some(AclResource::Topic),
            principal: Some("User:alice".to_owned()),
            name: Some("secret".to_owned()),
            ..AclFilter::default()
        };
        for _ in 0..2 {
            let outcomes = client.create_acls(&rules).await.unwrap();
            assert!(outcomes.len() == 2 && outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        }
        assert_eq!(client.describe_acls(&of_alice).await.unwrap(), rules);
        assert_eq!(client.delete_acls(std::slice::from_ref(&of_alice)).await.unwrap(), rules);
        assert!(client.describe_acls(&of_alice).await.unwrap().is_empty());
        assert!(client.delete_acls(&[of_alice]).await.unwrap().is_empty());
    });
}

pub(crate) fn groups() {
    block_on(async {
        let client = plain(&shared());
        let (orders, _) = topic(&client, "orders", 2).await;
        let (group, missing) = (name("readers"), name("missing"));
        assert!(client.group_offsets(&group).await.unwrap().is_empty());
        let mut offsets =
            BTreeMap::from([(at(&orders, 0), GroupOffset::new(5)), (at(&orders, 1), GroupOffset::new(7))]);
        offsets.get_mut(&at(&orders, 1)).unwrap().metadata = "from the mirror".to_owned();
        let committed = client.commit_group_offsets(&group, &offsets).await.unwrap();
        assert!(committed.len() == 2 && committed.values().all(Result::is_ok), "{committed:?}");
        assert_eq!(client.group_offsets(&group).await.unwrap(), offsets);
        assert_eq!(client.list_groups().await.unwrap()[&group].state, "Empty");
        let nowhere = BTreeMap::from([(at(&missing, 0), GroupOffset::new(1))]);
        let refused = client.commit_group_offsets(&group, &nowhere).await.unwrap();
        assert_eq!(refused[&at(&missing, 0)].as_ref().unwrap_err().code(), "no-topic");
    });
}
