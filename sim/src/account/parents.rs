//! What hangs on what: contacts on accounts, by the changes that make them and by later ones.

use super::testimony::has_won;
use super::{Account, Deed, Record, Testimony};
use flette_odata::Uuid;
use serde_json::{json, Value as Json};
use std::collections::{BTreeMap, BTreeSet};

/// The lookup by which a contact hangs on an account.
pub const PARENT: &str = "parentcustomerid";
/// Its value as the server lists it.
pub const PARENT_ID: &str = "_parentcustomerid_value";
/// What a row hangs on that hangs on nothing.
pub const NOTHING: Uuid = Uuid::nil();

/// See the module. Whatever a row was to hang on once counts, whether or not it came to that.
#[derive(Debug, Clone, Default)]
pub(super) struct Parents {
    wanted: BTreeMap<Uuid, BTreeSet<Uuid>>,
    stood: BTreeMap<Uuid, BTreeSet<Uuid>>,
}

impl Parents {
    /// A row is to hang on another one.
    pub(super) fn wants(&mut self, row: Uuid, on: Uuid) {
        if on != NOTHING {
            self.wanted.entry(row).or_default().insert(on);
        }
    }

    /// A row hangs on another one on the server, or on nothing.
    pub(super) fn stands(&mut self, row: Uuid, on: Uuid) {
        self.stood.entry(row).or_default().insert(on);
        self.wants(row, on);
    }

    fn stood(&self, row: Uuid, on: Uuid) -> bool {
        self.stood.get(&row).is_some_and(|all| all.contains(&on))
    }

    /// A row, and all that may take it along when it is deleted.
    pub(super) fn line(&self, row: Uuid) -> BTreeSet<Uuid> {
        let (mut line, mut next) = (BTreeSet::from([row]), vec![row]);
        while let Some(row) = next.pop() {
            let above = self.wanted.get(&row).into_iter().flatten();
            next.extend(above.filter(|parent| line.insert(**parent)).copied().collect::<Vec<_>>());
        }
        line
    }

    /// A row is called otherwise.
    pub(super) fn renamed(&mut self, (from, to): (Uuid, Uuid)) {
        let turn = |id: Uuid| if id == from { to } else { id };
        for of_rows in [&mut self.wanted, &mut self.stood] {
            for (row, parents) in std::mem::take(of_rows) {
                of_rows.entry(turn(row)).or_default().extend(parents.into_iter().map(turn));
            }
        }
    }
}

impl Deed {
    /// What its row is to hang on by it, which may be [`NOTHING`]; `None` where it does not say.
    pub fn parent(&self) -> Option<Uuid> {
        match self {
            Deed::Create { parent, .. } | Deed::Edit { parent, .. } => *parent,
            Deed::Delete { .. } => None,
        }
    }
}

impl Account {
    /// Whether what the row of a change was to hang on came to stand, or what the same user wrote over it, or is told of.
    pub(super) fn parent_is_found(&self, record: &Record, told: &Testimony) -> bool {
        let row = record.deed.row();
        // What its device calls otherwise than the server.
        let called =
            |on: Uuid| self.ids.iter().filter(move |(_, ids)| ids.contains(&on)).map(|(local, _)| *local);
        let traced = |on: Uuid| self.parents.stood(row, on) || told.tells_parent(row, on);
        let found = |on: Uuid| traced(on) || called(on).any(traced);
        record.deed.parent().is_none()
            || self.later_of(record).filter_map(|later| later.deed.parent()).any(found)
    }

    /// Whether a device's user has a row hang on something else after he had it hang on this, as far as anybody can tell.
    pub fn hangs_elsewhere_later(&self, device: usize, row: Uuid, on: Uuid) -> bool {
        let of_row = self.records.iter().filter(|record| record.device == device && record.deed.row() == row);
        let last = of_row.filter_map(|record| record.deed.parent()).next_back();
        last.is_some_and(|last| last != on)
    }
}

impl Testimony {
    /// Whether the journal or the conflict log says that a row was to hang on another one, or on nothing, and not that this has won.
    fn tells_parent(&self, row: Uuid, on: Uuid) -> bool {
        let (row, on) = (row.to_string(), in_words(on));
        let said = [
            format!("\"name\":\"{PARENT}\",\"new\":{on}"),
            format!("\"local\":{on},\"name\":\"{PARENT}\""),
            format!("\"{PARENT}\":{on}"),
        ];
        self.all().any(|item| {
            let text = item.to_string();
            text.contains(&row)
                && said.iter().any(|words| text.contains(words))
                && !has_won(item, PARENT, |local| *local == on)
        })
    }
}

/// As exports write the value of the lookup.
fn in_words(on: Uuid) -> Json {
    match on == NOTHING {
        true => json!("Null"),
        false => json!({"Lookup": {"id": on, "table": "account"}}),
    }
}
