//! `Appends`, served.

use std::sync::Arc;

use axum::Router;

use super::exchange::{Context, effect, read};
use crate::error::{Error, Failure};
use crate::ids::RegionId;
use crate::ports::{Appended, Appends};
use crate::remote::wire::messages::{Append, OwnershipOf, SMALL, paths};
use crate::signed::Envelope;

pub(super) fn routes(context: &Context, appends: &Arc<dyn Appends>) -> Router {
    let (owning, appending) = (Arc::clone(appends), Arc::clone(appends));
    Router::new()
        .route(
            paths::APPENDS_OWNERSHIP,
            read(
                context,
                |grant: &Envelope| SMALL + grant.payload().len() * 2,
                move |question: OwnershipOf<'static>| {
                    let appends = Arc::clone(&owning);
                    async move {
                        require_region(appends.region(), &question.region)?;
                        Ok(appends.ownership(&question.slice).await?.envelope().clone())
                    }
                },
            ),
        )
        .route(
            paths::APPENDS_APPEND,
            effect(
                context,
                |appended: &Appended| SMALL + appended.acks.len() * 256,
                move |question: Append<'static>| {
                    let appends = Arc::clone(&appending);
                    async move {
                        require_region(appends.region(), &question.region).map_err(Failure::NotApplied)?;
                        appends.append(question.request.into_owned()).await
                    }
                },
            ),
        )
}

fn require_region(mine: &RegionId, meant: &RegionId) -> Result<(), Error> {
    if mine == meant {
        return Ok(());
    }
    Err(Error::refused("other-region", format!("the request is meant for {meant}, and this is {mine}")))
}
