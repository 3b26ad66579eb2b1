//! Something written to a server and read back, in each server's own protocol.

use std::io::{Error, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use testbed::Server;

/// A place on a server where one text can be written.
pub(crate) struct Marker {
    kind: &'static str,
    address: SocketAddr,
}

impl Marker {
    pub(crate) fn of(server: &Server) -> Self {
        let port = match server.recipe().name {
            "etcd" => "client",
            "postgres" => "sql",
            _ => "plain",
        };
        Self { kind: server.recipe().name, address: server.address(port).unwrap() }
    }

    pub(crate) fn at(server: &Server, address: SocketAddr) -> Self {
        Self { kind: server.recipe().name, address }
    }

    pub(crate) fn write(&self, text: &str) {
        let answer = match self.kind {
            "etcd" => self.etcd("put", &format!("{{\"key\":\"aw==\",\"value\":\"{}\"}}", hex::encode(text))),
            "postgres" => self.postgres(&format!("CREATE TABLE marker AS SELECT '{text}'::text AS said")),
            _ => self.kafka(&create_topic(&hex::encode(text))),
        };
        answer.unwrap();
    }

    pub(crate) fn read(&self) -> Result<Vec<u8>, Error> {
        match self.kind {
            "etcd" => self.etcd("range", "{\"key\":\"aw==\"}"),
            "postgres" => self.postgres("SELECT said FROM marker"),
            // Metadata, version 1, of all topics.
            _ => self.kafka(b"\0\x03\0\x01\0\0\0\x01\xff\xff\xff\xff\xff\xff"),
        }
    }

    pub(crate) fn find(&self, text: &str) {
        let wanted = if self.kind == "postgres" { text.to_owned() } else { hex::encode(text) };
        let mut answer = Vec::new();
        // A broker that has just come back learns of its topics a moment after it serves.
        for _ in 0..50 {
            answer = self.read().unwrap();
            if String::from_utf8_lossy(&answer).contains(&wanted) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("no {wanted} in {}", String::from_utf8_lossy(&answer));
    }

    /// Asks Postgres something in SQL.
    pub(crate) fn change(&self, query: &str) -> Result<Vec<u8>, Error> {
        self.postgres(query)
    }

    fn connect(&self) -> Result<TcpStream, Error> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(stream)
    }

    fn etcd(&self, method: &str, body: &str) -> Result<Vec<u8>, Error> {
        let mut stream = self.connect()?;
        let length = body.len();
        write!(stream, "POST /v3/kv/{method} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        if answer.starts_with(b"HTTP/1.0 200") { Ok(answer) } else { Err(Error::other(format!("{answer:?}"))) }
    }

    fn postgres(&self, query: &str) -> Result<Vec<u8>, Error> {
        self.session()?.ask(query)
    }

    /// A connection to Postgres over which one question can be asked.
    pub(crate) fn session(&self) -> Result<Session, Error> {
        let mut stream = self.connect()?;
        let who = b"\0\x03\0\0user\0postgres\0\0";
        stream.write_all(&[&u32::try_from(who.len() + 4).unwrap().to_be_bytes()[..], who].concat())?;
        Ok(Session(stream))
    }

    fn kafka(&self, request: &[u8]) -> Result<Vec<u8>, Error> {
        asked(&mut self.connect()?, request)
    }
}

/// A connection to Postgres.
pub(crate) struct Session(TcpStream);

impl Session {
    /// Asks something in SQL, and ends.
    pub(crate) fn ask(mut self, query: &str) -> Result<Vec<u8>, Error> {
        let Self(stream) = &mut self;
        let length = u32::try_from(query.len() + 5).unwrap().to_be_bytes();
        stream.write_all(&[b"Q", &length[..], query.as_bytes(), b"\0", b"X\0\0\0\x04"].concat())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        if answer.windows(6).any(|part| part == b"SERROR") {
            return Err(Error::other(String::from_utf8_lossy(&answer).into_owned()));
        }
        Ok(answer)
    }
}

/// Asks a Kafka broker; the answer begins with the correlation id.
pub(crate) fn asked(stream: &mut (impl Read + Write), request: &[u8]) -> Result<Vec<u8>, Error> {
    let length = u32::try_from(request.len()).map_err(Error::other)?.to_be_bytes();
    stream.write_all(&[&length[..], request].concat())?;
    stream.flush()?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// CreateTopics, version 2: one topic, one partition, one copy, 20 s.
pub(crate) fn create_topic(name: &str) -> Vec<u8> {
    let length = u16::try_from(name.len()).unwrap().to_be_bytes();
    let head = b"\0\x13\0\x02\0\0\0\x01\xff\xff\0\0\0\x01";
    let rest = b"\0\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\0\x4e\x20\0";
    [&head[..], &length, name.as_bytes(), rest].concat()
}
