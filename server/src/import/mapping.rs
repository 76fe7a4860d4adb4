//! Which column of a file goes where: from the command line, from what is known of well-known files, or by
//! name.

use anyhow::{bail, Result};
use flette_odata::{ColumnKind, Schema, Table};

/// `COLUMN=ATTRIBUTE` of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    column: String,
    target: String,
}

impl std::str::FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Mapping, String> {
        match text.split_once('=') {
            Some((column, target)) if !column.is_empty() && !target.is_empty() => {
                Ok(Mapping { column: column.trim().to_owned(), target: target.trim().to_owned() })
            }
            _ => Err("expected COLUMN=ATTRIBUTE".to_owned()),
        }
    }
}

/// Where a cell goes: attributes by logical name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// The imported row.
    Own(String),
    /// The row linked to it.
    Linked(String),
}

/// What to do with each column of a file.
pub(super) struct Plan<'s> {
    pub(super) table: &'s Table,
    /// Table of the linked rows, where something goes there.
    pub(super) linked: Option<&'s Table>,
    /// Per column of the file.
    pub(super) targets: Vec<Vec<Target>>,
    pub(super) ignored: Vec<String>,
}

/// Columns of the Northwind sample's customers and suppliers, and where they belong in `accounts`.
const NORTHWIND: &[(&str, &[&str])] = &[
    ("customerid", &["accountnumber"]),
    ("supplierid", &["accountnumber"]),
    ("companyname", &["name"]),
    ("contactname", &["contact.fullname"]),
    ("contacttitle", &["contact.jobtitle"]),
    ("address", &["address1_line1", "contact.address1_line1"]),
    ("city", &["address1_city", "contact.address1_city"]),
    ("region", &["address1_stateorprovince", "contact.address1_stateorprovince"]),
    ("postalcode", &["address1_postalcode", "contact.address1_postalcode"]),
    ("country", &["address1_country", "contact.address1_country"]),
    ("phone", &["telephone1", "contact.telephone1"]),
    ("fax", &["fax", "contact.fax"]),
    ("homepage", &["websiteurl"]),
];

/// Columns that vCards are read into.
const VCARD: &[(&str, &[&str])] = &[("organization", &["account.name"])];

impl<'s> Plan<'s> {
    /// Decides for every column of a file.
    ///
    /// # Errors
    /// When a mapping names a column that the file lacks, or an attribute that cannot be imported.
    pub(super) fn new(
        schema: &'s Schema,
        table: &'s Table,
        columns: &[String],
        mappings: &[Mapping],
    ) -> Result<Plan<'s>> {
        let is = |column: &str, name: &str| column.trim().eq_ignore_ascii_case(name);
        for mapping in mappings {
            if !columns.iter().any(|column| is(column, &mapping.column)) {
                bail!("the file has no column {}; it has {}", mapping.column, columns.join(", "));
            }
        }
        let has = |name: &str| columns.iter().any(|column| is(column, name));
        let preset: &[(&str, &[&str])] = match table.logical_name.as_str() {
            "account" if has("companyName") && has("contactName") => NORTHWIND,
            "contact" if has("organization") => VCARD,
            _ => &[],
        };
        let mut plan = Plan { table, linked: None, targets: Vec::new(), ignored: Vec::new() };
        for column in columns {
            let mapped: Vec<&str> =
                mappings.iter().filter(|m| is(column, &m.column)).map(|m| m.target.as_str()).collect();
            let known = preset.iter().find(|(name, _)| is(column, name)).map(|(_, targets)| *targets);
            let same = column.trim().to_lowercase();
            let targets = match (mapped.is_empty(), known) {
                (false, _) => mapped,
                (true, Some(known)) => known.to_vec(),
                (true, None) if is_importable(table, &same) => vec![same.as_str()],
                (true, None) => Vec::new(),
            };
            if targets.is_empty() {
                plan.ignored.push(column.clone());
            }
            let targets =
                targets.into_iter().map(|target| plan.target(schema, target)).collect::<Result<_>>()?;
            plan.targets.push(targets);
        }
        if plan.targets.iter().all(Vec::is_empty) {
            bail!("no column of the file has a place in {}; map one with --map", table.set_name);
        }
        Ok(plan)
    }

    fn target(&mut self, schema: &'s Schema, text: &str) -> Result<Target> {
        let Some((linked, attribute)) = text.split_once('.') else {
            if !is_importable(self.table, text) {
                bail!("{text} is no attribute of {} that can be imported", self.table.logical_name);
            }
            return Ok(Target::Own(text.to_owned()));
        };
        let fits = matches!(
            (self.table.logical_name.as_str(), linked),
            ("account", "contact") | ("contact", "account")
        );
        let table = schema.table(linked).filter(|_| fits);
        match table.filter(|table| is_importable(table, attribute)) {
            Some(table) => {
                self.linked = Some(table);
                Ok(Target::Linked(attribute.to_owned()))
            }
            None => bail!("{text} is no attribute that {} can be linked by", self.table.logical_name),
        }
    }
}

/// Whether text can become a value of this attribute. A contact's full name is taken apart.
fn is_importable(table: &Table, attribute: &str) -> bool {
    let Some(column) = table.column(attribute) else { return false };
    let is_name = table.logical_name == "contact" && attribute == "fullname";
    is_name || column.valid_for_create && !matches!(column.kind, ColumnKind::Lookup { .. })
}
