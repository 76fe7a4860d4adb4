//! Collections of one row or of many at once: the rows are gone through once, whatever the number of holders.

use super::condition::missing;
use super::order::Order;
use super::seen::{At, SeenTable};
use super::View;
use crate::mirror::{Condition, IdSet};
use flette_odata::answer::{Related, Within};
use flette_odata::error::Result;
use flette_odata::filter::Filter;
use flette_odata::navigation::{navigation, Navigation};
use flette_odata::render::Cell;
use flette_odata::{Table, Uuid};
use std::collections::HashMap;
use std::rc::Rc;

/// Whose collections a row is in.
enum Ties<'s> {
    /// One lookup at most.
    Lookup(super::seen::Columns<'s>, String, IdSet),
    /// Holders by row.
    Pairs(HashMap<Uuid, Vec<Uuid>>),
}

impl Ties<'_> {
    fn holders(&self, seen: &SeenTable, at: At, mut each: impl FnMut(Uuid)) {
        match self {
            Ties::Lookup(lookup, table, holders) => match lookup.cell(at, 0) {
                Cell::Lookup { table: to, id } if to == table && holders.contains(id) => each(id),
                _ => {}
            },
            Ties::Pairs(holders) => {
                holders.get(&seen.id(at)).into_iter().flatten().for_each(|holder| each(*holder));
            }
        }
    }
}

impl<'s> View<'s> {
    /// A filter, and that rows are in a collection of a row.
    pub(super) fn all_of<'f>(
        &self,
        seen: &'f SeenTable,
        filter: Option<&'f Filter>,
        within: Option<Within<'f>>,
    ) -> Result<Option<Condition<'f>>> {
        let filter = filter.map(|filter| self.condition(filter, seen.table)).transpose()?;
        let within = within.map(|within| self.within(within)).transpose()?;
        Ok(match (within, filter) {
            (Some(within), Some(filter)) => Some(Condition::And(vec![within, filter])),
            (one, other) => one.or(other),
        })
    }

    fn within(&self, within: Within<'_>) -> Result<Condition<'static>> {
        let holder = self.kept(within.holders, within.holder);
        match navigation(&self.state.schema, within.holders, within.collection) {
            Some(Navigation::ToMany { column, .. }) => Ok(Condition::Leads {
                column: column.logical_name.clone().into(),
                table: Some(within.holders.logical_name.clone().into()),
                ids: [holder].into_iter().collect(),
            }),
            Some(Navigation::ManyToMany { intersect, near, far, .. }) => {
                let pairs = self.pairs(intersect, near, far)?.into_iter();
                Ok(Condition::Among(pairs.filter(|(near, _)| *near == holder).map(|(_, far)| far).collect()))
            }
            Some(Navigation::ToOne { .. }) | None => Err(missing(within.collection)),
        }
    }

    /// Rows of the collections of many holders: by holder, each holder's in order and at most `limit` of them.
    pub(super) fn collections(
        &self,
        seen: &Rc<SeenTable<'s>>,
        related: &Related,
        holders: &[Uuid],
        limit: usize,
    ) -> Result<Vec<(Uuid, Vec<At>)>> {
        let wanted: IdSet = holders.iter().map(|id| self.kept(related.holders, *id)).collect();
        let (ties, tied) = self.ties(seen, (related.holders, related.collection), wanted)?;
        let condition = match related.filter {
            Some(filter) => Condition::And(vec![tied, self.condition(filter, seen.table)?]),
            None => tied,
        };
        let rows = seen.select(Some(&condition));
        let rows = Order::new(self, seen, related.order)?.first(rows, None, usize::MAX);
        let mut found: HashMap<Uuid, Vec<At>> = HashMap::new();
        for at in rows {
            ties.holders(seen, at, |holder| {
                let rows = found.entry(holder).or_default();
                if rows.len() < limit {
                    rows.push(at);
                }
            });
        }
        Ok(holders
            .iter()
            .filter_map(|id| Some((*id, found.remove(&self.kept(related.holders, *id))?)))
            .collect())
    }

    /// What ties rows of a collection to holders, and the condition that they are tied to one of these.
    fn ties(
        &self,
        seen: &Rc<SeenTable<'s>>,
        (holders, collection): (&Table, &str),
        wanted: IdSet,
    ) -> Result<(Ties<'s>, Condition<'static>)> {
        match navigation(&self.state.schema, holders, collection) {
            Some(Navigation::ToMany { column, .. }) => {
                let tied = Condition::Leads {
                    column: column.logical_name.clone().into(),
                    table: Some(holders.logical_name.clone().into()),
                    ids: wanted.clone(),
                };
                let lookup = seen.columns([column.logical_name.as_str()]);
                Ok((Ties::Lookup(lookup, holders.logical_name.clone(), wanted), tied))
            }
            Some(Navigation::ManyToMany { intersect, near, far, .. }) => {
                let mut pairs: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
                for (near, far) in self.pairs(intersect, near, far)? {
                    if wanted.contains(near) {
                        pairs.entry(far).or_default().push(near);
                    }
                }
                let tied = Condition::Among(pairs.keys().copied().collect());
                Ok((Ties::Pairs(pairs), tied))
            }
            Some(Navigation::ToOne { .. }) | None => Err(missing(collection)),
        }
    }
}
