//! The gate: up to which line a producer may send.

use tokio::sync::watch;

/// The highest line number that may be sent. A batch that was begun is finished, wherever the gate
/// stands by then. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(watch::Sender<u64>);

impl Gate {
    /// A gate that lets every line pass.
    #[must_use]
    pub(crate) fn open() -> Self {
        Self(watch::Sender::new(u64::MAX))
    }

    /// Holds lines above this number; the number may rise or fall.
    pub fn hold(&self, above: u64) {
        self.0.send_replace(above);
    }

    /// Lets every line pass.
    pub fn release(&self) {
        self.0.send_replace(u64::MAX);
    }

    /// Where it stands; [`u64::MAX`] is open.
    #[must_use]
    pub fn level(&self) -> u64 {
        *self.0.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
