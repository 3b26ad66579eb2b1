//! Postgres serves when it answers a query.

use std::io;
use std::net::SocketAddr;

use super::exchange::Exchange;

const PROTOCOL_3: i32 = 196_608;
/// More messages than this before the answer are no answer.
const MESSAGES_MAX: usize = 200;

pub(super) fn ask(address: SocketAddr) -> io::Result<String> {
    let mut exchange = Exchange::open(address)?;
    let parameters = b"user\0postgres\0database\0postgres\0\0";
    let length = i32::try_from(8 + parameters.len()).map_err(io::Error::other)?;
    let start = [&length.to_be_bytes()[..], &PROTOCOL_3.to_be_bytes(), parameters].concat();
    exchange.send(&start)?;
    until(&mut exchange, b'Z')?;
    let query = b"SHOW server_version\0";
    let length = i32::try_from(4 + query.len()).map_err(io::Error::other)?;
    exchange.send(&[&b"Q"[..], &length.to_be_bytes(), query].concat())?;
    let row = until(&mut exchange, b'D')?;
    // Two bytes of column count, four of length, the text.
    let version = String::from_utf8_lossy(row.get(6..).unwrap_or_default()).into_owned();
    Ok(format!("serves, version {version}"))
}

// The body of the first message of that kind.
fn until(exchange: &mut Exchange, kind: u8) -> io::Result<Vec<u8>> {
    for _ in 0..MESSAGES_MAX {
        let found = exchange.take(1)?;
        let length = exchange.take_length()?;
        let body = exchange.take(length.saturating_sub(4))?;
        match found[0] {
            b'E' => return Err(io::Error::other(words(&body))),
            found if found == kind => return Ok(body),
            _ => {}
        }
    }
    Err(io::Error::other("too many messages"))
}

// The fields of an error: a letter and a text each; `M` is the message for people.
fn words(fields: &[u8]) -> String {
    let message = fields.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"M"));
    String::from_utf8_lossy(message.unwrap_or(b"an error without words")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_words_of_an_error() {
        assert_eq!(
            words(b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"),
            "the database system is starting up"
        );
        assert_eq!(words(b"\0"), "an error without words");
    }
}
