//! The client's side of SCRAM (RFC 5802, RFC 7677): what to send, and whether the broker knows the
//! password too. Free of I/O.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256, Sha512};

use crate::error::Error;

/// Fewer rounds are too few for a password on the wire; more would be work that a false broker orders.
const ROUNDS: std::ops::RangeInclusive<u32> = 4_096..=131_072;
/// No channel binding.
const UNBOUND: &str = "n,,";
/// [`UNBOUND`] in base64.
const UNBOUND_ENCODED: &str = "biws";

/// Which hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

/// A conversation of which the first message is made.
pub(crate) struct Scram {
    hash: Hash,
    password: String,
    nonce: String,
    first: String,
}

/// What the broker's last message must prove.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Proof(Vec<u8>);

impl Scram {
    /// `drawn` is random and never used twice.
    pub(crate) fn new(hash: Hash, user: &str, password: &str, drawn: [u8; 32]) -> Self {
        Self::with_nonce(hash, user, password, STANDARD.encode(&drawn[..24]))
    }

    fn with_nonce(hash: Hash, user: &str, password: &str, nonce: String) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let first = format!("n={user},r={nonce}");
        Self { hash, password: password.to_owned(), nonce, first }
    }

    /// The first message.
    pub(crate) fn first(&self) -> String {
        format!("{UNBOUND}{}", self.first)
    }

    /// The last message, from the broker's first one.
    ///
    /// # Errors
    /// `Refused` if the broker's message is none, or asks for what is not safe.
    pub(crate) fn last(&self, server_first: &[u8]) -> Result<(String, Proof), Error> {
        let server_first = std::str::from_utf8(server_first).map_err(|_| strange("it is no text"))?;
        let mut fields = server_first.split(',');
        let mut field = |name: &str| {
            let found = fields.next().and_then(|field| field.strip_prefix(name));
            found.ok_or_else(|| strange(&format!("{name} is missing")))
        };
        let (nonce, salt, rounds) = (field("r=")?, field("s=")?, field("i=")?);
        if !nonce.starts_with(&self.nonce) || nonce.len() <= self.nonce.len() {
            return Err(strange("its nonce does not go on from ours"));
        }
        let salt = STANDARD.decode(salt).map_err(|_| strange("its salt is not base64"))?;
        let rounds: u32 = rounds.parse().map_err(|_| strange("its rounds are no number"))?;
        if !ROUNDS.contains(&rounds) {
            let text = format!("{rounds} rounds, from {} to {} are done", ROUNDS.start(), ROUNDS.end());
            return Err(strange(&text));
        }
        let salted = self.hash.stretched(self.password.as_bytes(), &salt, rounds);
        let client_key = self.hash.keyed(&salted, b"Client Key");
        let unproved = format!("c={UNBOUND_ENCODED},r={nonce}");
        let all = format!("{},{server_first},{unproved}", self.first);
        let signature = self.hash.keyed(&self.hash.of(&client_key), all.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, sign)| key ^ sign).collect();
        let server_key = self.hash.keyed(&salted, b"Server Key");
        let message = format!("{unproved},p={}", STANDARD.encode(proof));
        Ok((message, Proof(self.hash.keyed(&server_key, all.as_bytes()))))
    }
}

impl Proof {
    /// Whether the broker's last message proves that it knows the password.
    ///
    /// # Errors
    /// `Refused` if it does not.
    pub(crate) fn check(&self, server_last: &[u8]) -> Result<(), Error> {
        let text = std::str::from_utf8(server_last).map_err(|_| strange("it is no text"))?;
        if let Some(why) = text.strip_prefix("e=") {
            return Err(Error::refused(
                "not-authenticated",
                format!("the broker says {why}: correct user and password"),
            ));
        }
        let shown = text.strip_prefix("v=").map(|shown| shown.split(',').next().unwrap_or(""));
        let shown = shown.and_then(|shown| STANDARD.decode(shown).ok()).unwrap_or_default();
        // The whole length is compared, however soon it differs.
        let differs = shown.iter().zip(&self.0).fold(0, |sum, (shown, own)| sum | (shown ^ own));
        if shown.len() == self.0.len() && differs == 0 {
            return Ok(());
        }
        let text = "it does not prove that it knows the password: another one may answer in its place";
        Err(Error::refused("broker-not-authenticated", text))
    }
}

fn strange(what: &str) -> Error {
    Error::refused("strange-challenge", format!("the broker's challenge is not followed: {what}"))
}

impl Hash {
    fn of(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(text).to_vec(),
            Self::Sha512 => Sha512::digest(text).to_vec(),
        }
    }

    fn keyed(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        // A key may have any length.
        match self {
            Self::Sha256 => Hmac::<Sha256>::new_from_slice(key)
                .map(|keyed| keyed.chain_update(text).finalize().into_bytes().to_vec())
                .unwrap_or_default(),
            Self::Sha512 => Hmac::<Sha512>::new_from_slice(key)
                .map(|keyed| keyed.chain_update(text).finalize().into_bytes().to_vec())
                .unwrap_or_default(),
        }
    }

    // Hi of RFC 5802.
    fn stretched(self, password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
        let mut round = self.keyed(password, &[salt, &[0, 0, 0, 1]].concat());
        let mut sum = round.clone();
        for _ in 1..rounds {
            round = self.keyed(password, &round);
            sum.iter_mut().zip(&round).for_each(|(sum, byte)| *sum ^= byte);
        }
        sum
    }
}

#[cfg(test)]
mod tests;
