//! etcd serves when it answers a linearizable read, which needs a leader and a quorum.

use std::io;
use std::net::SocketAddr;

use super::exchange::Exchange;

// A range over the key `?`, in etcd's JSON mapping.
const QUESTION: &str = "{\"key\":\"Pw==\"}";

pub(super) fn ask(address: SocketAddr) -> io::Result<String> {
    let mut exchange = Exchange::open(address)?;
    let length = QUESTION.len();
    let head = "POST /v3/kv/range HTTP/1.0\r\nHost: etcd\r\nContent-Type: application/json\r\nContent-Length: ";
    exchange.send(format!("{head}{length}\r\n\r\n{QUESTION}").as_bytes())?;
    let answer = exchange.take_rest()?;
    let answer = String::from_utf8_lossy(&answer);
    match revision(&answer) {
        Some(revision) => Ok(format!("serves, at revision {revision}")),
        None => Err(io::Error::other(format!("answered: {}", answer.lines().last().unwrap_or("nothing")))),
    }
}

fn revision(answer: &str) -> Option<String> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let good = head.lines().next()?.split_whitespace().nth(1) == Some("200");
    let body: serde_json::Value = serde_json::from_str(body.trim()).ok()?;
    let revision = body.get("header")?.get("revision")?.as_str()?.to_owned();
    good.then_some(revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_good_answer_is_one() {
        let body = "{\"header\":{\"cluster_id\":\"1\",\"revision\":\"7\"}}";
        assert_eq!(revision(&format!("HTTP/1.0 200 OK\r\n\r\n{body}")), Some("7".to_owned()));
        assert_eq!(revision(&format!("HTTP/1.0 503 Busy\r\n\r\n{body}")), None);
        assert_eq!(revision("HTTP/1.0 200 OK\r\n\r\n{}"), None);
    }
}
