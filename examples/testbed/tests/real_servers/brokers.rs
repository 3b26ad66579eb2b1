//! Two brokers in one region, seen by Kafka's own tools: a topic with two copies survives one of them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use testbed::catalog::recipe;
use testbed::harness::Case;
use testbed::{Bed, Wanted, obtain};

pub(crate) const CASES: &[Case<'_>] =
    &[Case { name: "kafka::a_topic_with_two_copies_survives_one_broker", needs: &["kafka"], run: &one_dies }];

const RECORDS: usize = 100;
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

fn one_dies() {
    let home = obtain(recipe("kafka").unwrap(), &|_| {}).unwrap();
    let bed = Bed::start(&Wanted::brokers(2), &|line| eprintln!("  {line}")).unwrap();
    let brokers: Vec<_> = bed.servers().iter().map(|broker| broker.address("plain").unwrap().to_string()).collect();
    let at = format!("--bootstrap-server={}", brokers.join(","));
    let tool = |class: &str, arguments: &str, input: &str| tool(&home, class, &format!("{at} {arguments}"), input);
    for broker in bed.servers() {
        let answer = broker.ask().unwrap();
        assert!(answer.ends_with("brokers [1, 2]"), "{answer}");
    }
    tool(TOPICS, "--create --topic=copied --replica-assignment=2:1,1:2,2:1", "");
    let sent: String = (0..RECORDS).map(|number| format!("record {number}\n")).collect();
    let all = "--topic=copied --producer-property=acks=all";
    tool("org.apache.kafka.tools.ConsoleProducer", all, &sent);
    assert!(described(&tool).contains("Leader: 2"));

    let take = |count: usize| {
        let group = format!("--topic=copied --from-beginning --group=readers --max-messages={count}");
        tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &group, "")
    };
    let mut read = take(RECORDS / 2);

    bed.server("kafka-a-2").unwrap().kill().unwrap();
    let moved = (0..20).any(|_| {
        std::thread::sleep(Duration::from_millis(250));
        !described(&tool).contains("Leader: 2")
    });
    assert!(moved, "{}", described(&tool));
    // The group's coordinator may have died too: what it knew has two copies as well.
    read.extend(take(RECORDS - RECORDS / 2));
    let mut sent: Vec<_> = sent.lines().map(str::to_owned).collect();
    sent.sort();
    read.sort();
    assert_eq!(read, sent);

    bed.server("kafka-a-2").unwrap().start().unwrap();
    assert!(bed.server("kafka-a-2").unwrap().ask().unwrap().ends_with("brokers [1, 2]"));
}

fn described(tool: &dyn Fn(&str, &str, &str) -> Vec<String>) -> String {
    let leaders = tool(TOPICS, "--describe --topic=copied", "").join("\n");
    assert_eq!(leaders.matches("Leader: ").count(), 3, "{leaders}");
    leaders
}

// One of Kafka's own tools, run to its end; the lines it prints.
fn tool(home: &Path, class: &str, arguments: &str, input: &str) -> Vec<String> {
    let mut java = Command::new("java");
    java.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx128m", "-cp"]);
    java.arg(format!("{}/libs/*", home.display())).arg(class).args(arguments.split(' '));
    let mut tool = java.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    assert!(output.status.success(), "{class} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
