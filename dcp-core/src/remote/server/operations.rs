//! Operations of the service's own, behind the same key and rules.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use bytes::Bytes;

use super::exchange::{Context, effect};
use crate::error::{Error, Failure};
use crate::remote::wire::messages::{SMALL, paths};

/// What a service offers beside the ports, such as starting a run or answering its status.
#[async_trait]
pub trait RemoteOperation: fmt::Debug + Send + Sync + 'static {
    /// Does it. The call runs to its end, also when its caller has gone away, so that it must be
    /// safe to send again.
    ///
    /// # Errors
    /// What the caller is to be told, as it is.
    async fn call(&self, body: Bytes) -> Result<Bytes, Failure>;
}

/// The path of an operation.
///
/// # Errors
/// `Invalid` for a name that is empty, above 100 bytes, or of other characters.
pub(in crate::remote) fn path_of(name: &str) -> Result<String, Error> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-/".contains(&byte);
    let parts_named = name.split('/').all(|part| !part.is_empty());
    if name.len() > 100 || !parts_named || !name.bytes().all(legal) {
        return Err(Error::invalid(
            "bad-operation-name",
            format!("operation {name:?}: use 1 to 100 of a-z, 0-9, '-', with single '/' between parts"),
        ));
    }
    Ok(format!("{}{name}", paths::OPERATIONS))
}

pub(super) fn routes(context: &Context, operations: Vec<(String, Arc<dyn RemoteOperation>)>) -> Result<Router, Error> {
    let mut router = Router::new();
    let mut taken = BTreeSet::new();
    for (name, operation) in operations {
        let path = path_of(&name)?;
        if !taken.insert(name.clone()) {
            return Err(Error::invalid("duplicate-operation", format!("two operations are offered as {name}")));
        }
        let handler = move |body: Bytes| {
            let operation = Arc::clone(&operation);
            async move { operation.call(body).await }
        };
        router = router.route(&path, effect(context, |answer: &Bytes| SMALL + answer.len(), handler));
    }
    Ok(router)
}
