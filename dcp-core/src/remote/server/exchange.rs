//! One request: key, body, question, answer.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::connections::KeyShown;
use super::effects::Effects;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Failure};
use crate::remote::bearer::BearerKey;
use crate::remote::wire::{self, Answer, BODY_MAX_BYTES, MEDIA_TYPE};

/// How long a client may take to send a request's body.
const BODY_WAIT: Duration = Duration::from_secs(30);

/// What every handler needs.
#[derive(Debug, Clone)]
pub(super) struct Context {
    clock: Arc<dyn Clock>,
    effects: Effects,
    stop: CancellationToken,
}

impl Context {
    pub(super) fn new(clock: Arc<dyn Clock>, effects: Effects, stop: CancellationToken) -> Self {
        Self { clock, effects, stop }
    }

    async fn question<Q: DeserializeOwned>(&self, request: Request) -> Result<Q, Response> {
        let collected = Limited::new(request.into_body(), BODY_MAX_BYTES).collect();
        let body = tokio::select! {
            biased;
            body = collected => body,
            () = self.clock.sleep(BODY_WAIT) => {
                let late = Error::retry("body-late", format!("the request's body did not arrive within {BODY_WAIT:?}"));
                return Err(rejection(StatusCode::REQUEST_TIMEOUT, late));
            }
        };
        let body = body.map_err(|cause| {
            // Either too long, or the client has gone away and will not read this.
            let error = Error::invalid("body-unread", format!("request body: {cause}; at most {BODY_MAX_BYTES} bytes"));
            rejection(StatusCode::PAYLOAD_TOO_LARGE, error)
        })?;
        wire::decode(&body.to_bytes()).map_err(|error| rejection(StatusCode::BAD_REQUEST, error))
    }
}

/// A read: dropped when its client goes away or the server stops.
pub(super) fn read<Q, A, F, R>(context: &Context, capacity: fn(&A) -> usize, handler: F) -> MethodRouter
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    F: Fn(Q) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<A, Error>> + Send + 'static,
{
    let context = context.clone();
    post(move |request: Request| async move {
        let question = match context.question(request).await {
            Ok(question) => question,
            Err(response) => return response,
        };
        let found = tokio::select! {
            biased;
            found = handler(question) => found,
            () = context.stop.cancelled() => Err(Error::retry("server-stopping", "the server is being stopped")),
        };
        match found.and_then(|found| wire::encode(&Answer::Ok(&found), capacity(&found))) {
            Ok(body) => respond(StatusCode::OK, body),
            Err(error) => reject(Failure::NotApplied(error)),
        }
    })
}

/// An effect: once begun, it runs to its end.
pub(super) fn effect<Q, A, F, R>(context: &Context, capacity: fn(&A) -> usize, handler: F) -> MethodRouter
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    F: Fn(Q) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<A, Failure>> + Send + 'static,
{
    let context = context.clone();
    post(move |request: Request| async move {
        let question = match context.question(request).await {
            Ok(question) => question,
            Err(response) => return response,
        };
        let done = match context.effects.run(handler(question)).await {
            Ok(done) => done,
            Err(failure) => return reject(failure),
        };
        match wire::encode(&Answer::Ok(&done), capacity(&done)) {
            Ok(body) => respond(StatusCode::OK, body),
            // It happened, and its answer cannot be told: unknown to the caller.
            Err(error) => reject(Failure::in_doubt("unwritable-answer", error.to_string())),
        }
    })
}

/// Puts the key before every path, known or not.
pub(super) fn guarded(context: &Context, router: Router, key: BearerKey) -> Router {
    router
        .fallback(|request: Request| async move {
            let path = request.uri().path().to_owned();
            let error = Error::invalid("not-offered", format!("{path}: this server does not offer it"));
            rejection(StatusCode::NOT_FOUND, error)
        })
        .method_not_allowed_fallback(|| async {
            rejection(StatusCode::METHOD_NOT_ALLOWED, Error::invalid("not-post", "every request is a POST"))
        })
        .layer(from_fn_with_state((Arc::new(key), Arc::clone(&context.clock)), authorize))
}

async fn authorize(
    State((key, clock)): State<(Arc<BearerKey>, Arc<dyn Clock>)>,
    request: Request,
    next: Next,
) -> Response {
    let presented = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    if key.is_presented_by(presented) {
        if let Some(shown) = request.extensions().get::<KeyShown>() {
            shown.note();
        }
        return next.run(request).await;
    }
    // A client that is still sending would see a reset and not the answer.
    discard(request.into_body(), clock.as_ref()).await;
    let error = Error::refused("wrong-key", "the bearer key is missing or wrong");
    let mut response = rejection(StatusCode::UNAUTHORIZED, error);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Reads a body of lawful size to its end and keeps nothing of it.
async fn discard(body: Body, clock: &dyn Clock) {
    let mut body = Limited::new(body, BODY_MAX_BYTES);
    let discarded = async { while let Some(Ok(_)) = body.frame().await {} };
    tokio::select! {
        biased;
        () = discarded => {}
        () = clock.sleep(BODY_WAIT) => {}
    }
}

fn reject(failure: Failure) -> Response {
    rejected(status(&failure), failure)
}

fn rejection(status: StatusCode, error: Error) -> Response {
    rejected(status, Failure::NotApplied(error))
}

fn rejected(status: StatusCode, failure: Failure) -> Response {
    match wire::encode(&Answer::<()>::Err(failure), 256) {
        Ok(body) => respond(status, body),
        Err(cause) => {
            // Only a message above the largest body comes here; an empty one is unreadable, and so
            // in doubt for the caller of an effect.
            tracing::error!(%cause, "a failure could not be written");
            respond(StatusCode::INTERNAL_SERVER_ERROR, Bytes::new())
        }
    }
}

fn respond(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}

/// For people and proxies; a client looks at the body alone.
fn status(failure: &Failure) -> StatusCode {
    match failure {
        Failure::InDoubt(_) => StatusCode::INTERNAL_SERVER_ERROR,
        Failure::NotApplied(error) => match error.kind() {
            ErrorKind::Retry => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Conflict | ErrorKind::Fenced => StatusCode::CONFLICT,
            ErrorKind::Refused => StatusCode::FORBIDDEN,
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::Corrupt | ErrorKind::Stopped => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}
