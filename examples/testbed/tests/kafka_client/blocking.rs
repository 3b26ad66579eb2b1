//! Reads and writes by a blocking loop, without the client: a socket of the standard library and nothing else.

use std::io::{IoSlice, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use dcp_core::kafka::exchange::{Exchange, Outgoing, frame_length};
use dcp_core::kafka::{FetchFrom, FetchRequest, Produce};

use crate::broker::{NOBODY, at, batch, block_on, plain, shared, topic};

const MOST: usize = 4 << 20;

struct Loop(TcpStream);

impl Loop {
    fn send(&mut self, mut outgoing: Outgoing) {
        while outgoing.has_remaining() {
            let mut slices = [IoSlice::new(&[]); 8];
            let filled = outgoing.chunks_vectored(&mut slices);
            let written = self.0.write_vectored(&slices[..filled]).unwrap();
            outgoing.advance(written);
        }
    }

    fn receive(&mut self) -> Bytes {
        let mut prefix = [0; 4];
        self.0.read_exact(&mut prefix).unwrap();
        let mut frame = vec![0; frame_length(prefix, MOST).unwrap()];
        self.0.read_exact(&mut frame).unwrap();
        frame.into()
    }
}

pub(crate) fn reads_and_writes() {
    let address = shared();
    let (orders, _) = block_on(topic(&plain(&address), "blocking", 2));
    let stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (mut socket, mut exchange) = (Loop(stream), Exchange::new("blocking"));
    let (outgoing, greeting) = exchange.greet().unwrap();
    socket.send(outgoing);
    greeting.read(socket.receive()).unwrap();

    // Two requests at once: answers come in their order.
    let sent = batch(NOBODY, -1, false, &["a", "b"]);
    let write = |partition| Produce::new(vec![(at(&orders, partition), sent.clone().into())]);
    let asked = [0, 1].map(|partition| {
        let (outgoing, due) = exchange.produce(&write(partition), Duration::from_secs(10)).unwrap();
        socket.send(outgoing);
        (partition, due)
    });
    for (partition, due) in asked {
        let outcomes = due.read(socket.receive()).unwrap();
        assert_eq!(outcomes[&at(&orders, partition)].as_ref().unwrap().base_offset, 0);
    }

    let from = [(1, 0), (0, 9), (7, 0)].map(|(partition, offset)| FetchFrom::new(at(&orders, partition), offset));
    let (outgoing, due) = exchange.fetch(FetchRequest::new(from.to_vec())).unwrap();
    socket.send(outgoing);
    let frame = socket.receive();
    let whole = frame.as_ptr_range();
    let fetched = due.read(frame.clone()).unwrap();
    let found = fetched[0].result.as_ref().unwrap();
    // What is not of the log's own making is as it was sent, and lies where it was received.
    assert_eq!(found.records[21..], sent[21..]);
    assert!(whole.contains(&found.records.as_ptr()), "the records were copied");
    let codes: Vec<_> = fetched[1..].iter().map(|one| one.result.as_ref().unwrap_err().code()).collect();
    assert_eq!(codes, ["offset-out-of-range", "no-topic"]);
}
