use super::*;

const REGION: &str = "eu-west-2";

fn ack(line: u64) -> Ack {
    Ack {
        id: crate::orders::event_id(line),
        line,
        log: "orders.eu-west-2@eu-west-2/3".parse().unwrap(),
        position: 7,
        epoch: Epoch::GENESIS,
        by: RegionId::new(REGION).unwrap(),
        sent_ns: 1,
        at_ns: 2,
    }
}

fn reopen(directory: &Path) -> Result<Vec<u64>, Error> {
    let (_evidence, lines) = Evidence::open(directory, REGION)?;
    lines.map(|ack| ack.map(|ack| ack.line)).collect()
}

async fn note(directory: &Path, acks: &[Ack]) {
    let (evidence, _lines) = Evidence::open(directory, REGION).unwrap();
    let (sender, writer) = evidence.split();
    let noting = async move { sender.acknowledged(acks).await };
    let (noted, written) = tokio::join!(noting, writer.run());
    noted.unwrap();
    written.unwrap();
}

#[tokio::test]
async fn lines_have_the_promised_form_and_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("acks");
    note(&directory, &[ack(1), ack(2)]).await;
    let text = std::fs::read_to_string(directory.join("eu-west-2.jsonl")).unwrap();
    let first = r#"{"id":"cf7f8717-feb7-56b7-b67b-fd64ff3fc182","line":1,"log":"orders.eu-west-2@eu-west-2/3","position":7,"epoch":1,"by":"eu-west-2","sent_ns":1,"at_ns":2}"#;
    assert_eq!(text.lines().next().unwrap(), first);
    assert_eq!(reopen(&directory).unwrap(), [1, 2]);
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off_for_good() {
    for torn in ["{", "{\"id\":\"cf7f", &"x".repeat(9_000)] {
        let folder = tempfile::tempdir().unwrap();
        note(folder.path(), &[ack(1), ack(2)]).await;
        let path = folder.path().join("eu-west-2.jsonl");
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], torn.as_bytes()].concat()).unwrap();
        assert_eq!(reopen(folder.path()).unwrap(), [1, 2]);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        note(folder.path(), &[ack(3)]).await;
        assert_eq!(reopen(folder.path()).unwrap(), [1, 2, 3]);
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("eu-west-2.jsonl"), "{\"id\"").unwrap();
    assert!(reopen(folder.path()).unwrap().is_empty());
}

#[tokio::test]
async fn a_whole_line_of_another_form_is_kept_and_refused() {
    let folder = tempfile::tempdir().unwrap();
    note(folder.path(), &[ack(1)]).await;
    let path = folder.path().join("eu-west-2.jsonl");
    let spoiled = [std::fs::read(&path).unwrap(), b"{}\n".to_vec()].concat();
    std::fs::write(&path, &spoiled).unwrap();
    let error = reopen(folder.path()).unwrap_err();
    assert!(error.code() == "bad-evidence" && error.message().contains("eu-west-2.jsonl:2"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), spoiled);
}

#[test]
fn one_producer_at_a_time_has_it_open() {
    let folder = tempfile::tempdir().unwrap();
    let (first, _lines) = Evidence::open(folder.path(), REGION).unwrap();
    assert!(!first.is_resumed());
    assert_eq!(Evidence::open(folder.path(), REGION).unwrap_err().code(), "in-use");
    drop(first);
    assert!(Evidence::open(folder.path(), REGION).unwrap().0.is_resumed());
}

#[tokio::test]
async fn a_full_disk_ends_the_writer_and_whoever_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (mut evidence, _lines) = Evidence::open(folder.path(), REGION).unwrap();
    evidence.acks = EvidenceFile::full_disk();
    let (sender, writer) = evidence.split();
    let acks = [ack(1)];
    let (noted, written) = tokio::join!(sender.acknowledged(&acks), writer.run());
    assert_eq!(noted.unwrap_err().code(), "evidence-not-written");
    assert_eq!(written.unwrap_err().code(), "evidence-not-written");
    assert_eq!(sender.acknowledged(&acks).await.unwrap_err().code(), "evidence-stopped");
}
