//! Clients with connections of their own for producers: a batch waits at its broker until the
//! transaction before it is over, and all that was sent after it on that connection with it.

use std::sync::{Mutex, PoisonError};

use crate::error::Error;
use crate::kafka::KafkaClient;

/// Most clients, and with them most connections to one broker. Beyond, producers share them in turn.
const CLIENTS_MAX: usize = 32;

/// The clients of a store's producers.
#[derive(Debug, Default)]
pub(super) struct ProducerClients(Mutex<(Vec<KafkaClient>, usize)>);

impl ProducerClients {
    /// The next one's, made by `make` while there are not all of them.
    pub(super) fn next(&self, make: impl FnOnce() -> Result<KafkaClient, Error>) -> Result<KafkaClient, Error> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (clients, turn) = &mut *held;
        if clients.len() < CLIENTS_MAX {
            clients.push(make()?);
        }
        *turn = (*turn + 1) % CLIENTS_MAX;
        let at = if clients.len() < CLIENTS_MAX { clients.len() - 1 } else { *turn };
        Ok(clients[at].clone())
    }
}
