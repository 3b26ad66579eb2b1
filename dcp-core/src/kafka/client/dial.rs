//! Opening a connection: the stream, what the broker speaks, who the client is.

use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::authenticate::authenticate;
use super::connection::{Connection, Greeting, Stream, lost, read_frame};
use super::versions::Versions;
use crate::clock::{Clock, Entropy, Moment};
use crate::error::{Error, ErrorKind};
use crate::kafka::settings::KafkaSettings;
use crate::kafka::topic::BrokerAddress;
use crate::kafka::wire::{Spoken, correlation_of, decode, encode};

/// Opens a connection until `until`.
pub(super) async fn dial(
    address: &BrokerAddress,
    settings: &KafkaSettings,
    clock: &Arc<dyn Clock>,
    entropy: &dyn Entropy,
    until: Moment,
) -> Result<Connection, Error> {
    let node: Arc<str> = address.to_string().into();
    let opened = tokio::select! {
        biased;
        opened = open(address, settings, clock, entropy) => opened,
        () = clock.sleep_until(until) => Err(Error::retry("no-answer", "it did not finish the greeting in time")),
    };
    let (stream, greeting) = opened.map_err(|error| error.at(format_args!("broker {node}")))?;
    let bounds = (settings.in_flight_max, settings.frame_max);
    Ok(Connection::new(node, stream, greeting, bounds, Arc::clone(clock)))
}

async fn open(
    address: &BrokerAddress,
    settings: &KafkaSettings,
    clock: &Arc<dyn Clock>,
    entropy: &dyn Entropy,
) -> Result<(Box<dyn Stream>, Greeting), Error> {
    let unreachable = |cause: &std::io::Error| Error::retry("unreachable", format!("it cannot be reached: {cause}"));
    let stream = TcpStream::connect((&*address.host, address.port)).await.map_err(|cause| unreachable(&cause))?;
    stream.set_nodelay(true).map_err(|cause| unreachable(&cause))?;
    let loopback = stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback());
    if settings.security.shows_password() && !loopback {
        let text = "PLAIN sends the password as it is: use a listener with encryption, or SCRAM";
        return Err(Error::refused("password-in-the-clear", text));
    }
    let stream = encrypted(stream, address, settings).await?;
    let mut dialogue = Dialogue::new(stream, settings);
    let versions = dialogue.versions().await?;
    let expires = match &settings.security.sasl {
        None => None,
        Some(sasl) => authenticate(&mut dialogue, sasl, entropy).await?.map(|lasts| clock.now().after(lasts)),
    };
    Ok((dialogue.stream, Greeting { versions, expires, next_correlation: dialogue.next }))
}

#[cfg(feature = "tls")]
async fn encrypted(
    stream: TcpStream,
    address: &BrokerAddress,
    settings: &KafkaSettings,
) -> Result<Box<dyn Stream>, Error> {
    let Some(trust) = &settings.security.tls else { return Ok(Box::new(stream)) };
    let name = rustls::pki_types::ServerName::try_from(address.host.to_string());
    let name = name.map_err(|cause| Error::invalid("bad-address", format!("{address}: {cause}")))?;
    let connector = tokio_rustls::TlsConnector::from(trust.config());
    Ok(Box::new(connector.connect(name, stream).await.map_err(|cause| lost(&cause))?))
}

#[cfg(not(feature = "tls"))]
#[allow(clippy::unused_async, reason = "as the one that encrypts")]
async fn encrypted(stream: TcpStream, _: &BrokerAddress, _: &KafkaSettings) -> Result<Box<dyn Stream>, Error> {
    Ok(Box::new(stream))
}

/// One question after the other on a stream that nobody else uses yet.
pub(super) struct Dialogue<'a> {
    stream: Box<dyn Stream>,
    settings: &'a KafkaSettings,
    next: i32,
}

impl<'a> Dialogue<'a> {
    pub(super) fn new(stream: Box<dyn Stream>, settings: &'a KafkaSettings) -> Self {
        Self { stream, settings, next: 0 }
    }

    async fn versions(&mut self) -> Result<Versions, Error> {
        let answer = self.ask(&Versions::request()).await.map_err(|error| match error.kind() {
            ErrorKind::Corrupt => {
                let text = format!("what answers there is no Kafka listener, or one with encryption ({error})");
                Error::refused("not-kafka", text)
            }
            _ => error,
        })?;
        Versions::of(&answer)
    }

    pub(super) async fn ask<R: Spoken>(&mut self, request: &R) -> Result<R::Answer, Error> {
        let correlation = self.next;
        self.next += 1;
        let mut segments = encode(correlation, &self.settings.client_id, request)?;
        self.stream.write_all_buf(&mut segments).await.map_err(|cause| lost(&cause))?;
        self.stream.flush().await.map_err(|cause| lost(&cause))?;
        let frame = read_frame(&mut self.stream, self.settings.frame_max).await?;
        if correlation_of(&frame) != Some(correlation) {
            return Err(Error::corrupt("bad-frame", "the answer is to another request"));
        }
        decode::<R>(frame)
    }
}
