//! Where a line is at home: a table of the 38 country names of the file.

use dcp_core::error::Error;
use dcp_core::ids::{RegionId, ScopeId};

/// Countries at home in [`Home::West`].
const WEST: [&str; 3] = ["United Kingdom", "EIRE", "Channel Islands"];

/// Countries at home in [`Home::Central`].
const CENTRAL: [&str; 35] = [
    "Australia",
    "Austria",
    "Bahrain",
    "Belgium",
    "Brazil",
    "Canada",
    "Cyprus",
    "Czech Republic",
    "Denmark",
    "European Community",
    "Finland",
    "France",
    "Germany",
    "Greece",
    "Hong Kong",
    "Iceland",
    "Israel",
    "Italy",
    "Japan",
    "Lebanon",
    "Lithuania",
    "Malta",
    "Netherlands",
    "Norway",
    "Poland",
    "Portugal",
    "RSA",
    "Saudi Arabia",
    "Singapore",
    "Spain",
    "Sweden",
    "Switzerland",
    "USA",
    "United Arab Emirates",
    "Unspecified",
];

/// The home region of an order line, and with it the scope of its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(clippy::exhaustive_enums)]
pub enum Home {
    /// `eu-west-2`.
    West,
    /// `eu-central-1`.
    Central,
}

impl Home {
    /// Both homes.
    pub const ALL: [Self; 2] = [Self::West, Self::Central];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::West => Self::Central,
            Self::Central => Self::West,
        }
    }

    /// Home of a country by its exact name; none for a name outside the table.
    #[must_use]
    pub fn of(country: &str) -> Option<Self> {
        if WEST.contains(&country) {
            Some(Self::West)
        } else if CENTRAL.contains(&country) {
            Some(Self::Central)
        } else {
            None
        }
    }

    /// The home whose region has this name.
    ///
    /// # Errors
    /// `Invalid` for any other region: the order lines are at home in two regions only.
    pub fn of_region(region: &RegionId) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|home| home.region() == region.as_str()).ok_or_else(|| {
            Error::invalid("no-home", format!("{region}: the order lines are at home in eu-west-2 and eu-central-1"))
        })
    }

    /// Name of the region.
    #[must_use]
    pub const fn region(self) -> &'static str {
        match self {
            Self::West => "eu-west-2",
            Self::Central => "eu-central-1",
        }
    }

    /// Name of the scope that its events belong to.
    #[must_use]
    pub const fn scope(self) -> &'static str {
        match self {
            Self::West => "orders.eu-west-2",
            Self::Central => "orders.eu-central-1",
        }
    }

    /// The region.
    #[must_use]
    #[allow(clippy::expect_used, clippy::missing_panics_doc)] // Lawful constants, and a test holds them to it.
    pub fn region_id(self) -> RegionId {
        RegionId::new(self.region()).expect("a lawful constant")
    }

    /// The scope.
    #[must_use]
    #[allow(clippy::expect_used, clippy::missing_panics_doc)] // As above.
    pub fn scope_id(self) -> ScopeId {
        ScopeId::new(self.scope()).expect("a lawful constant")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_38_different_names_each_with_one_home() {
        let names: std::collections::BTreeSet<&str> = WEST.into_iter().chain(CENTRAL).collect();
        assert_eq!(names.len(), 38);
        assert!(WEST.iter().all(|name| Home::of(name) == Some(Home::West)));
        assert!(CENTRAL.iter().all(|name| Home::of(name) == Some(Home::Central)));
    }

    #[test]
    fn any_other_name_is_unknown() {
        for name in ["", "united kingdom", "United Kingdom ", "Atlantis"] {
            assert_eq!(Home::of(name), None, "{name:?}");
        }
    }

    #[test]
    fn regions_and_scopes_are_lawful_names() {
        for home in Home::ALL {
            assert_eq!(Home::of_region(&home.region_id()).unwrap(), home);
            assert_eq!(home.scope_id().as_str(), format!("orders.{}", home.region()));
        }
        assert!(Home::of_region(&RegionId::new("us-east-1").unwrap()).is_err());
    }
}
