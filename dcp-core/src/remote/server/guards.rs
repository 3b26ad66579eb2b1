//! Guards, served to a peer: read the fence, and seal with a token that verifies.

use std::sync::Arc;

use axum::Router;

use super::Guards;
use super::exchange::{Context, effect, read};
use crate::error::{Error, Failure};
use crate::fence::Fence;
use crate::operation::SealReceipt;
use crate::ports::Sealable;
use crate::remote::wire::messages::{GuardRef, SMALL, Seal, paths};
use crate::signed::Keyring;

pub(super) fn routes(context: &Context, guards: Guards) -> Router {
    let reading = Arc::new(guards);
    let sealing = Arc::clone(&reading);
    Router::new()
        .route(
            paths::GUARDS_FENCE,
            read(
                context,
                |_: &Fence| SMALL,
                move |which: GuardRef<'static>| {
                    let guards = Arc::clone(&reading);
                    async move { find(&guards, &which)?.0.fence().await }
                },
            ),
        )
        .route(
            paths::GUARDS_SEAL,
            effect(
                context,
                |receipt: &SealReceipt| SMALL + receipt.ends.len() * 320,
                move |question: Seal<'static>| {
                    let guards = Arc::clone(&sealing);
                    async move { seal(&guards, &question).await }
                },
            ),
        )
}

async fn seal(guards: &Guards, question: &Seal<'_>) -> Result<SealReceipt, Failure> {
    let (guard, keyring) = find(guards, &question.guard).map_err(Failure::NotApplied)?;
    let token = question.token.verify(keyring).map_err(Failure::NotApplied)?;
    guard.seal(&token).await
}

fn find<'a>(guards: &'a Guards, which: &GuardRef<'_>) -> Result<&'a (Arc<dyn Sealable>, Arc<Keyring>), Error> {
    let found = guards
        .get(which.resource.as_ref())
        .ok_or_else(|| Error::invalid("unknown-guard", format!("no guard of {} is offered here", which.resource)))?;
    if found.0.slice() != which.slice.as_ref() {
        return Err(Error::refused(
            "other-slice",
            format!("the guard of {} stands at {} and not at {}", which.resource, found.0.slice(), which.slice),
        ));
    }
    Ok(found)
}
