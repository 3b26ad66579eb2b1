//! The Kafka event store, and what is without it: a record in a batch of its own of no producer,
//! which is part of no transaction and looks nothing up; and librdkafka's consumer, which is built
//! apart (`benches/rivals`).

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::clock::{SeededEntropy, SystemClock};
use dcp_core::kafka::batch::{self, Record};
use dcp_core::kafka::{KafkaClient, KafkaSettings, NewTopic, Produce, ProducerSession, TopicPartition};
use dcp_core::ports::event_store::{EventStore, OwnerBatch};
use dcp_core::store::kafka::{KafkaEventSettings, KafkaEventStore};
use dcp_core::testing::fixtures::{orders, west};
use testbed::{Bed, Wanted};

use crate::PARTITIONS;
use crate::produce::Target;
use crate::subject::{Read, Subject};

/// Where the rival of appends writes.
const NAIVE: &str = "naive";
/// A batch of no producer: brokers do not recognise it if it comes twice.
const NOBODY: ProducerSession = ProducerSession { producer_id: -1, epoch: -1 };

pub(crate) struct Kafka {
    // Dropping it ends the server.
    _bed: Bed,
    bootstrap: String,
    client: KafkaClient,
}

impl Kafka {
    pub(crate) fn start() -> Result<Self, testbed::Error> {
        let bed = Bed::start(&Wanted::one("kafka"), &|line| eprintln!("  {line}"))?;
        let bootstrap = bed.server("kafka-a")?.address("plain")?.to_string();
        let client = KafkaClient::new(KafkaSettings::new([bootstrap.clone()]), Arc::new(SystemClock::new()), entropy());
        Ok(Self { _bed: bed, bootstrap, client: client.expect("settings of a client") })
    }
}

fn entropy() -> Arc<SeededEntropy> {
    Arc::new(SeededEntropy::from_system().expect("the system's randomness"))
}

#[async_trait]
impl Subject for Kafka {
    async fn store(&self) -> Arc<dyn EventStore> {
        let partitions = i32::try_from(PARTITIONS).expect("a small number");
        let scope = orders();
        let topics = [scope.as_str(), NAIVE].map(|name| NewTopic::new(name, partitions, 1));
        let made = self.client.create_topics(&topics).await.expect("a fresh broker");
        assert!(made.into_values().all(|outcome| outcome.is_ok()), "a fresh broker has no such topics");
        let settings = KafkaEventSettings::new(west()).with_scope(scope);
        let opened =
            KafkaEventStore::open(self.client.clone(), settings, entropy(), Arc::new(SystemClock::new())).await;
        Arc::new(opened.expect("a fresh broker"))
    }

    async fn rival(&self) -> Box<dyn Target> {
        Box::new(Naive(self.client.clone()))
    }

    fn rival_is(&self) -> &'static str {
        "rival: each record in a batch and a request of its own, acks=all, no transaction"
    }

    fn conditions(&self) -> String {
        "Kafka 4.1 on loopback, one broker, replication 1".to_owned()
    }

    fn fill(&self) -> Option<(usize, usize)> {
        Some((50, 1_000))
    }

    fn reads_together(&self) -> bool {
        true
    }

    async fn read_rival(&self, records: u64) -> Result<Read, String> {
        let program = rival_program();
        if !program.is_file() {
            let manifest = "benches/rivals/Cargo.toml";
            return Err(format!(
                "{} is not built: cargo build --release --manifest-path {manifest}",
                program.display()
            ));
        }
        let mut consumer = Command::new(program);
        consumer.args(["--bootstrap", &self.bootstrap, "--topic", orders().as_str()]);
        consumer.args(["--partitions", &PARTITIONS.to_string(), "--records", &records.to_string()]);
        let ended = tokio::task::block_in_place(|| consumer.output()).map_err(|cause| cause.to_string())?;
        if !ended.status.success() {
            return Err(String::from_utf8_lossy(&ended.stderr).into_owned());
        }
        let said: serde_json::Value = serde_json::from_slice(&ended.stdout).map_err(|cause| cause.to_string())?;
        let number = |name: &str| said[name].as_f64().ok_or_else(|| format!("the rival said no {name}: {said}"));
        Ok(Read { records, seconds: number("seconds")?, cpu_seconds: Some(number("cpu_seconds")?) })
    }
}

// Where its own workspace builds it.
fn rival_program() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rivals/target/release/librdkafka-consumer")
}

struct Naive(KafkaClient);

#[async_trait]
impl Target for Naive {
    async fn send(&self, batch: OwnerBatch) {
        let partition = i32::try_from(batch.log.partition()).expect("a small number");
        for event in batch.events {
            let key = Some(event.stream.as_str().to_owned().into());
            let record = Record { offset: 0, timestamp: 0, key, value: Some(event.payload), headers: Vec::new() };
            let encoded = batch::encode(&[record], NOBODY, -1, false).expect("one small record");
            let at = TopicPartition::new(NAIVE, partition);
            let outcomes = self.0.produce(Produce::new(vec![(at, encoded.into())])).await.expect("a running broker");
            assert!(outcomes.into_values().all(|outcome| outcome.is_ok()), "a running broker takes a record");
        }
    }
}
