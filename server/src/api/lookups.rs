//! What stands around a row in an answer: names of lookups' targets, and expanded rows. Each is read once
//! per answer.

use crate::db::rows::Sight;
use crate::db::Reader;
use flette_odata::error::Result;
use flette_odata::prefer::Annotations;
use flette_odata::query::Expand;
use flette_odata::render::{Cell, ContextExpand, RowShape};
use flette_odata::{Column, ODataError, Row, Table, Uuid, Value};
use std::cell::RefCell;
use std::collections::HashMap;

/// Names of rows, asked for once each.
pub(super) struct Names<'r> {
    reader: &'r Reader<'r>,
    sight: Sight,
    known: RefCell<HashMap<Uuid, Option<String>>>,
}

impl<'r> Names<'r> {
    /// No name known yet. Rows out of sight have no name.
    pub(super) fn new(reader: &'r Reader<'r>, sight: Sight) -> Names<'r> {
        Names { reader, sight, known: RefCell::default() }
    }

    /// The name of a row. A failing database gives none: the row itself would have failed before.
    pub(super) fn get(&self, table: &str, id: Uuid) -> Option<String> {
        if let Some(name) = self.known.borrow().get(&id) {
            return name.clone();
        }
        let name = self.reader.name_of(table, id, &self.sight).ok().flatten();
        self.known.borrow_mut().insert(id, name.clone());
        name
    }
}

/// One navigation property that is expanded.
pub(super) struct Expanded<'a> {
    pub(super) navigation: &'a str,
    /// The lookup column behind it.
    pub(super) column: &'a Column,
    table: &'a Table,
    shape: RowShape<'a>,
    select: Option<&'a [String]>,
    known: RefCell<HashMap<Uuid, Option<Vec<u8>>>>,
}

impl<'a> Expanded<'a> {
    /// Makes every `$expand` of a query ready.
    ///
    /// # Errors
    /// 400 when a navigation property is not in the schema.
    pub(super) fn all(
        reader: &'a Reader,
        table: &'a Table,
        expand: &'a [Expand],
        annotations: &Annotations,
    ) -> Result<Vec<Expanded<'a>>> {
        let one = |expand: &'a Expand| {
            let (column, targets) = table.navigation(&expand.navigation)?;
            let table = reader.schema.table(&targets.first()?.table)?;
            let select = expand.select.as_deref();
            let shape = RowShape::new(table, select, annotations);
            Some(Expanded {
                navigation: &expand.navigation,
                column,
                table,
                shape,
                select,
                known: RefCell::default(),
            })
        };
        let missing = |expand: &Expand| {
            ODataError::bad_request(format!("Could not find a property named '{}'.", expand.navigation))
        };
        expand.iter().map(|expand| one(expand).ok_or_else(|| missing(expand))).collect()
    }

    /// How the context URL names it.
    pub(super) fn context(&self) -> ContextExpand<'_> {
        ContextExpand {
            navigation: self.navigation,
            table: self.table,
            select: self.select,
            expand: Vec::new(),
            reference_only: false,
        }
    }

    /// The expanded row behind a lookup's cell; `None` when it is unset, points elsewhere or is out of sight.
    pub(super) fn row(&self, reader: &Reader, names: &Names, cell: Cell) -> Result<Option<Vec<u8>>> {
        let id = match cell {
            Cell::Lookup { table, id } if table == self.table.logical_name => id,
            _ => return Ok(None),
        };
        if let Some(row) = self.known.borrow().get(&id) {
            return Ok(row.clone());
        }
        let row = reader.row(self.table, id, &names.sight)?.map(|stored| {
            let mut out = Vec::new();
            write_stored(&self.shape, &mut out, &stored.etag(), &stored.row, names);
            out
        });
        self.known.borrow_mut().insert(id, row.clone());
        Ok(row)
    }
}

/// Writes a row that was read as a whole, without expanded ones.
fn write_stored(shape: &RowShape, out: &mut Vec<u8>, etag: &str, row: &Row, names: &Names) {
    shape.write_cells(
        out,
        etag,
        |_, column| Cell::from(row.get(&column.logical_name).unwrap_or(&Value::Null)),
        &|table, id| names.get(table, id),
        &[],
    );
}
