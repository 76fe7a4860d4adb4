//! Rights in SQL: what the database says of a user, and the predicates that rights become.

use super::cells::id_value;
use super::meta::Fact;
use super::rows::lookup_id;
use super::{name, Reader, SqlRow, Writer};
use crate::rights::{
    is_party, ColumnGrant, Depth, Holdings, Privilege, Reach, Rights, Verb, View, OWNER, OWNING_UNIT,
    SECURITY_TABLES,
};
use flette_odata::error::Result;
use flette_odata::{Column, ColumnKind, EntityRef, Row, Table, Uuid, Value};
use sea_query::{Expr, Query, SelectStatement, SimpleExpr};
use std::sync::Arc;

/// `roletemplateid` of the role whose holders may do everything, as in Dataverse.
pub const ADMINISTRATOR_TEMPLATE: Uuid = Uuid::from_u128(0x627090ff_40a3_4053_8790_584edc5be201);

/// Column of a role's levels, by verb.
pub const LEVEL_COLUMNS: [(Verb, &str); 5] = [
    (Verb::Create, "createlevel"),
    (Verb::Read, "readlevel"),
    (Verb::Write, "writelevel"),
    (Verb::Delete, "deletelevel"),
    (Verb::Assign, "assignlevel"),
];

/// Which rows and cells somebody sees. The one predicate of reads, counts, feeds and writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// All: the server's own work.
    Everything,
    /// What rights let through.
    Of(Arc<Rights>),
    /// What somebody saw of the one table a query is about, at another time.
    Past(Arc<View>),
}

impl Sight {
    /// Rows of a table that are in sight.
    pub fn reach(&self, table: &Table) -> Reach {
        match self {
            Sight::Everything => Reach::All,
            Sight::Of(rights) => rights.reach(Verb::Read, table),
            Sight::Past(view) => view.reach.clone(),
        }
    }

    /// The condition on rows of a table, which stands under `alias` in the statement; `None` when all are
    /// seen.
    pub(crate) fn condition(&self, table: &Table, alias: &str) -> Option<SimpleExpr> {
        condition(&self.reach(table), table, alias)
    }

    /// Whether the values of a column are hidden: they read as null.
    pub fn masks(&self, table: &Table, column: &Column) -> bool {
        match self {
            Sight::Everything => false,
            Sight::Of(rights) => rights.masks(table, column),
            Sight::Past(view) => view.masked.contains(&column.logical_name),
        }
    }

    /// What is seen of one table, as a value.
    pub fn view(&self, table: &Table) -> View {
        match self {
            Sight::Everything => View::everything(),
            Sight::Of(rights) => View::of(rights, table),
            Sight::Past(view) => View::clone(view),
        }
    }

    /// Whether everything may be done, definitions included.
    pub fn is_administrator(&self) -> bool {
        match self {
            Sight::Everything => true,
            Sight::Of(rights) => rights.is_administrator(),
            Sight::Past(_) => false,
        }
    }

    /// Whether this may be done with a row that is there, or is to be.
    pub fn may(&self, verb: Verb, table: &Table, row: &Row) -> bool {
        match self {
            Sight::Everything => true,
            Sight::Of(rights) => rights.may(verb, table, row),
            Sight::Past(_) => false,
        }
    }
}

/// Who owns a row, and which business unit it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership {
    /// User or team.
    pub owner: Option<Uuid>,
    /// Business unit.
    pub unit: Option<Uuid>,
}

impl Ownership {
    /// Of a row.
    pub fn of(row: &Row) -> Ownership {
        Ownership { owner: lookup_id(row, OWNER), unit: lookup_id(row, OWNING_UNIT) }
    }

    /// Follows a change of a column.
    pub(super) fn change(&mut self, column: &str, value: &Value) {
        let id = match value {
            Value::Lookup(to) => Some(to.id),
            _ => None,
        };
        match column {
            OWNER => self.owner = id,
            OWNING_UNIT => self.unit = id,
            _ => {}
        }
    }
}

/// Rows in reach, of a table that stands under `alias`; `None` when all are.
pub(crate) fn condition(reach: &Reach, table: &Table, alias: &str) -> Option<SimpleExpr> {
    match is_party(table) {
        true => party_condition(reach, table, alias),
        false => condition_on(reach, alias, (OWNER, OWNING_UNIT)),
    }
}

/// Parties of activities in reach. Only one of the activities' tables holds the id that a party names.
fn party_condition(reach: &Reach, table: &Table, alias: &str) -> Option<SimpleExpr> {
    const ACTIVITY: &str = "activityid";
    if *reach == Reach::All {
        return None;
    }
    let targets = table.column(ACTIVITY).map(|column| match &column.kind {
        ColumnKind::Lookup { targets } => targets.as_slice(),
        _ => &[],
    });
    let seen = targets.unwrap_or_default().iter().map(|target| {
        // A name that no statement uses otherwise.
        let activity = format!("{alias}_{}", target.table);
        let mut query = Query::select();
        query
            .expr(Expr::cust("1"))
            .from_as(name(&target.table), name(&activity))
            .and_where(Expr::col((name(&activity), name(ACTIVITY))).equals((name(alias), name(ACTIVITY))))
            .and_where_option(condition_on(reach, &activity, (OWNER, OWNING_UNIT)));
        Expr::exists(query)
    });
    Some(seen.reduce(SimpleExpr::or).unwrap_or_else(|| Expr::value(false)))
}

/// The same where owner and business unit stand in columns of these names.
pub(super) fn condition_on(reach: &Reach, alias: &str, (owner, unit): (&str, &str)) -> Option<SimpleExpr> {
    let (units, owners) = match reach {
        Reach::All => return None,
        Reach::Some { units, owners } => (units, owners),
        Reach::Both(parts) => {
            let parts = parts.iter().filter_map(|part| condition_on(part, alias, (owner, unit)));
            return parts.reduce(SimpleExpr::and);
        }
    };
    let column = |column: &str| Expr::col((name(alias), name(column)));
    let among = |column: Expr, ids: &std::collections::BTreeSet<Uuid>| {
        (!ids.is_empty()).then(|| column.is_in(ids.iter().map(|id| id_value(*id))))
    };
    let parts = [among(column(unit), units), among(column(owner), owners)];
    let any = parts.into_iter().flatten().reduce(SimpleExpr::or);
    Some(any.unwrap_or_else(|| Expr::value(false)))
}

impl Reader<'_> {
    /// Another one after every change of what rights are made of; the same text never comes again.
    pub fn rights_version(&self) -> Result<Option<String>> {
        self.fact(Fact::RightsVersion)
    }

    /// What the database says of a user and its name; `None` when there is no such user, or it is disabled.
    pub fn holdings(&self, user: Uuid) -> Result<Option<(Holdings, String)>> {
        let mut query = Query::select();
        query
            .columns(["businessunitid", "fullname", "isdisabled"].map(name))
            .from(name("systemuser"))
            .and_where(Expr::col(name("systemuserid")).eq(id_value(user)));
        let found = self.first(&query, |row| (row.id(0), row.string(1), row.int(2)))?;
        let Some((unit, full_name, disabled)) = found else { return Ok(None) };
        if disabled.is_some_and(|disabled| disabled != 0) {
            return Ok(None);
        }
        let unit = unit.unwrap_or_default();
        let teams = self.teams(user)?;
        // Whoever holds a role or profile: the user, or a team for its members.
        let holders: Vec<(Uuid, Uuid)> = [(user, unit)].into_iter().chain(teams.iter().copied()).collect();
        let roles = self.held(&holders, ("systemuserroles", "teamroles"), "roleid")?;
        let profiles =
            self.held(&holders, ("systemuserprofiles", "teamprofiles"), "fieldsecurityprofileid")?;
        let own_roles = self.held(&[(user, unit)], ("systemuserroles", "teamroles"), "roleid")?;
        let acts = self.privileges(&own_roles)?.iter().any(Privilege::is_to_act_for_others);
        let holdings = Holdings {
            user,
            unit,
            teams,
            administrator: self.is_administrator(&roles)?,
            acts_for_others: acts,
            privileges: self.privileges(&roles)?,
            units: self.units()?.into_iter().collect(),
            columns: self.column_grants(&profiles)?,
        };
        Ok(Some((holdings, full_name)))
    }

    /// The business unit of an owner; `None` when it is no user or team, or the user is disabled.
    pub fn owner_unit(&self, owner: &EntityRef) -> Result<Option<Uuid>> {
        let Some(table) = self.schema.table(&owner.table) else { return Ok(None) };
        let Some(stored) = self.row(table, owner.id, &Sight::Everything)? else { return Ok(None) };
        let disabled = stored.row.get("isdisabled") == Some(&Value::Bool(true));
        Ok(lookup_id(&stored.row, "businessunitid").filter(|_| !disabled))
    }

    /// Rows of a table, when the schema has it.
    fn security<T>(
        &self,
        table: &str,
        query: &SelectStatement,
        read: impl Fn(&SqlRow) -> T,
    ) -> Result<Vec<T>> {
        match self.schema.table(table) {
            Some(_) => self.all(query, read),
            None => Ok(Vec::new()),
        }
    }

    fn teams(&self, user: Uuid) -> Result<Vec<(Uuid, Uuid)>> {
        let team = |column: &str| (name("team"), name(column));
        let mut query = Query::select();
        query
            .columns([team("teamid"), team("businessunitid")])
            .from(name("teammembership"))
            .inner_join(
                name("team"),
                Expr::col(team("teamid")).equals((name("teammembership"), name("teamid"))),
            )
            .and_where(Expr::col((name("teammembership"), name("systemuserid"))).eq(id_value(user)));
        self.security("teammembership", &query, |row| {
            (row.id(0).unwrap_or_default(), row.id(1).unwrap_or_default())
        })
    }

    /// Roles or profiles that a user (the first of the holders) and teams hold, each with the holder's unit.
    fn held(
        &self,
        holders: &[(Uuid, Uuid)],
        (of_user, of_team): (&str, &str),
        column: &str,
    ) -> Result<Vec<(Uuid, Uuid)>> {
        let mut found = Vec::new();
        for (at, (holder, unit)) in holders.iter().enumerate() {
            let (table, key) = if at == 0 { (of_user, "systemuserid") } else { (of_team, "teamid") };
            let mut query = Query::select();
            query
                .column(name(column))
                .from(name(table))
                .and_where(Expr::col(name(key)).eq(id_value(*holder)));
            let held = self.security(table, &query, |row| row.id(0))?;
            found.extend(held.into_iter().flatten().map(|id| (id, *unit)));
        }
        Ok(found)
    }

    fn is_administrator(&self, roles: &[(Uuid, Uuid)]) -> Result<bool> {
        let mut query = Query::select();
        query
            .column(name("roleid"))
            .from(name("role"))
            .and_where(Expr::col(name("roletemplateid")).eq(id_value(ADMINISTRATOR_TEMPLATE)));
        let administrators = self.security("role", &query, |row| row.id(0))?;
        Ok(roles.iter().any(|(role, _)| administrators.contains(&Some(*role))))
    }

    fn privileges(&self, roles: &[(Uuid, Uuid)]) -> Result<Vec<Privilege>> {
        let mut query = Query::select();
        query
            .columns(["roleid", "objecttypecode"].map(name))
            .columns(LEVEL_COLUMNS.map(|(_, column)| name(column)))
            .from(name("roleprivilege"))
            .and_where(Expr::col(name("roleid")).is_in(roles.iter().map(|(role, _)| id_value(*role))));
        let levels = self.security("roleprivilege", &query, |row| {
            let levels = [2, 3, 4, 5, 6].map(|at| row.int(at).and_then(Depth::of_mask));
            (row.id(0).unwrap_or_default(), row.string(1), levels)
        })?;
        let mut privileges = Vec::new();
        for (role, unit) in roles {
            for (_, table, levels) in levels.iter().filter(|(of, _, _)| of == role) {
                let granted = LEVEL_COLUMNS.iter().zip(levels);
                privileges.extend(granted.filter_map(|((verb, _), depth)| {
                    let depth = (*depth)?;
                    Some(Privilege { unit: *unit, table: table.clone(), verb: *verb, depth })
                }));
            }
        }
        Ok(privileges)
    }

    fn units(&self) -> Result<Vec<(Uuid, Option<Uuid>)>> {
        let mut query = Query::select();
        query.columns(["businessunitid", "parentbusinessunitid"].map(name)).from(name("businessunit"));
        self.security("businessunit", &query, |row| (row.id(0).unwrap_or_default(), row.id(1)))
    }

    fn column_grants(&self, profiles: &[(Uuid, Uuid)]) -> Result<Vec<ColumnGrant>> {
        let mut query = Query::select();
        query
            .columns(["entityname", "attributelogicalname", "canread", "cancreate", "canupdate"].map(name))
            .from(name("fieldpermission"))
            .and_where(
                Expr::col(name("fieldsecurityprofileid"))
                    .is_in(profiles.iter().map(|(profile, _)| id_value(*profile))),
            );
        self.security("fieldpermission", &query, |row| {
            let allowed = |at| row.int(at).is_some_and(|value| value != 0);
            ColumnGrant {
                table: row.string(0).to_lowercase(),
                column: row.string(1).to_lowercase(),
                read: allowed(2),
                create: allowed(3),
                update: allowed(4),
            }
        })
    }
}

impl Writer<'_> {
    /// A row of a table was made, changed or removed: rights may be others now.
    pub(super) fn note_rights(&self, table: &Table) -> Result<()> {
        match SECURITY_TABLES.contains(&table.logical_name.as_str()) {
            true => self.set_fact(Fact::RightsVersion, &Uuid::new_v4().to_string()),
            false => Ok(()),
        }
    }
}
