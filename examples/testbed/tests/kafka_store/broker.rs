//! One broker for all cases, which run one after the other, each in a namespace of its own.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use dcp_core::Error;
use dcp_core::clock::{SeededEntropy, SystemClock};
use dcp_core::kafka::{KafkaClient, KafkaSettings, NewTopic};
use dcp_core::ports::{BrokerAdmin, EventStore};
use dcp_core::store::kafka::{KafkaBrokerAdmin, KafkaEventSettings, KafkaEventStore};
use dcp_core::testing::broker_admin::BrokerAdminFixture;
use dcp_core::testing::event_store::EventStoreFixture;
use dcp_core::testing::fixtures::{east, orders, west};
use testbed::{Bed, Server, Wanted};

pub(crate) const NEEDS: &[&str] = &["kafka"];
/// Partitions of users' topics, as many as the clauses use.
pub(crate) const PARTITIONS: i32 = 8;

static BED: LazyLock<Bed> = LazyLock::new(|| Bed::start(&Wanted::one("kafka"), &|line| eprintln!("  {line}")).unwrap());
static NAMESPACES: AtomicU32 = AtomicU32::new(0);

/// The broker.
pub(crate) fn broker() -> Arc<Server> {
    BED.server("kafka-a").unwrap()
}

/// Runs a test on two threads, as the services that it stands for.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test)
}

/// A client of it.
pub(crate) fn client() -> KafkaClient {
    client_of(&broker().address("plain").unwrap().to_string())
}

/// A client of the broker there.
pub(crate) fn client_of(address: &str) -> KafkaClient {
    let settings = KafkaSettings::new([address])
        .with_deadline(Duration::from_secs(10))
        .with_request_deadline(Duration::from_secs(5));
    KafkaClient::new(settings, Arc::new(SystemClock::new()), entropy()).unwrap()
}

pub(crate) fn entropy() -> Arc<SeededEntropy> {
    Arc::new(SeededEntropy::from_system().unwrap())
}

/// What nothing else in the cluster is called by.
pub(crate) fn fresh_namespace() -> String {
    format!("case-{}.", NAMESPACES.fetch_add(1, Ordering::SeqCst))
}

/// Deletes all topics of a namespace: a broker that is killed and started again reads all that it has, and would take
/// longer with each case.
fn clear(namespace: &str) {
    let ours = |name: &Arc<str>| name.starts_with(namespace);
    std::thread::scope(|scope| {
        let cleared = scope.spawn(|| {
            block_on(async {
                let client = client();
                let topics = client.topics(None).await.unwrap();
                let names: Vec<_> = topics.into_keys().filter(ours).collect();
                let outcomes = client.delete_topics(&names).await.unwrap();
                assert!(outcomes.into_values().all(|outcome| outcome.is_ok()), "topics of {namespace} stay");
            });
        });
        // What cannot be cleared costs time, and fails no case: the thread has said why.
        let _ = cleared.join();
    });
}

/// Users' topics: the region's own and the mirror of its peer's.
pub(crate) async fn make_topics(namespace: &str) {
    for name in ["orders", "east.orders"] {
        make_topic(&format!("{namespace}{name}"), PARTITIONS).await;
    }
}

/// A topic that takes the largest events, and keeps those that say they are old.
pub(crate) async fn make_topic(name: &str, partitions: i32) {
    let topic = NewTopic::new(name, partitions, 1)
        .with_config("retention.ms", "-1")
        .with_config("max.message.bytes", "2097152");
    Box::pin(create(&client(), topic)).await;
}

/// Creates a topic and waits until it can be written.
pub(crate) async fn create(client: &KafkaClient, topic: NewTopic) {
    let name = Arc::clone(&topic.name);
    let outcomes = client.create_topics(&[topic]).await.unwrap();
    assert!(outcomes.into_values().all(|outcome| outcome.is_ok()));
    // Shown to readers a moment later.
    loop {
        let shown = client.topics(Some(&[Arc::clone(&name)])).await.unwrap();
        if shown.values().any(|topic| topic.partitions.iter().all(|partition| partition.leader.is_some())) {
            return;
        }
    }
}

pub(crate) fn settings(namespace: &str) -> KafkaEventSettings {
    KafkaEventSettings::new(west()).with_scope(orders()).with_peers([east()]).with_namespace(namespace)
}

/// Opens the store of a namespace, or makes it.
pub(crate) async fn open(namespace: &str) -> Result<Arc<KafkaEventStore>, Error> {
    open_as(settings(namespace)).await
}

/// The same with other settings.
pub(crate) async fn open_as(settings: KafkaEventSettings) -> Result<Arc<KafkaEventStore>, Error> {
    open_at(client(), settings).await
}

/// The same at the broker of a client.
pub(crate) async fn open_at(client: KafkaClient, settings: KafkaEventSettings) -> Result<Arc<KafkaEventStore>, Error> {
    let opening = KafkaEventStore::open(client, settings, entropy(), Arc::new(SystemClock::new()));
    let store = Box::pin(opening).await?;
    Ok(Arc::new(store))
}

/// A store whose crash is the death of the broker's process.
pub(crate) struct OnBroker {
    namespace: String,
    store: Option<Arc<KafkaEventStore>>,
}

impl OnBroker {
    // What the crash leaves open, the cluster ends within the store's deadline: no clause opens a successor
    // before it reads.
    async fn open(namespace: &str) -> Arc<KafkaEventStore> {
        open_as(settings(namespace).with_transaction_timeout(Duration::from_secs(1))).await.unwrap()
    }
}

#[async_trait]
impl EventStoreFixture for OnBroker {
    async fn start() -> Self {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let store = Some(Self::open(&namespace).await);
        Self { namespace, store }
    }

    fn store(&self) -> Arc<dyn EventStore> {
        self.store.clone().unwrap()
    }

    async fn crash(&mut self) {
        tokio::task::block_in_place(|| broker().kill().unwrap());
        drop(self.store.take());
        tokio::task::block_in_place(|| broker().start().unwrap());
        self.store = Some(Self::open(&self.namespace).await);
    }
}

impl Drop for OnBroker {
    fn drop(&mut self) {
        drop(self.store.take());
        clear(&self.namespace);
    }
}

/// A cluster's topics, in a namespace of the fixture's own; its crash is the death of the broker's process.
pub(crate) struct TopicsOnBroker(String);

#[async_trait]
impl BrokerAdminFixture for TopicsOnBroker {
    async fn start() -> Self {
        Self(fresh_namespace())
    }

    fn admin(&self) -> Arc<dyn BrokerAdmin> {
        Arc::new(KafkaBrokerAdmin::new(client(), Arc::new(SystemClock::new())))
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.0)
    }

    async fn crash(&mut self) {
        tokio::task::block_in_place(|| {
            broker().kill().unwrap();
            broker().start().unwrap();
        });
    }
}

impl Drop for TopicsOnBroker {
    fn drop(&mut self) {
        clear(&self.0);
    }
}
