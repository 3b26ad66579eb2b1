//! What is cut, as rules for nftables. Pure.

use std::collections::BTreeMap;

use crate::error::Error;

/// Makes an empty table whose rules see what goes from one place to another.
pub(super) const TABLE: &str =
    "nft 'add table ip cuts; add chain ip cuts way { type filter hook forward priority 0; }'";

/// The cuts there are.
#[derive(Debug, Clone, Default)]
pub(super) struct Cuts {
    rules: BTreeMap<String, (u64, String)>,
    made: u64,
}

/// What a cut is called.
pub(super) fn name(from: &str, to: &str, port: Option<&str>) -> String {
    format!("cut {from} -> {to}{}", port.map_or_else(String::new, |port| format!(":{port}")))
}

impl Cuts {
    /// What has to be run to add one. Each has a counter of its own, which outlives changes of the others.
    pub(super) fn cut(&mut self, name: String, rule: String) -> Result<String, Error> {
        if self.rules.contains_key(&name) {
            return Err(Error::Unknown { what: format!("way left to {name}"), known: self.names() });
        }
        self.made += 1;
        self.rules.insert(name, (self.made, rule));
        Ok(self.script(&format!("add counter ip cuts cut{}", self.made)))
    }

    /// What has to be run to take one away.
    pub(super) fn heal(&mut self, name: &str) -> Result<String, Error> {
        self.rules.remove(name).ok_or_else(|| self.unknown(name))?;
        Ok(self.script("flush chain ip cuts way"))
    }

    /// What has to be run to see its counter.
    pub(super) fn question(&self, name: &str) -> Result<String, Error> {
        let (number, _) = self.rules.get(name).ok_or_else(|| self.unknown(name))?;
        Ok(format!("nft list counter ip cuts cut{number}"))
    }

    // All rules anew, in one step: no packet passes in between.
    fn script(&self, first: &str) -> String {
        let mut commands = vec![first.to_owned(), "flush chain ip cuts way".to_owned()];
        let rule =
            |(number, rule): &(u64, String)| format!("add rule ip cuts way {rule} counter name cut{number} drop");
        commands.extend(self.rules.values().map(rule));
        format!("nft '{}'", commands.join("; "))
    }

    fn unknown(&self, name: &str) -> Error {
        Error::Unknown { what: name.to_owned(), known: self.names() }
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.rules.keys().cloned().collect();
        if names.is_empty() { "no cut".to_owned() } else { names.join(", ") }
    }
}

/// Reads `packets 5 bytes 300`.
pub(super) fn packets(answer: &str) -> Option<u64> {
    let mut words = answer.split_whitespace().skip_while(|word| *word != "packets");
    words.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_says_all_rules_anew() {
        let mut cuts = Cuts::default();
        let one = name("a", "b", None);
        let first = cuts.cut(one.clone(), "RULE".to_owned()).unwrap();
        let rule = "add rule ip cuts way RULE counter name cut1 drop";
        assert_eq!(first, format!("nft 'add counter ip cuts cut1; flush chain ip cuts way; {rule}'"));
        assert!(cuts.cut(one.clone(), "RULE".to_owned()).is_err());
        let second = cuts.cut(name("a", "b", Some("sql")), "OTHER".to_owned()).unwrap();
        assert!(second.contains(rule) && second.contains("OTHER counter name cut2"));
        assert!(!cuts.heal(&one).unwrap().contains("cut1"));
        assert!(cuts.heal(&one).unwrap_err().to_string().contains("cut a -> b:sql"));
    }

    #[test]
    fn reads_a_counter() {
        let listed = "table ip cuts {\n\tcounter cut1 {\n\t\tpackets 5 bytes 300\n\t}\n}";
        assert_eq!(packets(listed), Some(5));
        assert_eq!(packets("nothing"), None);
    }
}
