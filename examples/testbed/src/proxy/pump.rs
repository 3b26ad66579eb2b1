//! Carries one direction of one connection.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};

use super::now::Now;
use super::schedule::Schedule;
use super::{Conditions, Direction};

/// Bytes of a piece.
const PIECE: usize = 16 * 1024;
/// Pieces on their way; when a direction stalls, the sender is held back after so many.
const PIECES_MAX: usize = 64;

/// What a direction needs to know.
pub(super) struct Pump<'a> {
    pub(super) direction: Direction,
    pub(super) conditions: watch::Receiver<[Conditions; 2]>,
    pub(super) schedule: Schedule,
    pub(super) now: Now,
    pub(super) carried: &'a AtomicU64,
}

struct Piece {
    came: Duration,
    bytes: Vec<u8>,
}

impl Pump<'_> {
    /// Carries until the sender has said all and all of it has arrived.
    ///
    /// # Errors
    /// When either side is gone, or the connection is to be reset.
    pub(super) async fn carry(self, from: ReadHalf<'_>, to: WriteHalf<'_>) -> io::Result<()> {
        let (enters, leaves) = mpsc::channel(PIECES_MAX);
        let now = self.now;
        tokio::try_join!(take(from, enters, now), self.bring(leaves, to)).map(|((), ())| ())
    }

    async fn bring(mut self, mut leaves: mpsc::Receiver<Piece>, mut to: WriteHalf<'_>) -> io::Result<()> {
        let mut brought = 0_u64;
        while let Some(piece) = leaves.recv().await {
            let under = self.wait(&piece).await?;
            let room = under.reset_after.map_or(u64::MAX, |limit| limit.saturating_sub(brought));
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let part = &piece.bytes[..piece.bytes.len().min(room)];
            to.write_all(part).await?;
            brought += part.len() as u64;
            self.carried.fetch_add(part.len() as u64, Ordering::Relaxed);
            if under.reset_after.is_some_and(|limit| brought >= limit) {
                to.flush().await?;
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        }
        to.shutdown().await
    }

    // Until the piece may arrive, under what then holds; a change while it waits counts at once.
    async fn wait(&mut self, piece: &Piece) -> io::Result<Conditions> {
        let draw = self.schedule.draw();
        loop {
            let under = self.conditions.borrow_and_update()[self.direction.index()];
            let arrives = self.schedule.arrives(piece.came, piece.bytes.len(), draw, &under);
            tokio::select! {
                biased;
                changed = self.conditions.changed() => changed.map_err(io::Error::other)?,
                () = self.now.sleep_until(arrives), if !under.stalled => {
                    self.schedule.arrived(arrives);
                    return Ok(under);
                }
            }
        }
    }
}

async fn take(mut from: ReadHalf<'_>, enters: mpsc::Sender<Piece>, now: Now) -> io::Result<()> {
    loop {
        let mut bytes = vec![0; PIECE];
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return Ok(());
        }
        bytes.truncate(read);
        let piece = Piece { came: now.since_start(), bytes };
        enters.send(piece).await.map_err(io::Error::other)?;
    }
}
