//! Reads a topic from its start with librdkafka, as fast as it goes, and prints what it read as one line
//! of JSON. The benchmark that starts it measures its time and its CPU.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use clap::Parser;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// How long nothing may arrive before the reading has failed.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What to read.
#[derive(Debug, Parser)]
struct Arguments {
    /// A broker, as HOST:PORT.
    #[arg(long)]
    bootstrap: String,
    /// The topic.
    #[arg(long)]
    topic: String,
    /// Its partitions, all of which are read.
    #[arg(long)]
    partitions: i32,
    /// Records to read before it ends.
    #[arg(long)]
    records: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &arguments.bootstrap)
        .set("group.id", "rival")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("check.crcs", "true")
        .set("fetch.wait.max.ms", "50")
        .create()?;
    let mut from = TopicPartitionList::new();
    for partition in 0..arguments.partitions {
        from.add_partition_offset(&arguments.topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&from)?;

    let began = Instant::now();
    let (mut records, mut bytes, mut headers) = (0_u64, 0_u64, 0_u64);
    let mut per_partition = BTreeMap::<i32, u64>::new();
    while records < arguments.records {
        let message = consumer.poll(SILENCE_MAX).ok_or("nothing arrived any more")??;
        records += 1;
        bytes += (message.key_len() + message.payload_len()) as u64;
        // Looked at, as a reader that has to know a record's version looks at them.
        headers += message.headers().map_or(0, |headers| headers.iter().count() as u64);
        *per_partition.entry(message.partition()).or_default() += 1;
    }
    println!(
        "{}",
        serde_json::json!({
            "records": records,
            "bytes": bytes,
            "headers": headers,
            "partitions": per_partition.len(),
            "seconds": began.elapsed().as_secs_f64(),
            "cpu_seconds": cpu_seconds()?,
        })
    );
    Ok(())
}

// User and system time of this process, from the kernel's hundredths of a second.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let line = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = line.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| {
        fields.get(at).ok_or("a shorter line than Linux writes")?.parse::<u32>().map_err(Box::<dyn Error>::from)
    };
    Ok(f64::from(ticks(11)? + ticks(12)?) / 100.0)
}
