//! Decodes one item of a page: a row or a tombstone.

use super::column::{Cell, Kind};
use super::json::{Json, Wrong};
use super::scalar::{choices, Scalar};
use super::{PageError, SegmentBuilder};
use flette_odata::{ColumnKind, Table, Uuid};
use std::collections::HashMap;

const ETAG: &str = "@odata.etag";
const CONTEXT: &str = "@odata.context";
const TOMBSTONE_ID: &str = "id";
/// Stands at the end of a tombstone's own context.
const TOMBSTONE_MARK: &str = "$deletedEntity";
/// Follows a lookup's property.
const LOOKUP_TABLE: &str = "@Microsoft.Dynamics.CRM.lookuplogicalname";

/// What a member of an item means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Key,
    Etag,
    Context,
    TombstoneId,
    /// A column that is no lookup, by index.
    Column(usize),
    /// A lookup's id.
    Lookup(usize),
    /// Name of a lookup's target table.
    LookupTable(usize),
    Unknown,
}

/// A lookup of the item that is being read.
#[derive(Debug)]
struct Pending {
    column: usize,
    id: Option<Uuid>,
    /// Index into [`Items::tables`].
    table: Option<usize>,
}

/// The items read so far, and the one that is being read.
#[derive(Debug)]
pub(super) struct Items<'t> {
    table: &'t Table,
    members: HashMap<String, Member>,
    /// Members of the last item in order, each as it was written up to its value: as a rule the next item has the same
    /// ones.
    expected: Vec<(Vec<u8>, Member)>,
    builder: SegmentBuilder,
    rows: u32,
    tombstones: u32,
    /// Names of target tables seen so far.
    tables: Vec<String>,
    id: Option<Uuid>,
    tombstone_id: Option<Uuid>,
    is_tombstone: bool,
    etag: String,
    lookups: Vec<Pending>,
    /// What is wrong with the item as a row; does not matter when it turns out to be a tombstone.
    fault: Option<PageError>,
}

impl<'t> Items<'t> {
    pub(super) fn new(table: &'t Table) -> Items<'t> {
        let mut members: HashMap<String, Member> = [
            (TOMBSTONE_ID.to_owned(), Member::TombstoneId),
            (ETAG.to_owned(), Member::Etag),
            (CONTEXT.to_owned(), Member::Context),
        ]
        .into();
        for (at, column) in table.columns.iter().enumerate() {
            let property = column.property();
            if column.is_lookup() {
                members.insert(format!("{property}{LOOKUP_TABLE}"), Member::LookupTable(at));
                members.insert(property, Member::Lookup(at));
            } else {
                members.insert(property, Member::Column(at));
            }
        }
        members.insert(table.primary_id.clone(), Member::Key);
        Items {
            table,
            members,
            expected: Vec::new(),
            builder: SegmentBuilder::new(table),
            rows: 0,
            tombstones: 0,
            tables: Vec::new(),
            id: None,
            tombstone_id: None,
            is_tombstone: false,
            etag: String::new(),
            lookups: Vec::new(),
            fault: None,
        }
    }

    /// Builder, rows, tombstones.
    pub(super) fn finish(self) -> (SegmentBuilder, u32, u32) {
        (self.builder, self.rows, self.tombstones)
    }

    pub(super) fn take_fault(&mut self) -> Option<PageError> {
        self.fault.take()
    }

    /// Decodes one item.
    ///
    /// # Errors
    /// When it is no object, or cannot be used for the reason in `fault`.
    pub(super) fn read(&mut self, json: &mut Json) -> Result<(), Wrong> {
        json.open(b'{')?;
        self.begin_item();
        let mut position = 0;
        while json.more(position == 0, b'}')? {
            let member = self.member(position, json)?;
            position += 1;
            match member {
                Member::Unknown => json.skip()?,
                // Most members of most rows.
                Member::Column(column) if json.accept(b"null") => self.put(column, Cell::Null),
                Member::Lookup(column) if json.accept(b"null") => self.put_no_target(column),
                Member::Key
                | Member::Etag
                | Member::Context
                | Member::TombstoneId
                | Member::Column(_)
                | Member::Lookup(_)
                | Member::LookupTable(_) => self.take(member, json.scalar()?),
            }
        }
        match self.end_item() {
            true => Ok(()),
            false => Err(Wrong::Shape),
        }
    }

    /// What the member that comes next means.
    fn member(&mut self, position: usize, json: &mut Json) -> Result<Member, Wrong> {
        if let Some((written, member)) = self.expected.get(position) {
            if json.accept(written) {
                return Ok(*member);
            }
        }
        let start = json.at();
        let member = self.members.get(json.name()?).copied().unwrap_or(Member::Unknown);
        self.expected.truncate(position);
        self.expected.push((json.since(start).to_vec(), member));
        Ok(member)
    }

    fn blame(&mut self, fault: PageError) {
        self.fault.get_or_insert(fault);
    }

    fn wrong_type(&mut self, column: usize) {
        let column = self.table.columns[column].logical_name.clone();
        self.blame(PageError::WrongType { column });
    }

    fn put(&mut self, column: usize, cell: Cell<'_>) {
        match self.builder.is_put(column) {
            true => self.blame(PageError::Malformed("a member stands twice".to_owned())),
            false => self.builder.put(column, cell),
        }
    }

    /// An empty lookup. One whose id came before is put when the row ends: it would stand twice.
    fn put_no_target(&mut self, column: usize) {
        let has_id = self.lookups.iter().any(|lookup| lookup.column == column && lookup.id.is_some());
        match has_id {
            true => self.blame(PageError::Malformed("a member stands twice".to_owned())),
            false => self.put(column, Cell::Null),
        }
    }

    fn is_choices(&self, column: usize) -> bool {
        matches!(self.table.columns[column].kind, ColumnKind::MultiPicklist { .. })
    }

    fn pending(&mut self, column: usize) -> &mut Pending {
        let known = self.lookups.iter().position(|lookup| lookup.column == column);
        let at = known.unwrap_or_else(|| {
            self.lookups.push(Pending { column, id: None, table: None });
            self.lookups.len() - 1
        });
        &mut self.lookups[at]
    }

    /// Takes in one value.
    fn take(&mut self, member: Member, scalar: Scalar<'_>) {
        match (member, scalar) {
            (Member::Unknown, _) => {}
            (Member::Key, Scalar::Text(text)) => self.id = Uuid::try_parse(text).ok(),
            (Member::TombstoneId, Scalar::Text(text)) => self.tombstone_id = Uuid::try_parse(text).ok(),
            (Member::Context, Scalar::Text(text)) => self.is_tombstone = text.contains(TOMBSTONE_MARK),
            (Member::Etag, Scalar::Text(text)) => {
                self.etag.clear();
                self.etag.push_str(text);
            }
            (Member::Key | Member::TombstoneId | Member::Context | Member::Etag, _) => {}
            (Member::Column(column), Scalar::Text(text)) if self.is_choices(column) => match choices(text) {
                Some(none) if none.is_empty() => self.put(column, Cell::Null),
                Some(chosen) => self.put(column, Cell::Text(&chosen)),
                None => self.wrong_type(column),
            },
            (Member::Column(column), scalar) => match scalar.cell(Kind::of(&self.table.columns[column].kind))
            {
                Some(cell) => self.put(column, cell),
                None => self.wrong_type(column),
            },
            (Member::Lookup(column), Scalar::Null) => self.put_no_target(column),
            (Member::Lookup(column), Scalar::Text(text)) => match Uuid::try_parse(text) {
                Ok(_) if self.builder.is_put(column) || self.pending(column).id.is_some() => {
                    self.blame(PageError::Malformed("a member stands twice".to_owned()));
                }
                Ok(id) => self.pending(column).id = Some(id),
                Err(_) => self.wrong_type(column),
            },
            (Member::Lookup(column), _) => self.wrong_type(column),
            (Member::LookupTable(column), Scalar::Text(name)) => {
                let known = self.tables.iter().position(|table| table == name);
                let table = known.unwrap_or_else(|| {
                    self.tables.push(name.to_owned());
                    self.tables.len() - 1
                });
                self.pending(column).table = Some(table);
            }
            (Member::LookupTable(_), _) => {}
        }
    }

    fn begin_item(&mut self) {
        self.id = None;
        self.tombstone_id = None;
        self.is_tombstone = false;
        self.etag.clear();
        self.lookups.clear();
    }

    /// Ends the item; false when it cannot be used, for the reason in `fault`.
    fn end_item(&mut self) -> bool {
        if self.is_tombstone {
            self.fault = None;
            if let Some(id) = self.tombstone_id {
                self.builder.push_tombstone(id);
                self.tombstones += 1;
                return true;
            }
        }
        self.end_lookups();
        match self.id {
            Some(id) if !self.is_tombstone => {
                self.builder.end_row(id, &self.etag);
                self.rows += 1;
            }
            _ => self.blame(PageError::NoId),
        }
        self.fault.is_none()
    }

    fn end_lookups(&mut self) {
        for Pending { column, id, table } in std::mem::take(&mut self.lookups) {
            let Some(id) = id else { continue };
            let named = table.map(|table| self.tables[table].as_str());
            match named.or_else(|| only_target(&self.table.columns[column].kind)) {
                Some(table) => self.builder.put(column, Cell::Lookup(table, id)),
                None => {
                    let column = self.table.columns[column].logical_name.clone();
                    self.blame(PageError::UnknownTarget { column });
                }
            }
        }
    }
}

/// The target table of a lookup that has but one.
fn only_target(kind: &ColumnKind) -> Option<&str> {
    match kind {
        ColumnKind::Lookup { targets } => {
            let first = targets.first()?.table.as_str();
            targets.iter().all(|target| target.table == first).then_some(first)
        }
        _ => None,
    }
}
