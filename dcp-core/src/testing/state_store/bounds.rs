//! S8: bounds of transactions, keys and values.

use bytes::Bytes;

use super::StateStoreFixture;
use super::steps::{demand_refusal, key, value};
use crate::demand;
use crate::error::ErrorKind;
use crate::ports::state_store::{KEY_MAX_BYTES, Key, StateStore as _, Transaction, VALUE_MAX_BYTES, WRITES_MAX};
use crate::testing::Violation;

/// S8: what is above the bounds is refused and writes nothing.
///
/// # Errors
/// The clause is not kept.
pub async fn s8_bounds_are_kept<Fx: StateStoreFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let store = fixture.store();
    let sized = |bytes| Bytes::from(vec![7; bytes]);
    let mut writes = Transaction::new();
    let mut conditions = Transaction::new().put(key("0")?, "x");
    for number in 0..=WRITES_MAX {
        writes = writes.put(key(number.to_string())?, "x");
        conditions = conditions.absent(key(format!("absent/{number}"))?);
    }
    let value_above = Transaction::new().put(key("0")?, "x").put(key("1")?, sized(VALUE_MAX_BYTES + 1));
    for (what, transaction) in
        [("too many writes", writes), ("too many conditions", conditions), ("a value above the bound", value_above)]
    {
        demand_refusal(store.commit(transaction).await, ErrorKind::Invalid, what)?;
        demand!(value(&store, "0").await?.is_none(), "{what}: the refused commit wrote something");
    }
    demand!(Key::new("k".repeat(KEY_MAX_BYTES + 1)).is_err(), "a key above the bound was taken");
    let longest = key("k".repeat(KEY_MAX_BYTES))?;
    let largest = sized(VALUE_MAX_BYTES);
    store.commit(Transaction::new().put(longest.clone(), largest.clone())).await?;
    let read = store.read(&longest).await?.map(|entry| entry.value);
    demand!(read == Some(largest), "a value at the bound was not read back");
    Ok(())
}
