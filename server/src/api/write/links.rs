//! Links between rows that are there.

use super::rows::{change, existing, Edit};
use crate::api::{find, rights, table_for, Call};
use crate::db::rows::Sight;
use crate::db::Writer;
use crate::rights::{is_administration, Verb};
use flette_odata::alike::all_equal;
use flette_odata::condition::Condition;
use flette_odata::edm::{ManyToMany, ManyToManyEnd};
use flette_odata::error::Result;
use flette_odata::operation::PairChange;
use flette_odata::path::Collection;
use flette_odata::payload::{check_writable, WriteKind};
use flette_odata::{EntityRef, ODataError, Row, Table, Uuid, Value};

/// Sets or clears a lookup. `taken_from`: the link is taken out of that row's collection.
pub(super) fn set_reference(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    navigation: &str,
    (target, taken_from): (Option<EntityRef>, Option<EntityRef>),
) -> Result<()> {
    let (column, targets) =
        table.navigation(navigation).ok_or_else(|| ODataError::segment_not_found(navigation))?;
    let current = existing(writer, call, table, id, &Condition::None)?;
    let fits = |to: &EntityRef| targets.iter().any(|t| t.table == to.table);
    let value = match target {
        Some(to) if fits(&to) => Value::Lookup(to),
        Some(to) => {
            let message = format!("The navigation property '{navigation}' cannot point to '{}'.", to.table);
            return Err(ODataError::bad_request(message));
        }
        None => match current.row.get(&column.logical_name) {
            // The lookup points to the other target of the same column, or into another row's collection: this link is
            // not there to be removed.
            Some(Value::Lookup(to)) if !fits(to) => return Ok(()),
            present if taken_from.is_some_and(|from| present != Some(&Value::Lookup(from))) => return Ok(()),
            _ => Value::Null,
        },
    };
    let values = vec![(column.logical_name.clone(), value)];
    check_writable(table, &values, WriteKind::Update)?;
    change(writer, call, (table, id), &current, Edit::of(values)).map(drop)
}

/// Makes or removes a pair of rows, both of which the caller must see. Done twice, it is done once.
pub(super) fn pair(
    writer: &Writer,
    call: &Call,
    (table, id): (&Table, Uuid),
    collection: &str,
    (other, change): (&EntityRef, PairChange),
) -> Result<()> {
    let Some(Collection::Paired { relationship, end, other: other_end }) =
        Collection::find(writer.schema, table, collection)
    else {
        return Err(ODataError::segment_not_found(collection));
    };
    let holder = existing(writer, call, table, id, &Condition::None)?;
    existing(writer, call, table_for(writer, &other.table)?, other.id, &Condition::None)?;
    rights::check(call, Verb::Write, table, &holder.row)?;
    let pairs = table_for(writer, &relationship.intersect)?;
    if is_administration(pairs) {
        rights::check(call, Verb::Write, pairs, &Row::new())?;
    }
    let ends = Pair { relationship, ends: [(end, id), (other_end, other.id)] };
    let present = ends.find(writer)?;
    match (change, present) {
        (PairChange::Join, None) => ends.make(writer),
        (PairChange::Part, Some(pair)) => ends.remove(writer, call, pair),
        (PairChange::Join, Some(_)) | (PairChange::Part, None) => Ok(()),
    }
}

/// Two rows and the relationship between them.
struct Pair<'s> {
    relationship: &'s ManyToMany,
    ends: [(&'s ManyToManyEnd, Uuid); 2],
}

impl Pair<'_> {
    fn values(&self) -> [(&str, Value); 2] {
        [0, 1].map(|at| (self.ends[at].0.column.as_str(), Value::Guid(self.ends[at].1)))
    }

    /// The row of the intersect table, when the pair is there.
    fn find(&self, writer: &Writer) -> Result<Option<Uuid>> {
        let table = table_for(writer, &self.relationship.intersect)?;
        let values = self.values();
        let filter = all_equal(values.iter().map(|(name, value)| (*name, value)));
        Ok(find::ids(writer, table, &Sight::Everything, &filter, 1)?.first().copied())
    }

    fn make(&self, writer: &Writer) -> Result<()> {
        let table = table_for(writer, &self.relationship.intersect)?;
        let mut row = Row::new();
        row.insert(table.primary_id.clone(), Value::Guid(Uuid::now_v7()));
        row.extend(self.values().map(|(name, value)| (name.to_owned(), value)));
        writer.insert(table, &row).map(drop)
    }

    fn remove(&self, writer: &Writer, call: &Call, pair: Uuid) -> Result<()> {
        let table = table_for(writer, &self.relationship.intersect)?;
        match writer.row(table, pair, &Sight::Everything)? {
            Some(stored) => writer.remove(table, &stored.row, pair, call.now),
            None => Ok(()),
        }
    }
}

/// Pairs of a row that is deleted go with it.
pub(super) fn unpair(writer: &Writer, call: &Call, row: &EntityRef) -> Result<()> {
    for relationship in &writer.schema.many_to_many {
        for end in [&relationship.first, &relationship.second] {
            if end.table != row.table {
                continue;
            }
            let table = table_for(writer, &relationship.intersect)?;
            let id = Value::Guid(row.id);
            let filter = all_equal([(end.column.as_str(), &id)]);
            for pair in find::ids(writer, table, &Sight::Everything, &filter, u64::from(u32::MAX))? {
                if let Some(stored) = writer.row(table, pair, &Sight::Everything)? {
                    writer.remove(table, &stored.row, pair, call.now)?;
                }
            }
        }
    }
    Ok(())
}
