//! The client's side of SCRAM-SHA-256 over Kafka's protocol, as RFC 5802 has it.

use std::io;
use std::net::{SocketAddr, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::speak::asked;

const BLOCK: usize = 64;
const NONCE: &str = "n0nceOfTheTestbed";

/// A connection over which that user has come in.
pub(crate) fn come_in(address: SocketAddr, user: &str, password: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    // SaslHandshake, version 1.
    let handshake = [&b"\0\x11\0\x01\0\0\0\x01\xff\xff\0\x0d"[..], b"SCRAM-SHA-256"].concat();
    asked(&mut stream, &handshake)?;
    let first = format!("n={user},r={NONCE}");
    let server_first = authenticate(&mut stream, &format!("n,,{first}"))?;
    let field = |name: &str| server_first.split(',').find_map(|field| field.strip_prefix(name)).unwrap();
    let salt = STANDARD.decode(field("s=")).map_err(io::Error::other)?;
    let salted = stretched(password.as_bytes(), &salt, field("i=").parse().map_err(io::Error::other)?);
    let client_key = keyed(&salted, b"Client Key");
    let without_proof = format!("c=biws,r={}", field("r="));
    let signature = keyed(&Sha256::digest(client_key), format!("{first},{server_first},{without_proof}").as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, sign)| key ^ sign).collect();
    authenticate(&mut stream, &format!("{without_proof},p={}", STANDARD.encode(proof)))?;
    Ok(stream)
}

// SaslAuthenticate, version 0: correlation, error, message, bytes.
fn authenticate(stream: &mut TcpStream, text: &str) -> io::Result<String> {
    let length = u32::try_from(text.len()).map_err(io::Error::other)?.to_be_bytes();
    let request = [&b"\0\x24\0\0\0\0\0\x02\xff\xff"[..], &length, text.as_bytes()].concat();
    let answer = asked(stream, &request)?;
    let code = u16::from_be_bytes([answer[4], answer[5]]);
    if code != 0 {
        return Err(io::Error::other(format!("error {code}")));
    }
    // Without an error there is no message: its length is -1. Then the length of the bytes.
    Ok(String::from_utf8_lossy(&answer[12..]).into_owned())
}

fn keyed(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0; BLOCK];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

fn stretched(password: &[u8], salt: &[u8], times: u32) -> [u8; 32] {
    let mut round = keyed(password, &[salt, &[0, 0, 0, 1]].concat());
    let mut sum = round;
    for _ in 1..times {
        round = keyed(password, &round);
        sum.iter_mut().zip(round).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}
