//! A short conversation over one connection, with limits on time and size.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const CONNECTS_WITHIN: Duration = Duration::from_millis(500);
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// No answer to these questions is longer.
const ANSWER_MAX: usize = 1 << 20;

/// A connection for one question.
pub(super) struct Exchange(TcpStream);

impl Exchange {
    /// Connects.
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, CONNECTS_WITHIN)?;
        stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
        stream.set_write_timeout(Some(ANSWERS_WITHIN))?;
        Ok(Self(stream))
    }

    /// Sends all of it.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Receives so many bytes.
    pub(super) fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        if count > ANSWER_MAX {
            return Err(io::Error::other(format!("an answer of {count} bytes is too long")));
        }
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).map_err(in_words)?;
        Ok(bytes)
    }

    /// Receives four bytes as a number.
    pub(super) fn take_length(&mut self) -> io::Result<usize> {
        let bytes = self.take(4)?;
        let number = bytes.try_into().map(i32::from_be_bytes).unwrap_or_default();
        usize::try_from(number).map_err(io::Error::other)
    }

    /// Receives until the other side closes.
    pub(super) fn take_rest(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.0).take(ANSWER_MAX as u64).read_to_end(&mut bytes).map_err(in_words)?;
        Ok(bytes)
    }
}

fn in_words(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            io::Error::other(format!("no answer for {} s", ANSWERS_WITHIN.as_secs()))
        }
        _ => error,
    }
}
