//! One connection: requests go out in order and their answers come back in order.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use super::versions::Versions;
use crate::clock::{Clock, Moment};
use crate::error::Error;
use crate::kafka::wire::{Segments, body_length, correlation_of};

/// Brokers close a connection that was idle for ten minutes; it is not used again a little before.
const IDLE_MAX: Duration = Duration::from_secs(9 * 60);
/// As much of a frame is reserved at once; the rest as it arrives.
const RESERVED_MAX: usize = 8 << 20;

/// What bytes go through.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It was certainly not sent.
    Unsent(Error),
    /// It was sent, or may have been: whether the broker did it is not known.
    Unanswered(Error),
}

impl Fault {
    /// As the error of a read.
    pub(crate) fn error(self) -> Error {
        match self {
            Self::Unsent(error) | Self::Unanswered(error) => error,
        }
    }
}

const QUEUED: u8 = 0;
const SENT: u8 = 1;
const WITHDRAWN: u8 = 2;

/// Whether a request has gone out. Withdrawn when its caller goes away before that.
#[derive(Debug, Default)]
struct Ticket(AtomicU8);

impl Ticket {
    fn move_to(&self, next: u8) -> bool {
        self.0.compare_exchange(QUEUED, next, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

struct Withdraw(Arc<Ticket>);

impl Drop for Withdraw {
    fn drop(&mut self) {
        self.0.move_to(WITHDRAWN);
    }
}

struct Outgoing {
    segments: Segments,
    ticket: Arc<Ticket>,
    pending: Pending,
}

struct Pending {
    correlation: i32,
    due: Moment,
    answer: oneshot::Sender<Bytes>,
    _place: OwnedSemaphorePermit,
}

#[derive(Default)]
struct Inside {
    pending: VecDeque<Pending>,
    closed: Option<Error>,
    muted_until: Moment,
    used: Moment,
}

/// A connection on which requests can be sent. Its task ends with it.
pub(crate) struct Connection {
    node: Arc<str>,
    versions: Versions,
    expires: Option<Moment>,
    queue: mpsc::UnboundedSender<Outgoing>,
    places: Arc<Semaphore>,
    inside: Arc<Mutex<Inside>>,
    next: AtomicI32,
    clock: Arc<dyn Clock>,
    task: Mutex<JoinSet<()>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("node", &self.node).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    /// Takes a stream on which nothing is under way.
    pub(super) fn new(
        node: Arc<str>,
        stream: Box<dyn Stream>,
        greeting: Greeting,
        bounds: (usize, usize),
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (in_flight_max, frame_max) = bounds;
        let (queue, queued) = mpsc::unbounded_channel();
        let inside = Arc::new(Mutex::new(Inside { used: clock.now(), ..Inside::default() }));
        let mut task = JoinSet::new();
        task.spawn(serve(stream, queued, Arc::clone(&inside), frame_max, Arc::clone(&node)));
        Self {
            node,
            versions: greeting.versions,
            expires: greeting.expires,
            queue,
            places: Arc::new(Semaphore::new(in_flight_max)),
            inside,
            next: AtomicI32::new(greeting.next_correlation),
            clock,
            task: Mutex::new(task),
        }
    }

    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    pub(crate) fn versions(&self) -> &Versions {
        &self.versions
    }

    /// A number for the next request.
    pub(crate) fn correlation(&self) -> i32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether a request may be sent on it: it is open, not idle for too long, not at the end of its
    /// authentication, and no answer on it is overdue.
    pub(super) fn is_usable(&self) -> bool {
        let (now, inside) = (self.clock.now(), lock(&self.inside));
        inside.closed.is_none()
            && self.expires.is_none_or(|expires| now < expires)
            && match inside.pending.front() {
                Some(oldest) => now < oldest.due,
                None => now.since(inside.used) < IDLE_MAX,
            }
    }

    /// No request is sent before this many milliseconds have passed: the broker asks for it.
    pub(crate) fn mute(&self, milliseconds: i32) {
        if let Some(pause) = u64::try_from(milliseconds).ok().filter(|pause| *pause > 0) {
            let until = self.clock.now().after(Duration::from_millis(pause));
            let mut inside = lock(&self.inside);
            inside.muted_until = inside.muted_until.max(until);
        }
    }

    /// Sends a request and waits for its answer until `until`. At `due` an answer is overdue, and with it
    /// the connection.
    ///
    /// Cancel safe: a request that was not sent is not sent any more; the answer to one that was is
    /// dropped.
    pub(crate) async fn exchange(
        &self,
        correlation: i32,
        segments: Segments,
        due: Moment,
        until: Moment,
    ) -> Result<Bytes, Fault> {
        let late = |what: &str| Error::retry("no-answer", format!("broker {}: {what} in time", self.node));
        let place = tokio::select! {
            biased;
            place = Arc::clone(&self.places).acquire_owned() => place.map_err(|_| Fault::Unsent(self.why_closed()))?,
            () = self.clock.sleep_until(until) => return Err(Fault::Unsent(late("no request before was answered"))),
        };
        let muted_until = lock(&self.inside).muted_until;
        if muted_until > self.clock.now() {
            if muted_until >= until {
                let text = format!("broker {} asks for a pause longer than the call's deadline", self.node);
                return Err(Fault::Unsent(Error::retry("throttled", text)));
            }
            self.clock.sleep_until(muted_until).await;
        }
        let ticket = Arc::new(Ticket::default());
        let withdraw = Withdraw(Arc::clone(&ticket));
        let (answer, answered) = oneshot::channel();
        let pending = Pending { correlation, due, answer, _place: place };
        if self.queue.send(Outgoing { segments, ticket: Arc::clone(&ticket), pending }).is_err() {
            return Err(Fault::Unsent(self.why_closed()));
        }
        let outcome = tokio::select! {
            biased;
            frame = answered => frame.map_err(|_| self.why_closed()),
            () = self.clock.sleep_until(until) => Err(late("no answer")),
        };
        outcome.map_err(|error| {
            drop(withdraw);
            let unsent = ticket.0.load(Ordering::SeqCst) == WITHDRAWN;
            if self.clock.now() >= due {
                self.close(&error);
            }
            if unsent { Fault::Unsent(error) } else { Fault::Unanswered(error) }
        })
    }

    /// Closes it: what is under way on it gets no answer.
    pub(crate) fn close(&self, why: &Error) {
        lock(&self.task).abort_all();
        end(&self.inside, why.clone());
    }

    /// Closes it if an answer on it is overdue; otherwise it ends with the last who waits on it.
    pub(super) fn retire(&self) {
        let now = self.clock.now();
        let overdue = lock(&self.inside).pending.front().is_some_and(|oldest| oldest.due <= now);
        if overdue {
            self.close(&Error::retry("no-answer", format!("broker {}: an answer is overdue", self.node)));
        }
    }

    fn why_closed(&self) -> Error {
        let closed = lock(&self.inside).closed.clone();
        closed.unwrap_or_else(|| Error::retry("connection-lost", format!("broker {}: the connection ended", self.node)))
    }
}

/// What was learnt while the connection was opened.
pub(super) struct Greeting {
    pub(super) versions: Versions,
    /// When the broker wants to see the password again.
    pub(super) expires: Option<Moment>,
    pub(super) next_correlation: i32,
}

fn end(inside: &Mutex<Inside>, why: Error) {
    let mut inside = lock(inside);
    inside.closed.get_or_insert(why);
    inside.pending.clear();
}

async fn serve(
    stream: Box<dyn Stream>,
    queued: mpsc::UnboundedReceiver<Outgoing>,
    inside: Arc<Mutex<Inside>>,
    frame_max: usize,
    node: Arc<str>,
) {
    let (reading, writing) = tokio::io::split(stream);
    let why = tokio::select! {
        biased;
        why = read(reading, &inside, frame_max) => why,
        why = write(writing, queued, &inside) => why,
    };
    tracing::debug!(%node, %why, "a connection ended");
    end(&inside, why.at(format_args!("broker {node}")));
}

async fn write(
    mut writing: impl AsyncWrite + Unpin,
    mut queued: mpsc::UnboundedReceiver<Outgoing>,
    inside: &Mutex<Inside>,
) -> Error {
    while let Some(Outgoing { mut segments, ticket, pending }) = queued.recv().await {
        if !ticket.move_to(SENT) {
            continue;
        }
        lock(inside).pending.push_back(pending);
        let written = writing.write_all_buf(&mut segments).await;
        if let Err(cause) = if written.is_ok() { writing.flush().await } else { written } {
            return lost(&cause);
        }
    }
    Error::stopped("client-closed", "the client was dropped")
}

async fn read(mut reading: impl AsyncRead + Unpin, inside: &Mutex<Inside>, frame_max: usize) -> Error {
    loop {
        let frame = match read_frame(&mut reading, frame_max).await {
            Ok(frame) => frame,
            Err(error) => return error,
        };
        let mut inside = lock(inside);
        let Some(asked) = inside.pending.pop_front() else {
            return Error::corrupt("bad-frame", "an answer came that nobody asked for");
        };
        if correlation_of(&frame) != Some(asked.correlation) {
            return Error::corrupt("bad-frame", format!("an answer came that is not to request {}", asked.correlation));
        }
        // Whoever asked may have gone away.
        let _ = asked.answer.send(frame);
    }
}

/// Reads one frame without its length.
pub(super) async fn read_frame(reading: &mut (impl AsyncRead + Unpin), frame_max: usize) -> Result<Bytes, Error> {
    let mut prefix = [0; 4];
    reading.read_exact(&mut prefix).await.map_err(|cause| lost(&cause))?;
    let length = body_length(prefix, frame_max)?;
    let mut frame = BytesMut::with_capacity(length.min(RESERVED_MAX));
    while frame.len() < length {
        let mut rest = (&mut *reading).take((length - frame.len()) as u64);
        if rest.read_buf(&mut frame).await.map_err(|cause| lost(&cause))? == 0 {
            return Err(lost(&std::io::ErrorKind::UnexpectedEof.into()));
        }
    }
    Ok(frame.freeze())
}

pub(super) fn lost(cause: &std::io::Error) -> Error {
    #[cfg(feature = "tls")]
    if let Some(error) = crate::tls::fault(cause) {
        return error;
    }
    Error::retry("connection-lost", format!("the connection was lost: {cause}"))
}

#[cfg(test)]
mod tests;
