//! Whether what answers is still the store that was opened, with the history that it had.
//!
//! A name may lead to another server tomorrow: to a standby that lacks the last commits, to a restored
//! backup, to a schema that was made anew. Each question is therefore followed by one for the store's
//! incarnation, on the same connection and in the same breath: behind the question, since what is the same store
//! afterwards was the same before. What a reader or a writer knows to be committed is compared with what is there.

use tokio_postgres::Row;

use super::rows;
use super::server::{Server, Session, Value};
use crate::error::Error;
use crate::log::LogId;
use crate::position::{LogIncarnation, PrefixDigest};

/// Asks, and refuses the answer of another store.
pub(super) async fn ask(
    server: &Server,
    incarnation: LogIncarnation,
    text: &str,
    values: &[Value<'_>],
) -> Result<Vec<Row>, Error> {
    server.read(async |session| ask_in(server, session, incarnation, text, values).await).await
}

/// The same on a connection that the caller has.
pub(super) async fn ask_in(
    server: &Server,
    session: &Session,
    incarnation: LogIncarnation,
    text: &str,
    values: &[Value<'_>],
) -> Result<Vec<Row>, Error> {
    // Prepared before either is sent, so that the second stays behind the first.
    let question = session.prepared(text).await?;
    let which = session.prepared(&server.statements.incarnation).await?;
    let (answer, store) = tokio::join!(biased; session.rows(&question, values), session.rows(&which, &[]));
    let answer = answer?;
    check_store(&store?, incarnation)?;
    Ok(answer)
}

/// Refuses another incarnation than the one that was opened.
pub(super) fn check_store(answer: &[Row], incarnation: LogIncarnation) -> Result<(), Error> {
    let same = answer.first().is_some_and(|row| row.get::<_, &[u8]>(0) == incarnation.as_bytes());
    if same { Ok(()) } else { Err(other_store()) }
}

pub(super) fn other_store() -> Error {
    Error::corrupt(
        "other-incarnation",
        "the store was made anew under this connection, and holds another history: stop what uses it, and open it again \
         once it is known which store is the right one",
    )
}

/// Refuses a log that is behind what is known to have been committed to it, or continues otherwise. Asked under the
/// log's lock.
pub(super) async fn check_history(
    server: &Server,
    session: &Session,
    log: &LogId,
    known: PrefixDigest,
    now: PrefixDigest,
) -> Result<(), Error> {
    check_end(log, known, now)?;
    if known.count == 0 || now.count == known.count {
        return Ok(());
    }
    let (scope, origin) = (log.scope().as_str(), log.origin().as_str());
    let (partition, rank) = (i64::from(log.partition()), rows::signed(known.count)?);
    check_record(&session.ask(&server.statements.prefix, &[&scope, &origin, &partition, &rank]).await?, log, known)
}

/// The same as far as it can be told without a question: a log that has grown past what is known may continue
/// otherwise all the same. `known` is taken before `now` is asked for.
pub(super) fn check_end(log: &LogId, known: PrefixDigest, now: PrefixDigest) -> Result<(), Error> {
    let behind = now.count < known.count || (now.count == known.count && now.digest != known.digest);
    if behind { Err(went_back(log, known.count)) } else { Ok(()) }
}

/// Refuses an answer in which a log's digest at a known record is absent or another one.
pub(super) fn check_record(answer: &[Row], log: &LogId, known: PrefixDigest) -> Result<(), Error> {
    let same = answer.first().is_some_and(|row| row.get::<_, &[u8]>(0) == known.digest.as_bytes());
    if known.count == 0 || same { Ok(()) } else { Err(went_back(log, known.count)) }
}

pub(super) fn went_back(log: &LogId, rank: u64) -> Error {
    let message = format!(
        "{log}: record {rank}, which was committed, is gone or is another one: the server behind this store went back, \
         as a standby does that lacks the last commits, or a restored backup. Nothing was written. Keep the region closed, \
         and connect it to the right server or reseed it from its peer"
    );
    Error::corrupt("went-back", message)
}
