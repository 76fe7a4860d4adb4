//! Loading files: CSV tables and vCards become rows, checked by the same rules as the Web API's. A file is
//! loaded as a whole or not at all.

mod convert;
mod mapping;
mod table_file;
mod vcard;

pub use mapping::Mapping;

use crate::api::{create_row, update_row, Call, Duplicates, Profile};
use crate::db::{Database, Reader, Writer};
use crate::people;
use anyhow::{anyhow, bail, Context, Result};
use flette_odata::payload::Write;
use flette_odata::{EntityRef, Schema, Table, Uuid, Value};
use mapping::{Plan, Target};
use std::path::Path;

/// Rows between two calls of the progress function.
const PROGRESS_ROWS: u64 = 1000;

/// What is to be loaded, and how.
pub struct Job<'a> {
    /// Where to.
    pub database: &'a Database,
    /// Entity set or logical name.
    pub table: &'a str,
    /// From the command line; they come before what the file's header suggests.
    pub mappings: &'a [Mapping],
    /// User name of the owner.
    pub owner: &'a str,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub now: i64,
}

/// One row of a file, as text.
struct Record {
    /// Where it begins, counted from 1.
    line: u64,
    cells: Vec<String>,
}

/// A file, read.
struct Sheet {
    columns: Vec<String>,
    records: Vec<Record>,
    /// Lines whose unquoted commas had to be understood.
    repaired: u64,
}

/// What was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Rows of the table itself.
    pub rows: u64,
    /// Display name of the table.
    pub table: String,
    /// Linked rows that were made along the way.
    pub linked: u64,
    /// Display name of their table.
    pub linked_table: String,
    /// Columns of the file that were not used.
    pub ignored: Vec<String>,
    /// Lines whose unquoted commas had to be understood.
    pub repaired: u64,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "imported {} {}", self.rows, self.table)?;
        if self.linked > 0 {
            write!(f, " and {} linked {}", self.linked, self.linked_table)?;
        }
        if self.repaired > 0 {
            write!(f, "; {} lines held unquoted commas", self.repaired)?;
        }
        if !self.ignored.is_empty() {
            write!(f, "; ignored columns: {}", self.ignored.join(", "))?;
        }
        Ok(())
    }
}

impl Job<'_> {
    /// Loads a file in one transaction. `progress` hears how many of how many rows are done.
    ///
    /// # Errors
    /// When the file cannot be read, or a line does not fit the table: then nothing of it is kept.
    pub fn load(&self, file: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Summary> {
        let schema = self.database.schema();
        let table = find_table(&schema, self.table)?;
        let bytes = std::fs::read(file).context("the file cannot be read")?;
        let is_vcard = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("vcf"));
        let sheet = match is_vcard {
            true if table.logical_name != "contact" => bail!("vCards are loaded into the table contacts"),
            true => vcard::read(&bytes)?,
            false => table_file::read(&bytes)?,
        };
        let plan = Plan::new(&schema, table, &sheet.columns, self.mappings)?;
        let owner = self.database.read(|reader: &Reader| people::caller(reader, self.owner))?;
        let call = Call {
            caller: &owner,
            root: "/",
            now: self.now,
            profile: Profile::Open,
            extensions: true,
            duplicates: Duplicates::Allowed,
        };
        let (mut linked, rows) = (0, u64::try_from(sheet.records.len())?);
        // The database's own error type cannot say on which line; the cause is kept beside it.
        let mut cause = None;
        let stored = self.database.write(|writer| {
            (linked, cause) = (0, None);
            for (done, record) in (1u64..).zip(&sheet.records) {
                match load_record(writer, &call, &plan, record) {
                    Ok(made) => linked += made,
                    Err(error) => {
                        cause = Some(error.context(format!("line {}", record.line)));
                        return Err(flette_odata::ODataError::bad_payload(
                            "The file does not fit the table.",
                        ));
                    }
                }
                if done % PROGRESS_ROWS == 0 {
                    progress(done, rows);
                }
            }
            Ok(())
        });
        match (stored, cause) {
            (_, Some(cause)) => return Err(cause),
            (stored, None) => stored?,
        }
        Ok(Summary {
            rows,
            table: table.display_collection_name.to_lowercase(),
            linked,
            linked_table: plan.linked.map(|t| t.display_collection_name.to_lowercase()).unwrap_or_default(),
            ignored: plan.ignored,
            repaired: sheet.repaired,
        })
    }
}

fn find_table<'s>(schema: &'s Schema, name: &str) -> Result<&'s Table> {
    let table = schema.table_by_set(name).or_else(|| schema.table(name));
    let table = table.ok_or_else(|| anyhow!("there is no table {name}"))?;
    anyhow::ensure!(table.writable, "the table {name} is read-only");
    Ok(table)
}

/// Makes the row of a record, and the row linked to it. How many linked rows were made.
fn load_record(writer: &Writer, call: &Call, plan: &Plan, record: &Record) -> Result<u64> {
    let mut own = convert::Cells::default();
    let mut other = convert::Cells::default();
    for (target, cell) in plan.targets.iter().zip(&record.cells) {
        for target in target {
            match target {
                Target::Own(column) => own.add(plan.table, column, cell)?,
                Target::Linked(column) => {
                    let linked = plan.linked.ok_or_else(|| anyhow!("there is no linked table"))?;
                    other.add(linked, column, cell)?;
                }
            }
        }
    }
    let Write { id, mut values, .. } = own.finish(writer.schema, plan.table)?;
    let id = id.unwrap_or_else(Uuid::now_v7);
    let Some(linked) = plan.linked.filter(|_| !other.is_empty()) else {
        create_row(writer, call, plan.table, id, values)?;
        return Ok(0);
    };
    let Write { id: other_id, values: mut other_values, .. } = other.finish(writer.schema, linked)?;
    let point = |table: &Table, id: Uuid| Value::Lookup(EntityRef { table: table.logical_name.clone(), id });
    if plan.table.logical_name == "account" {
        create_row(writer, call, plan.table, id, values)?;
        let other_id = other_id.unwrap_or_else(Uuid::now_v7);
        other_values.push(("parentcustomerid".to_owned(), point(plan.table, id)));
        create_row(writer, call, linked, other_id, other_values)?;
        let back = vec![("primarycontactid".to_owned(), point(linked, other_id))];
        update_row(writer, call, plan.table, id, back)?;
        return Ok(1);
    }
    // A person's company: several people name the same one.
    let name = other_values.iter().find(|(column, _)| *column == linked.primary_name);
    let known = match name.and_then(|(_, value)| value.as_text()) {
        Some(name) => writer.id_by_name(linked, name)?,
        None => None,
    };
    let other_id = known.or(other_id).unwrap_or_else(Uuid::now_v7);
    if known.is_none() {
        create_row(writer, call, linked, other_id, other_values)?;
    }
    values.push(("parentcustomerid".to_owned(), point(linked, other_id)));
    create_row(writer, call, plan.table, id, values)?;
    Ok(u64::from(known.is_none()))
}
