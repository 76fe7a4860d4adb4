//! Roles a new database begins with. They are ordinary rows: an administrator may change and add to them.

use crate::db::rights::{ADMINISTRATOR_TEMPLATE, LEVEL_COLUMNS};
use crate::db::Writer;
use crate::rights::{Depth, Verb, ACT_FOR_OTHERS, EVERY_TABLE};
use crate::schema::id_of;
use flette_odata::error::Result;
use flette_odata::{ODataError, Row, Uuid, Value};

/// A role of a new database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything, whatever tables there will be.
    Administrator,
    /// Every row of every table that grants no rights.
    SalesManager,
    /// The same within the business unit.
    Salesperson,
    /// The same with one's own rows.
    BasicUser,
    /// Acting for other users, and nothing else: it is held beside another role.
    Delegate,
}

/// Tables that everybody reads: owners have names.
const READ_BY_ALL: [&str; 3] = ["systemuser", "team", "businessunit"];

impl Role {
    /// Every role of this module.
    pub const ALL: [Role; 5] =
        [Role::Administrator, Role::SalesManager, Role::Salesperson, Role::BasicUser, Role::Delegate];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Administrator => "System Administrator",
            Role::SalesManager => "Sales Manager",
            Role::Salesperson => "Salesperson",
            Role::BasicUser => "Basic User",
            Role::Delegate => "Delegate",
        }
    }

    /// `roleid`, the same in every database.
    pub fn id(self) -> Uuid {
        id_of(&format!("role/{}", self.name()))
    }

    /// Levels by table; an administrator needs none.
    fn levels(self) -> Vec<(&'static str, &'static [Verb], Depth)> {
        let write: &[Verb] = &[Verb::Write];
        let depth = match self {
            Role::Administrator => return Vec::new(),
            Role::Delegate => return vec![(ACT_FOR_OTHERS, write, Depth::Organization)],
            Role::SalesManager => Depth::Organization,
            Role::Salesperson => Depth::Unit,
            Role::BasicUser => Depth::User,
        };
        let read: &[Verb] = &[Verb::Read];
        let mut levels: Vec<(&str, &[Verb], Depth)> = vec![(EVERY_TABLE, &Verb::ALL, depth)];
        levels.extend(READ_BY_ALL.map(|table| (table, read, Depth::Organization)));
        levels
    }
}

/// Adds the roles that are missing. A role that is there stays as it is.
pub(super) fn found(writer: &Writer, unit: Uuid, now: i64) -> Result<()> {
    for role in Role::ALL {
        let mut values = vec![
            ("name", Value::Text(role.name().to_owned())),
            ("businessunitid", super::lookup("businessunit", unit)),
        ];
        if role == Role::Administrator {
            values.push(("roletemplateid", Value::Guid(ADMINISTRATOR_TEMPLATE)));
        }
        if !super::add(writer, "role", role.id(), values, now)? {
            continue;
        }
        for (table, verbs, depth) in role.levels() {
            let level = |verb: &Verb| if verbs.contains(verb) { depth.mask() } else { 0 };
            let mut values = vec![
                ("roleid", super::lookup("role", role.id())),
                ("objecttypecode", Value::Text(table.to_owned())),
            ];
            values.extend(LEVEL_COLUMNS.iter().map(|(verb, column)| (*column, Value::Int(level(verb)))));
            let id = id_of(&format!("roleprivilege/{}/{table}", role.name()));
            super::add(writer, "roleprivilege", id, values, now)?;
        }
    }
    Ok(())
}

/// Gives a role to a user who does not have it.
///
/// # Errors
/// 500 when the database fails.
pub fn give(writer: &Writer, user: Uuid, role: Role) -> Result<()> {
    let missing = || ODataError::new(500, "", "The schema has no table of roles.");
    let table = writer.schema.table("systemuserroles").ok_or_else(missing)?;
    let id = id_of(&format!("systemuserroles/{user}/{}", role.id()));
    if writer.is_taken(table, id)? {
        return Ok(());
    }
    let row = Row::from([
        (table.primary_id.clone(), Value::Guid(id)),
        ("systemuserid".to_owned(), Value::Guid(user)),
        ("roleid".to_owned(), Value::Guid(role.id())),
    ]);
    writer.insert(table, &row).map(drop)
}
