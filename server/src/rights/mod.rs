//! Who may do what, as a pure function of users, teams, business units, roles and profiles.
//!
//! A role grants verbs on tables at a level. Who holds a role, by oneself or by a team, reaches rows by
//! their owner or business unit; [`Reach`] is the set, and the same set decides lists, single rows, feeds
//! and writes.

pub mod mask;
mod reach;
mod view;

pub use reach::Reach;
pub use view::View;

use flette_odata::rules::money::amount_of;
use flette_odata::{Column, Row, Table, Uuid, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Column that says to which business unit a row belongs.
pub const OWNING_UNIT: &str = "owningbusinessunit";
/// Column that says who owns a row: a user or a team.
pub const OWNER: &str = "ownerid";

pub use flette_odata::rules::SECURITY_TABLES;

/// Of these, tables that only administrators change: whoever writes them could grant anything to anybody.
const ADMINISTRATION_TABLES: [&str; 9] = [
    "teammembership",
    "role",
    "roleprivilege",
    "systemuserroles",
    "teamroles",
    "fieldsecurityprofile",
    "fieldpermission",
    "systemuserprofiles",
    "teamprofiles",
];

/// Columns that only administrators write, whoever else may write the rest of the row: whom somebody acts for goes by
/// them.
const ADMINISTRATION_COLUMNS: [(&str, &str); 1] = [("systemuser", "azureactivedirectoryobjectid")];

/// What is done with a row. Dataverse's Append and AppendTo are folded into reading the row that a lookup
/// points to and writing the one that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// A new row.
    Create,
    /// Seeing it.
    Read,
    /// Changing it.
    Write,
    /// Removing it.
    Delete,
    /// Giving it to another owner.
    Assign,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Verb; 5] = [Verb::Create, Verb::Read, Verb::Write, Verb::Delete, Verb::Assign];

    /// The word in the name of a privilege.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Create => "Create",
            Verb::Read => "Read",
            Verb::Write => "Write",
            Verb::Delete => "Delete",
            Verb::Assign => "Assign",
        }
    }
}

/// How far a privilege reaches; `privilegedepthmask` in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Rows owned by the user or one of the user's teams (1).
    User,
    /// Rows of the business unit of whoever holds the role (2).
    Unit,
    /// Rows of that business unit and those below it (4).
    UnitAndBelow,
    /// All rows (8).
    Organization,
}

impl Depth {
    /// From `privilegedepthmask`; the deepest of several.
    pub fn of_mask(mask: i64) -> Option<Depth> {
        let known = [(8, Depth::Organization), (4, Depth::UnitAndBelow), (2, Depth::Unit), (1, Depth::User)];
        known.into_iter().find(|(bit, _)| mask & bit != 0).map(|(_, depth)| depth)
    }

    /// As `privilegedepthmask`.
    pub fn mask(self) -> i64 {
        match self {
            Depth::User => 1,
            Depth::Unit => 2,
            Depth::UnitAndBelow => 4,
            Depth::Organization => 8,
        }
    }
}

/// What stands in a role for every table that is not one of [`SECURITY_TABLES`], those made later among them.
pub const EVERY_TABLE: &str = "*";
/// What stands in a role for all activities: they have their rights in common, as in Dataverse, so that the
/// table of all of them shows what each of them does.
pub const ACTIVITIES: &str = "activitypointer";

/// What stands in a role in place of a table when its holders may act for other users, at `writelevel` 8. No table can
/// have such a name.
pub const ACT_FOR_OTHERS: &str = "prvActOnBehalfOfAnotherUser";

/// Whether the rows of a table say who takes part in an activity: they are seen with it.
pub fn is_party(table: &Table) -> bool {
    table.logical_name == flette_odata::path::PARTY_TABLE
}

/// Whether only administrators write a table's rows, or make its pairs.
pub fn is_administration(table: &Table) -> bool {
    ADMINISTRATION_TABLES.contains(&table.logical_name.as_str())
}

/// The name under which roles hold rights on a table.
fn subject(table: &Table) -> &str {
    match table.activity || is_party(table) {
        true => ACTIVITIES,
        false => &table.logical_name,
    }
}

/// Name of the privilege for a verb on a table as Dataverse writes it, such as `prvReadAccount`.
pub fn privilege_name(verb: Verb, table: &Table) -> String {
    match table.activity {
        true => format!("prv{}Activity", verb.as_str()),
        false => format!("prv{}{}", verb.as_str(), table.schema_name),
    }
}

/// What the database says of one user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// `systemuserid`
    pub user: Uuid,
    /// The user's business unit.
    pub unit: Uuid,
    /// Teams the user is in, with their business units.
    pub teams: Vec<(Uuid, Uuid)>,
    /// Whether the user or one of the teams is an administrator.
    pub administrator: bool,
    /// Whether the user may act for others. Roles of teams do not count, as in Dataverse.
    pub acts_for_others: bool,
    /// What the roles grant.
    pub privileges: Vec<Privilege>,
    /// Business units with those above them.
    pub units: BTreeMap<Uuid, Option<Uuid>>,
    /// What profiles allow for secured columns.
    pub columns: Vec<ColumnGrant>,
}

/// A right that somebody holds by a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privilege {
    /// Business unit of the user or team that holds the role.
    pub unit: Uuid,
    /// Logical name of the table, [`EVERY_TABLE`] or [`ACTIVITIES`].
    pub table: String,
    /// What may be done.
    pub verb: Verb,
    /// With which rows.
    pub depth: Depth,
}

impl Privilege {
    /// Whether it is the right to act for other users.
    pub fn is_to_act_for_others(&self) -> bool {
        let named = self.table.eq_ignore_ascii_case(ACT_FOR_OTHERS);
        named && self.verb == Verb::Write && self.depth == Depth::Organization
    }
}

/// What a profile allows for a secured column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnGrant {
    /// Logical name of the table.
    pub table: String,
    /// Logical name of the column.
    pub column: String,
    /// Seeing the value.
    pub read: bool,
    /// Giving a value in a create.
    pub create: bool,
    /// Changing the value.
    pub update: bool,
}

/// What one user may do: computed once, then asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// `systemuserid`
    pub user: Uuid,
    /// The user's business unit.
    pub unit: Uuid,
    /// Teams the user is in.
    pub teams: Vec<Uuid>,
    administrator: bool,
    acts_for_others: bool,
    /// Rights of whoever acts for this user: what is done must be allowed to both.
    actor: Option<Arc<Rights>>,
    /// By verb, and by the name under which roles hold rights.
    grants: BTreeMap<(Verb, String), Grant>,
    columns: Vec<ColumnGrant>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Grant {
    all: bool,
    own: bool,
    units: BTreeSet<Uuid>,
}

impl Rights {
    /// Puts together what the roles of a user and of the user's teams grant.
    pub fn new(holdings: &Holdings) -> Rights {
        let mut grants: BTreeMap<(Verb, String), Grant> = BTreeMap::new();
        for Privilege { unit, table, verb, depth } in &holdings.privileges {
            let grant = grants.entry((*verb, table.to_lowercase())).or_default();
            // Whoever reaches a business unit reaches own rows elsewhere too.
            grant.own = true;
            match depth {
                Depth::User => {}
                Depth::Unit => {
                    grant.units.insert(*unit);
                }
                Depth::UnitAndBelow => grant.units.extend(below(&holdings.units, *unit)),
                Depth::Organization => grant.all = true,
            }
        }
        Rights {
            user: holdings.user,
            unit: holdings.unit,
            teams: holdings.teams.iter().map(|(team, _)| *team).collect(),
            administrator: holdings.administrator,
            acts_for_others: holdings.acts_for_others,
            actor: None,
            grants,
            columns: holdings.columns.clone(),
        }
    }

    /// The same rights in the hands of somebody who acts for the user: what is left is what both may do.
    pub fn exercised_by(self, actor: Arc<Rights>) -> Rights {
        Rights { actor: Some(actor), ..self }
    }

    /// Whether the user may act for others. Whoever is acted for may not act for others in turn.
    pub fn may_act_for_others(&self) -> bool {
        self.actor.is_none() && (self.administrator || self.acts_for_others)
    }

    fn actor_too(&self, allowed: impl Fn(&Rights) -> bool) -> bool {
        self.actor.as_deref().is_none_or(allowed)
    }

    /// Whether the user may do everything.
    pub fn is_administrator(&self) -> bool {
        self.administrator && self.actor_too(Rights::is_administrator)
    }

    /// Rows of a table that the user reaches by a verb.
    ///
    /// A table whose rows have no owners is read as a whole at any level, and written as a whole at the
    /// level of the organisation; pairs of rows are read at that level too. Parties are reached as their
    /// activities are.
    pub fn reach(&self, verb: Verb, table: &Table) -> Reach {
        let own = self.own_reach(verb, table);
        match &self.actor {
            Some(actor) => own.and(actor.reach(verb, table)),
            None => own,
        }
    }

    fn own_reach(&self, verb: Verb, table: &Table) -> Reach {
        let name = table.logical_name.as_str();
        if self.administrator {
            return Reach::All;
        }
        if verb != Verb::Read && ADMINISTRATION_TABLES.contains(&name) {
            return Reach::none();
        }
        let owned = table.owned || is_party(table);
        let granted = |subject: &str| self.grants.get(&(verb, subject.to_owned()));
        let every = granted(EVERY_TABLE).filter(|_| !SECURITY_TABLES.contains(&name));
        let (mut all, mut own, mut units) = (false, false, BTreeSet::new());
        for grant in every.into_iter().chain(granted(subject(table))) {
            all |= grant.all || !owned && !table.intersect && verb == Verb::Read;
            own |= grant.own;
            units.extend(&grant.units);
        }
        match all {
            true => Reach::All,
            false if !owned => Reach::none(),
            false => {
                let owners = own.then(|| [self.user].into_iter().chain(self.teams.iter().copied()));
                Reach::Some { units, owners: owners.into_iter().flatten().collect() }
            }
        }
    }

    /// Whether the user may do this with a row that is there, or is to be.
    pub fn may(&self, verb: Verb, table: &Table, row: &Row) -> bool {
        self.reach(verb, table).covers(lookup(row, OWNER), lookup(row, OWNING_UNIT))
    }

    fn allows(&self, table: &Table, column: &Column, what: impl Fn(&ColumnGrant) -> bool) -> bool {
        let is_it = |g: &&ColumnGrant| g.table == table.logical_name && g.column == column.logical_name;
        !column.secured || self.administrator || self.columns.iter().filter(is_it).any(what)
    }

    /// Whether a column may be written at all by somebody who may write the row.
    fn administers(&self, table: &Table, column: &Column) -> bool {
        let named = (table.logical_name.as_str(), column.logical_name.as_str());
        !ADMINISTRATION_COLUMNS.contains(&named) || self.administrator
    }

    /// Whether the values of a column are hidden from the user. An amount in the base currency tells the amount that it
    /// is made from, and is hidden with it.
    pub fn masks(&self, table: &Table, column: &Column) -> bool {
        let hidden = |column: &Column| !self.allows(table, column, |grant| grant.read);
        hidden(column)
            || amount_of(table, column).is_some_and(hidden)
            || !self.actor_too(|actor| !actor.masks(table, column))
    }

    /// Whether the user may give a column a value in a new row.
    pub fn may_create_with(&self, table: &Table, column: &Column) -> bool {
        self.allows(table, column, |grant| grant.create)
            && self.administers(table, column)
            && self.actor_too(|actor| actor.may_create_with(table, column))
    }

    /// Whether the user may change a column's value.
    pub fn may_update(&self, table: &Table, column: &Column) -> bool {
        self.allows(table, column, |grant| grant.update)
            && self.administers(table, column)
            && self.actor_too(|actor| actor.may_update(table, column))
    }
}

fn lookup(row: &Row, column: &str) -> Option<Uuid> {
    match row.get(column) {
        Some(Value::Lookup(to)) => Some(to.id),
        _ => None,
    }
}

/// A business unit and those below it. The tree may hold a circle when somebody made one: each unit counts
/// once.
fn below(units: &BTreeMap<Uuid, Option<Uuid>>, top: Uuid) -> BTreeSet<Uuid> {
    let mut found = BTreeSet::from([top]);
    let mut queue = vec![top];
    while let Some(unit) = queue.pop() {
        let children = units.iter().filter(|(_, above)| **above == Some(unit)).map(|(child, _)| *child);
        queue.extend(children.filter(|child| found.insert(*child)));
    }
    found
}

#[cfg(test)]
mod tests;
