use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::{Conditions, Direction, Proxy};
use crate::deadline::Deadline;

const MS: fn(u64) -> Duration = Duration::from_millis;

// A server that says everything back.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
        }
    });
    address
}

fn client(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(MS(150))).unwrap();
    stream
}

fn round(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Duration> {
    let watch = Deadline::within(MS(0));
    stream.write_all(text)?;
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back)?;
    assert_eq!(back, text);
    Ok(watch.waited())
}

#[test]
fn carries_both_ways_and_ends_in_order() {
    let proxy = Proxy::start(echo(), None, 1).unwrap();
    let mut stream = client(&proxy);
    let text: Vec<u8> = (0..200_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let mut back = Vec::new();
    std::thread::scope(|scope| {
        let mut writer = stream.try_clone().unwrap();
        let said = text.clone();
        scope.spawn(move || {
            writer.write_all(&said).unwrap();
            writer.shutdown(std::net::Shutdown::Write).unwrap();
        });
        stream.read_to_end(&mut back).unwrap();
    });
    assert_eq!(back, text);
    let traffic = proxy.traffic();
    assert_eq!((traffic.connections, traffic.to_server, traffic.to_client), (1, 200_000, 200_000));
}

#[test]
fn delays_one_direction_only() {
    let proxy = Proxy::start(echo(), None, 1).unwrap();
    let mut stream = client(&proxy);
    round(&mut stream, b"warm").unwrap();
    proxy.set(Direction::ToClient, Conditions::delayed(MS(60), MS(20)));
    let took = round(&mut stream, b"late").unwrap();
    assert!(took >= MS(60) && took < MS(150), "{took:?}");
    proxy.heal();
    assert!(round(&mut stream, b"soon").unwrap() < MS(60));
}

#[test]
fn a_stalled_direction_loses_nothing() {
    let proxy = Proxy::start(echo(), None, 1).unwrap();
    let mut stream = client(&proxy);
    proxy.set(Direction::ToServer, Conditions::stalled());
    assert!(round(&mut stream, b"held").is_err());
    assert_eq!(proxy.traffic().to_server, 0);
    proxy.heal();
    let mut back = [0; 4];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"held");
}

#[test]
fn a_narrow_line_takes_its_time() {
    let proxy = Proxy::start(echo(), None, 1).unwrap();
    let mut stream = client(&proxy);
    proxy.set(Direction::ToServer, Conditions::narrow(100_000));
    let took = round(&mut stream, &[7; 8_000]).unwrap();
    assert!(took >= MS(80), "{took:?}");
}

#[test]
fn resets_at_the_byte_that_is_named() {
    for limit in [0, 1, 5, 9] {
        let proxy = Proxy::start(echo(), None, 1).unwrap();
        proxy.set(Direction::ToClient, Conditions::reset_after(limit));
        let mut stream = client(&proxy);
        let mut back = Vec::new();
        stream.write_all(b"0123456789").unwrap();
        let ended = stream.read_to_end(&mut back);
        assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
        assert_eq!(proxy.traffic().to_client, limit);
    }
}

#[test]
fn resets_and_refuses_connections() {
    let proxy = Proxy::start(echo(), None, 1).unwrap();
    let mut stream = client(&proxy);
    round(&mut stream, b"open").unwrap();
    proxy.reset();
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    proxy.refuse(true);
    assert!(round(&mut client(&proxy), b"no").is_err());
    proxy.heal();
    round(&mut client(&proxy), b"yes").unwrap();
}

#[test]
fn a_proxy_that_is_let_go_listens_no_more() {
    let proxy = Proxy::start(echo(), None, 1).unwrap();
    let address = proxy.address();
    drop(proxy);
    assert!(TcpStream::connect(address).is_err());
}
