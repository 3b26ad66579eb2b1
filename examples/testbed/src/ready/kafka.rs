//! A Kafka broker serves when its metadata name itself and a controller.

use std::io;
use std::net::SocketAddr;

use super::exchange::Exchange;

const METADATA: i16 = 3;
const VERSION: i16 = 1;
const ABOUT_NO_TOPIC: i32 = 0;
const BROKERS_MAX: usize = 100;

pub(super) fn ask(address: SocketAddr, node: &str) -> io::Result<String> {
    let mut exchange = Exchange::open(address)?;
    let client = b"testbed";
    let client_length = i16::try_from(client.len()).map_err(io::Error::other)?;
    let mut question = Vec::new();
    question.extend_from_slice(&METADATA.to_be_bytes());
    question.extend_from_slice(&VERSION.to_be_bytes());
    question.extend_from_slice(&1_i32.to_be_bytes());
    question.extend_from_slice(&client_length.to_be_bytes());
    question.extend_from_slice(client);
    question.extend_from_slice(&ABOUT_NO_TOPIC.to_be_bytes());
    let length = i32::try_from(question.len()).map_err(io::Error::other)?;
    exchange.send(&[&length.to_be_bytes()[..], &question].concat())?;
    let length = exchange.take_length()?;
    let answer = exchange.take(length)?;
    let (brokers, controller) = read(&answer).ok_or_else(|| io::Error::other("an answer that is no metadata"))?;
    if !brokers.iter().any(|broker| broker.to_string() == node) {
        return Err(io::Error::other(format!("broker {node} is not among the brokers {brokers:?}")));
    }
    if controller < 0 {
        return Err(io::Error::other("there is no controller"));
    }
    Ok(format!("serves, with brokers {brokers:?}"))
}

// Correlation id, then for each broker: id, host, port, rack; then the controller.
fn read(answer: &[u8]) -> Option<(Vec<i32>, i32)> {
    let mut rest = answer.get(4..)?;
    let count = usize::try_from(int(&mut rest)?).ok().filter(|count| *count <= BROKERS_MAX)?;
    let mut brokers = Vec::new();
    for _ in 0..count {
        brokers.push(int(&mut rest)?);
        skip_text(&mut rest)?;
        int(&mut rest)?;
        skip_text(&mut rest)?;
    }
    brokers.sort_unstable();
    Some((brokers, int(&mut rest)?))
}

fn int(rest: &mut &[u8]) -> Option<i32> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(i32::from_be_bytes(*number))
}

// A length of -1 is no text at all.
fn skip_text(rest: &mut &[u8]) -> Option<()> {
    let (length, after) = rest.split_first_chunk()?;
    *rest = after.get(usize::try_from(i16::from_be_bytes(*length)).unwrap_or(0)..)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x09127.0.0.1\0\0\x5b\xcc\xff\xff\0\0\0\x01\0\0\0\0";

    #[test]
    fn reads_brokers_and_controller() {
        assert_eq!(read(ANSWER), Some((vec![1], 1)));
    }

    #[test]
    fn an_answer_that_is_cut_is_none() {
        for end in 0..ANSWER.len() - 4 {
            assert_eq!(read(&ANSWER[..end]), None, "{end}");
        }
    }
}
