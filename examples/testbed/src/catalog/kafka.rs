//! Apache Kafka, without ZooKeeper.

use std::time::Duration;

use super::{Joined, Members, Obtain, Probe, Recipe, Stop, Tool};

const JAVA: Tool = Tool {
    program: "java",
    arguments: &["-version"],
    cure: "apt-get install -y openjdk-17-jre-headless   (or any Java 17 or newer)",
};

/// The first broker of a region is its controller too; further ones are brokers only.
pub(super) const KAFKA: Recipe = Recipe {
    name: "kafka",
    version: "4.1.1",
    obtain: Obtain::Maven {
        coordinates: &[
            "org.apache.kafka:kafka_2.13:{version}",
            "org.apache.kafka:kafka-tools:{version}",
            "org.apache.kafka:connect-mirror:{version}",
            "org.apache.kafka:connect-runtime:{version}",
            "org.apache.kafka:connect-json:{version}",
            "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
        ],
        checksums: include_str!("../../recipes/kafka/jars.sha256"),
    },
    // It stands in a class path.
    not_in_home: ":*;",
    // A list of folders has commas; a file of properties has escapes; the place of the log's settings is a URI.
    not_in_data: ",\\%#?$",
    tools: &[JAVA],
    // `front` is where clients of the listener `proxied` are sent: a proxy has to stand there.
    ports: &["plain", "scram", "tls", "password_tls", "proxied", "front", "controller"],
    by_member: &[
        ("roles", "broker,controller", "broker"),
        ("controller_listener", ",CONTROLLER://{host}:{port:controller}", ""),
    ],
    joined: &[
        Joined { name: "voters", each: "{node}@{host}:{port:controller}", of: Members::First },
        Joined { name: "bootstrap", each: "{host}:{port:plain}", of: Members::All },
        Joined { name: "bootstrap_scram", each: "{host}:{port:scram}", of: Members::All },
        Joined { name: "bootstrap_tls", each: "{host}:{port:tls}", of: Members::All },
    ],
    files: &[
        ("server.properties", include_str!("../../recipes/kafka/server.properties")),
        ("log4j2.properties", include_str!("../../recipes/kafka/log4j2.properties")),
    ],
    prepare: &[&[
        "java",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        "{home}/libs/*",
        "kafka.tools.StorageTool",
        "format",
        "--cluster-id={cluster}",
        "--config={data}/server.properties",
        "--add-scram=SCRAM-SHA-256=[name=admin,password=admin-secret]",
        "--add-scram=SCRAM-SHA-512=[name=admin,password=admin-secret]",
        "--add-scram=SCRAM-SHA-256=[name=alice,password=alice-secret]",
        "--add-scram=SCRAM-SHA-512=[name=alice,password=alice-secret]",
    ]],
    start: &[
        "java",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-Dlog4j2.configurationFile={data}/log4j2.properties",
        "-cp",
        "{home}/libs/*",
        "kafka.Kafka",
        "{data}/server.properties",
    ],
    left_by_a_kill: &[],
    refuses_root: false,
    probe: Probe::Kafka,
    deadline: Duration::from_secs(120),
    stop: Stop::Terminate,
    environment: &[("", "{bootstrap}"), ("_SCRAM", "{bootstrap_scram}"), ("_TLS", "{bootstrap_tls}")],
    stores_in: "log",
    standby: None,
    // The JVM does, but so often that under libfaketime it had not started after minutes.
    fakes_clock: false,
    certificate: Some("certificate.pem"),
    proxied: ("proxied", Some("front")),
};
