//! What a client is told.

use std::time::Duration;

use super::security::Security;
use super::topic::BrokerAddress;
use crate::error::Error;

/// Settings of a [`KafkaClient`](super::KafkaClient).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KafkaSettings {
    /// Brokers to begin with, `host:port`; the others are learnt from them.
    pub bootstrap: Vec<String>,
    /// What the client calls itself (`dcp`); brokers show it in their logs and quotas.
    pub client_id: String,
    /// Encryption and who the client is (neither).
    pub security: Security,
    /// How long one call may take, all its attempts included (30 s).
    pub deadline: Duration,
    /// How long one request may take, connecting included (10 s). An answer that comes later is not
    /// read: its connection is closed.
    pub request_deadline: Duration,
    /// Most requests under way on one connection (5).
    pub in_flight_max: usize,
    /// Largest answer that is taken, in bytes (64 MiB); nothing is reserved for a larger one.
    pub frame_max: usize,
    /// Pause before the second attempt of a call (20 ms); each further one is twice as long.
    pub pause_min: Duration,
    /// Longest pause between attempts (1 s).
    pub pause_max: Duration,
}

impl KafkaSettings {
    /// Settings with the defaults named at the fields.
    #[must_use]
    pub fn new<S: Into<String>>(bootstrap: impl IntoIterator<Item = S>) -> Self {
        Self {
            bootstrap: bootstrap.into_iter().map(Into::into).collect(),
            client_id: "dcp".to_owned(),
            security: Security::default(),
            deadline: Duration::from_secs(30),
            request_deadline: Duration::from_secs(10),
            in_flight_max: 5,
            frame_max: 64 << 20,
            pause_min: Duration::from_millis(20),
            pause_max: Duration::from_secs(1),
        }
    }

    /// With another name for the client, at most 200 bytes.
    #[must_use]
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// With encryption, a user, or both.
    #[must_use]
    pub fn with_security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// With another deadline of a call, of at least 10 ms.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// With another deadline of one request, of at least 10 ms.
    #[must_use]
    pub fn with_request_deadline(mut self, request_deadline: Duration) -> Self {
        self.request_deadline = request_deadline;
        self
    }

    /// With another bound of requests under way, from 1 to 100.
    #[must_use]
    pub fn with_in_flight_max(mut self, in_flight_max: usize) -> Self {
        self.in_flight_max = in_flight_max;
        self
    }

    /// With another bound of an answer's size, from 64 KiB to 1 GiB.
    #[must_use]
    pub fn with_frame_max(mut self, frame_max: usize) -> Self {
        self.frame_max = frame_max;
        self
    }

    /// The bootstrap brokers, or what is wrong with the settings.
    pub(super) fn check(&self) -> Result<Vec<BrokerAddress>, Error> {
        let shortest = self.deadline.min(self.request_deadline);
        if shortest < Duration::from_millis(10) || self.pause_min.is_zero() || self.pause_max < self.pause_min {
            let message = format!(
                "deadline {:?} and request_deadline {:?} (from 10 ms), pauses from {:?} to {:?} (above zero)",
                self.deadline, self.request_deadline, self.pause_min, self.pause_max
            );
            return Err(Error::invalid("bad-interval", message));
        }
        let (frames, flight) = (64 << 10..=1 << 30, 1..=100);
        if !frames.contains(&self.frame_max) || !flight.contains(&self.in_flight_max) || self.client_id.len() > 200 {
            let message = format!(
                "frame_max {} (64 KiB to 1 GiB), in_flight_max {} (1 to 100), client_id of {} bytes (up to 200)",
                self.frame_max,
                self.in_flight_max,
                self.client_id.len()
            );
            return Err(Error::invalid("bad-bound", message));
        }
        if self.bootstrap.is_empty() {
            return Err(Error::invalid("no-bootstrap", "name at least one broker, as host:port"));
        }
        self.bootstrap.iter().map(|text| address(text)).collect()
    }
}

fn address(text: &str) -> Result<BrokerAddress, Error> {
    let wrong = || Error::invalid("bad-address", format!("{text:?} is no broker's address: write host:port"));
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port: u16 = port.parse().map_err(|_| wrong())?;
    if host.is_empty() || port == 0 { Err(wrong()) } else { Ok(BrokerAddress::new(host, port)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port() {
        let read = |text| address(text).map(|address| address.to_string()).map_err(|error| error.code().to_owned());
        assert_eq!(read("kafka-1:9092"), Ok("kafka-1:9092".to_owned()));
        assert_eq!(read("[::1]:9092"), Ok("[::1]:9092".to_owned()));
        for wrong in ["", "kafka", ":9092", "kafka:", "kafka:0", "kafka:70000", "kafka:x"] {
            assert_eq!(read(wrong), Err("bad-address".to_owned()), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let good = KafkaSettings::new(["a:1"]);
        assert!(good.check().is_ok());
        let code = |settings: KafkaSettings| settings.check().unwrap_err().code().to_owned();
        assert_eq!(code(KafkaSettings::new(Vec::<String>::new())), "no-bootstrap");
        assert_eq!(code(good.clone().with_deadline(Duration::ZERO)), "bad-interval");
        assert_eq!(code(good.clone().with_frame_max(1)), "bad-bound");
        assert_eq!(code(good.with_in_flight_max(0)), "bad-bound");
    }
}
