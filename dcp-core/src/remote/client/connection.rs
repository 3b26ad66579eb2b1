//! One connection and the request on it.
//!
//! A connection is driven by the call that uses it, and rests undriven between calls: no task of its
//! own, so that nothing outlives a caller, and a dropped call closes its connection.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::outcome::Lost;
use crate::remote::wire::{BODY_MAX_BYTES, MEDIA_TYPE};

/// A request's body.
pub(super) type Body = Full<Bytes>;

/// A whole answer of one of our servers.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// Why a request has no answer.
pub(super) enum Unanswered {
    /// The connection gave the request back: none of it was written.
    Unsent(Box<Request<Body>>, String),
    /// It may have been written.
    Lost(Lost),
}

/// An open connection that no request is using.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    driver: http1::Connection<TokioIo<TcpStream>, Body>,
}

impl Connection {
    /// Takes a connected stream.
    pub(super) async fn over(stream: TcpStream) -> Result<Self, String> {
        stream.set_nodelay(true).map_err(|cause| cause.to_string())?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(|cause| cause.to_string())?;
        Ok(Self { sender, driver })
    }

    /// Whether a request can be sent: false if the other side has closed meanwhile.
    pub(super) async fn usable(&mut self) -> bool {
        tokio::select! {
            biased;
            // Looks at the socket first, and thereby sees that it was closed.
            _ended = &mut self.driver => false,
            ready = self.sender.ready() => ready.is_ok(),
        }
    }

    /// Sends one request and reads the whole answer. The connection comes back if it can be used
    /// again.
    pub(super) async fn send(self, request: Request<Body>) -> (Option<Self>, Result<Answered, Unanswered>) {
        let Self { mut sender, mut driver } = self;
        let answered = {
            let mut exchange = std::pin::pin!(exchange(&mut sender, request));
            let first = tokio::select! {
                biased;
                answered = exchange.as_mut() => Some(answered),
                _ended = &mut driver => None,
            };
            match first {
                Some(answered) => answered,
                None => {
                    // Dropped, the driver gives back what it has not begun to write and fails the
                    // rest, so that the exchange ends.
                    drop(driver);
                    return (None, exchange.await);
                }
            }
        };
        let again = answered.is_ok() && !sender.is_closed();
        (again.then_some(Self { sender, driver }), answered)
    }
}

async fn exchange(sender: &mut SendRequest<Body>, request: Request<Body>) -> Result<Answered, Unanswered> {
    let response = sender.try_send_request(request).await.map_err(|mut cause| match cause.take_message() {
        // Given back only while no part of it has been written.
        Some(request) => Unanswered::Unsent(Box::new(request), cause.into_error().to_string()),
        None => Unanswered::Lost(Lost::Unknown(format!("the connection broke: {}", cause.into_error()))),
    })?;
    let (head, body) = response.into_parts();
    if head.headers.get(CONTENT_TYPE).is_none_or(|media| media.as_bytes() != MEDIA_TYPE.as_bytes()) {
        let sentence = format!("answer {} is not of {MEDIA_TYPE}: another program has this address", head.status);
        return Err(Unanswered::Lost(Lost::Stranger(sentence)));
    }
    let body = Limited::new(body, BODY_MAX_BYTES).collect().await.map_err(|cause| {
        Unanswered::Lost(Lost::Unknown(format!("the answer broke off or is above {BODY_MAX_BYTES} bytes: {cause}")))
    })?;
    Ok(Answered { status: head.status, body: body.to_bytes() })
}
