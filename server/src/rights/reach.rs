//! Which rows of a table somebody reaches, as a set that can be asked, joined with another and told in SQL.

use flette_odata::Uuid;
use std::collections::BTreeSet;

/// Rows of one table that somebody reaches by one verb.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// All of them.
    All,
    /// Those of a business unit or an owner among these.
    Some {
        /// Business units.
        units: BTreeSet<Uuid>,
        /// Users and teams.
        owners: BTreeSet<Uuid>,
    },
    /// Those that both hold; neither holds all of the other.
    Both(Box<[Reach; 2]>),
}

impl Reach {
    /// No row.
    pub fn none() -> Reach {
        Reach::Some { units: BTreeSet::new(), owners: BTreeSet::new() }
    }

    /// Whether it holds no row, whatever rows there are.
    pub fn is_none(&self) -> bool {
        matches!(self, Reach::Some { units, owners } if units.is_empty() && owners.is_empty())
    }

    /// Whether a row of this owner and business unit is in it.
    pub fn covers(&self, owner: Option<Uuid>, unit: Option<Uuid>) -> bool {
        match self {
            Reach::All => true,
            Reach::Some { units, owners } => {
                unit.is_some_and(|unit| units.contains(&unit))
                    || owner.is_some_and(|owner| owners.contains(&owner))
            }
            Reach::Both(parts) => parts.iter().all(|part| part.covers(owner, unit)),
        }
    }

    /// The rows of this one that the other holds too.
    pub fn and(self, other: Reach) -> Reach {
        if other.holds(&self) {
            self
        } else if self.holds(&other) {
            other
        } else {
            Reach::Both(Box::new([self, other]))
        }
    }

    /// Whether it holds every row of the other, whatever rows there are. `false` where that takes more than a look.
    fn holds(&self, other: &Reach) -> bool {
        match (self, other) {
            (Reach::All, _) => true,
            (Reach::Some { units, owners }, Reach::Some { units: other_units, owners: other_owners }) => {
                other_units.is_subset(units) && other_owners.is_subset(owners)
            }
            (Reach::Some { .. } | Reach::Both(_), _) => self == other,
        }
    }
}
