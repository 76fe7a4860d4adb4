//! The offline profile: what of each table goes offline, which way each of its columns goes, and whose value stands when
//! two sides changed it. Set by whoever installs Flette; `docs/profile.md` shows all of it.

use crate::error::{Error, Result};
use flette_odata::{Column, ColumnKind, ODataError, Schema, Table};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Whose value stands when both sides changed a field. `Newest` is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// The later edit.
    #[default]
    Newest,
    /// The server's.
    Server,
    /// This device's.
    Local,
    /// The server's, until a human has chosen: the conflict stays open.
    Manual,
}

/// Which way a column goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Pulled, and sent.
    #[default]
    Both,
    /// Pulled; it cannot be edited on this device.
    Down,
    /// Sent; once a row is here, no pull changes it.
    Up,
    /// Neither: the column is not kept on this device.
    None,
}

/// What is set for one column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldProfile {
    /// Before the rule of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<Rule>,
    /// Which way it goes.
    pub direction: Direction,
}

/// What is set for one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableProfile {
    /// For all its columns, and for deletions of its rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<Rule>,
    /// By logical name of the column.
    pub fields: BTreeMap<String, FieldProfile>,
    /// Which rows go offline. All when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowsOf>,
    /// Navigation properties of the table: rows come too from which one leads to a row that the `rows` of the other table
    /// keep. Without `rows` here, only those come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<String>,
    /// Logical names of the columns that go offline, besides those that always do. All when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
}

/// What says which rows of a table go offline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "'rows' must be a filter, or name a view as {\"view\":\"...\"}")]
pub enum RowsOf {
    /// A `$filter`, in which [`ME`] and [`MY_BUSINESS_UNIT`] stand for ids.
    Filter(String),
    /// A view that the server keeps.
    View(ViewOf),
}

/// A view of the type that says what goes offline (`querytype` 16).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewOf {
    /// Its name or its id.
    pub view: String,
}

/// In a filter of rows: the id of the user.
pub const ME: &str = "{me}";
/// In a filter of rows: the id of the user's business unit.
pub const MY_BUSINESS_UNIT: &str = "{my-business-unit}";

/// Settings by logical name of the table; what is not set is as if there were no profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Profile {
    /// What is set.
    pub tables: BTreeMap<String, TableProfile>,
}

impl Profile {
    /// Reads a profile in JSON; `scope` names the tables that go offline.
    ///
    /// # Errors
    /// 400 that says what is wrong, for a setting, rule or direction that does not exist and for a table that is not in
    /// scope. Columns are known only with the schema: [`Profile::problems`].
    pub fn read(text: &str, scope: &[String]) -> Result<Profile> {
        let refuse = |what: String| Error::Refused(ODataError::bad_request(format!("The profile: {what}.")));
        let profile: Profile = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        match profile.tables.keys().find(|name| !scope.contains(name)) {
            Some(name) => Err(refuse(format!("the table '{name}' is not among the tables that go offline"))),
            None => Ok(profile),
        }
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// What is set for a column, if anything.
    pub fn field(&self, table: &str, column: &str) -> Option<&FieldProfile> {
        self.tables.get(table)?.fields.get(column)
    }

    /// Which way a column goes.
    pub fn direction(&self, table: &str, column: &str) -> Direction {
        self.field(table, column).map(|field| field.direction).unwrap_or_default()
    }

    /// Whether a column that need not be kept is kept.
    pub fn keeps(&self, table: &str, column: &str) -> bool {
        let columns = self.tables.get(table).and_then(|set| set.columns.as_ref());
        let listed = columns.is_none_or(|columns| columns.iter().any(|name| name == column));
        listed && self.direction(table, column) != Direction::None
    }

    /// The tables whose rows go by a view, each with its name or id.
    pub fn views(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tables.iter().filter_map(|(name, set)| match &set.rows {
            Some(RowsOf::View(of)) => Some((name.as_str(), of.view.as_str())),
            Some(RowsOf::Filter(_)) | None => None,
        })
    }

    /// What is set and has no effect, since the table has no such column or the column always goes both ways. `left_out`
    /// are the columns that the schema lacks because of a profile.
    pub fn problems(&self, schema: &Schema, left_out: &LeftOut) -> Vec<String> {
        let known = self.tables.iter().filter_map(|(name, set)| Some((schema.table(name)?, set)));
        known.flat_map(|(table, set)| set.problems(table, left_out)).collect()
    }
}

impl RowsOf {
    /// The text of a filter for this user, with ids in the place of macros.
    pub fn filter(text: &str, user: Uuid, business_unit: Uuid) -> String {
        text.replace(ME, &user.to_string()).replace(MY_BUSINESS_UNIT, &business_unit.to_string())
    }
}

impl TableProfile {
    fn problems(&self, table: &Table, left_out: &LeftOut) -> Vec<String> {
        let name = &table.logical_name;
        let problem = |(field, set): (&String, &FieldProfile)| match table.column(field) {
            None if left_out.of(name).contains(field) => None,
            None => Some(format!("The profile: the table '{name}' has no column '{field}'.")),
            Some(column) if set.direction != Direction::Both && is_fixed(table, column) => Some(format!(
                "The profile: the column '{field}' of '{name}' always goes both ways, since others need it."
            )),
            Some(_) => None,
        };
        let named = self.columns.iter().flatten();
        let unknown = named
            .filter(|name| table.column(name).is_none() && !left_out.of(&table.logical_name).contains(name));
        let unknown =
            unknown.map(|field| format!("The profile: the table '{name}' has no column '{field}'."));
        self.fields.iter().filter_map(problem).chain(unknown).collect()
    }
}

/// Columns that the server has and a profile leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Logical names, by table.
    pub columns: BTreeMap<String, Vec<String>>,
    /// Every name by which a request may mean one of them: properties, navigation properties, and collections of the
    /// tables that they point to.
    pub names: BTreeSet<String>,
}

impl LeftOut {
    /// What a table lacks.
    pub fn of(&self, table: &str) -> &[String] {
        self.columns.get(table).map(Vec::as_slice).unwrap_or_default()
    }

    /// Notes that a column of a table is left out.
    pub fn add(&mut self, table: &str, column: &Column) {
        self.columns.entry(table.to_owned()).or_default().push(column.logical_name.clone());
        self.names.extend([column.logical_name.clone(), column.property()]);
        if let ColumnKind::Lookup { targets } = &column.kind {
            let names = targets.iter().flat_map(|to| [to.navigation.clone(), to.collection.clone()]);
            self.names.extend(names);
        }
    }
}

/// Columns by which rows are found, owned, dated and brought into a state, and from which others follow.
const FIXED: [&str; 14] = [
    "statecode",
    "statuscode",
    "ownerid",
    "owningbusinessunit",
    "owninguser",
    "owningteam",
    "createdon",
    "createdby",
    "modifiedon",
    "modifiedby",
    "versionnumber",
    "transactioncurrencyid",
    "firstname",
    "lastname",
];

/// Whether a column goes both ways whatever is set: the engine cannot do without it, or it belongs to a row that others
/// hold.
pub fn is_fixed(table: &Table, column: &Column) -> bool {
    let name = column.logical_name.as_str();
    let is_key = table.keys.iter().any(|key| key.columns.iter().any(|part| part == name));
    name == table.primary_id
        || name == table.primary_name
        || is_key
        || FIXED.contains(&name)
        || !table.writable
        || table.logical_name == flette_odata::path::PARTY_TABLE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> std::result::Result<Profile, String> {
        let scope = ["account".to_owned(), "contact".to_owned()];
        Profile::read(text, &scope).map_err(|error| error.to_string())
    }

    #[test]
    fn a_profile_is_read_as_it_is_written() {
        let text = r#"{"account":{"merge":"server","fields":{"fax":{"merge":"manual","direction":"up"},"name":{}}}}"#;
        let profile = read(text).unwrap();
        assert_eq!(profile.tables["account"].merge, Some(Rule::Server));
        assert_eq!(profile.direction("account", "fax"), Direction::Up);
        assert_eq!(profile.direction("account", "name"), Direction::Both);
        assert_eq!(profile.direction("contact", "fax"), Direction::Both);
        assert_eq!(read(&serde_json::to_string(&profile).unwrap()).unwrap(), profile);
        assert_eq!(read("{}").unwrap(), Profile::default());
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (text, named) in [
            (r#"{"lead":{}}"#, "'lead' is not among the tables that go offline"),
            (
                r#"{"account":{"merge":"oldest"}}"#,
                "unknown variant `oldest`, expected one of `newest`, `server`",
            ),
            (r#"{"account":{"fields":{"fax":{"direction":"sideways"}}}}"#, "unknown variant `sideways`"),
            (r#"{"account":{"colour":1}}"#, "unknown field `colour`"),
            (r#"{"account":{"rows":{"query":"x"}}}"#, "'rows' must be a filter, or name a view"),
            (r#"{"account":"#, "EOF while parsing"),
        ] {
            let refusal = read(text).unwrap_err();
            assert!(refusal.contains(named), "{text}: {refusal}");
        }
    }

    #[test]
    fn rows_are_those_of_the_user_who_asks() {
        let text = "_ownerid_value eq {me} or _owningbusinessunit_value eq {my-business-unit}";
        let (user, unit) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let filter = format!("_ownerid_value eq {user} or _owningbusinessunit_value eq {unit}");
        assert_eq!(RowsOf::filter(text, user, unit), filter);
    }

    #[test]
    fn rows_go_by_a_filter_or_by_a_view() {
        let text = r#"{"account":{"rows":"name eq 'x'"},"contact":{"rows":{"view":"Mine"}}}"#;
        let profile = read(text).unwrap();
        assert_eq!(profile.views().collect::<Vec<_>>(), [("contact", "Mine")]);
        assert_eq!(read(&serde_json::to_string(&profile).unwrap()).unwrap(), profile);
    }

    #[test]
    fn columns_are_those_that_are_listed_and_not_turned_off() {
        let text = r#"{"account":{"columns":["name","fax"],"fields":{"fax":{"direction":"none"}}}}"#;
        let profile = read(text).unwrap();
        let kept = ["name", "fax", "telephone1"].map(|column| profile.keeps("account", column));
        assert_eq!(kept, [true, false, false]);
        assert!(profile.keeps("contact", "fax"));
    }

    #[test]
    fn settings_without_an_effect_are_told() {
        let schema = flette_server::schema::schema();
        let text = r#"{"contact":{"fields":{"fax":{"direction":"down"},"colour":{},"lastname":{"direction":"none"},"ownerid":{"merge":"server"}}}}"#;
        let problems = read(text).unwrap().problems(&schema, &LeftOut::default());
        let [first, second] = problems.as_slice() else { panic!("{problems:?}") };
        assert!(first.contains("has no column 'colour'") && second.contains("'lastname'"));
    }
}
