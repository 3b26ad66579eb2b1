//! Who the client is, proved on a connection that was just opened.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest};

use super::dial::Dialogue;
use crate::clock::Entropy;
use crate::error::Error;
use crate::kafka::refusal::Refusal;
use crate::kafka::scram::{Hash, Scram};
use crate::kafka::security::{Mechanism, Sasl};
use crate::kafka::wire::text;

/// Proves the password. For how long the broker takes it as proved, if it says so; a connection is not
/// used for all of that time.
pub(super) async fn authenticate(
    dialogue: &mut Dialogue<'_>,
    sasl: &Sasl,
    entropy: &dyn Entropy,
) -> Result<Option<Duration>, Error> {
    let mechanism = sasl.mechanism.name();
    let handshake = SaslHandshakeRequest::default().with_mechanism(text(mechanism));
    let offered = dialogue.ask(&handshake).await?;
    Refusal::check(offered.error_code, None).map_err(|no| {
        let offered: Vec<&str> = offered.mechanisms.iter().map(|offered| &**offered).collect();
        no.error(format_args!("{mechanism} (the listener offers {})", offered.join(", ")))
    })?;
    let last = match sasl.mechanism {
        Mechanism::Plain => say(dialogue, sasl, format!("\0{}\0{}", sasl.user, sasl.password)).await?,
        Mechanism::ScramSha256 => scram(dialogue, sasl, Hash::Sha256, entropy).await?,
        Mechanism::ScramSha512 => scram(dialogue, sasl, Hash::Sha512, entropy).await?,
    };
    let lasts = u64::try_from(last.session_lifetime_ms).ok().filter(|lasts| *lasts > 0);
    Ok(lasts.map(|lasts| Duration::from_millis(lasts - lasts / 8)))
}

async fn scram(
    dialogue: &mut Dialogue<'_>,
    sasl: &Sasl,
    hash: Hash,
    entropy: &dyn Entropy,
) -> Result<SaslAuthenticateResponse, Error> {
    let scram = Scram::new(hash, &sasl.user, &sasl.password, entropy.draw());
    let challenge = say(dialogue, sasl, scram.first()).await?;
    let (last, proof) = scram.last(&challenge.auth_bytes)?;
    let answer = say(dialogue, sasl, last).await?;
    proof.check(&answer.auth_bytes)?;
    Ok(answer)
}

async fn say(dialogue: &mut Dialogue<'_>, sasl: &Sasl, message: String) -> Result<SaslAuthenticateResponse, Error> {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(message));
    let answer = dialogue.ask(&request).await?;
    Refusal::check(answer.error_code, answer.error_message.as_deref())
        .map_err(|no| no.error(format_args!("user {}", sasl.user)))?;
    Ok(answer)
}

#[cfg(test)]
mod tests;
