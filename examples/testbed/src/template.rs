//! Texts with placeholders in braces. Pure.

use std::collections::BTreeMap;

use crate::error::Error;

/// A filled-in text may hold placeholders again, this deep.
const DEPTH_MAX: u32 = 4;

/// What the placeholders stand for.
pub(crate) type Values = BTreeMap<String, String>;

/// Fills in every placeholder.
pub(crate) fn render(text: &str, values: &Values) -> Result<String, Error> {
    fill(text, values, DEPTH_MAX)
}

fn fill(text: &str, values: &Values, depth: u32) -> Result<String, Error> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let (name, after) = after.split_once('}').ok_or_else(|| Error::Placeholder(after.to_owned()))?;
        let value = values.get(name).filter(|_| depth > 0).ok_or_else(|| Error::Placeholder(name.to_owned()))?;
        filled.push_str(&fill(value, values, depth - 1)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        [("name", "etcd-a"), ("port:peer", "7"), ("url", "http://{name}:{port:peer}"), ("loop", "{loop}")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn fills_in_placeholders_in_placeholders() {
        assert_eq!(render("{name}={url}!", &values()).unwrap(), "etcd-a=http://etcd-a:7!");
        assert_eq!(render("plain", &values()).unwrap(), "plain");
    }

    #[test]
    fn refuses_what_nobody_fills() {
        for text in ["{other}", "{name", "{loop}"] {
            assert!(render(text, &values()).is_err(), "{text}");
        }
    }
}
