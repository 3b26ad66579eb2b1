//! Texts with placeholders in braces. Pure.

use std::collections::BTreeMap;

use crate::error::Error;

/// What the placeholders stand for.
pub(crate) type Values = BTreeMap<String, String>;

/// Fills in every placeholder. What one stands for is taken as it is, braces and all: it may be a path.
pub(crate) fn render(text: &str, values: &Values) -> Result<String, Error> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let (name, after) = after.split_once('}').ok_or_else(|| Error::Placeholder(after.to_owned()))?;
        filled.push_str(values.get(name).ok_or_else(|| Error::Placeholder(name.to_owned()))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        [("name", "etcd-a"), ("port:peer", "7"), ("data", "/a b{c}/{name}")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn fills_in_placeholders_and_leaves_what_they_stand_for_as_it_is() {
        assert_eq!(render("{name}=:{port:peer}!", &values()).unwrap(), "etcd-a=:7!");
        assert_eq!(render("--dir={data}/x", &values()).unwrap(), "--dir=/a b{c}/{name}/x");
        assert_eq!(render("plain", &values()).unwrap(), "plain");
    }

    #[test]
    fn refuses_what_nobody_fills() {
        for text in ["{other}", "{name"] {
            assert!(render(text, &values()).is_err(), "{text}");
        }
    }
}
