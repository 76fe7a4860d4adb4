//! What the answer of a query is made of: its columns, and the order of its rows.

use super::element::error;
use super::read::duplicate_alias;
use super::scope::{column_of, table_of};
use super::{Attribute, Columns, Entity, Extent, Fetch, OrderKey, Role};
use crate::edm::{Column, Schema, Table};
use crate::error::Result;
use std::collections::BTreeSet;

/// What stands for the dot between a link's alias and a column in a name of the answer.
const DOT: &str = "_x002e_";

/// One column of the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Output<'s> {
    /// Name on the wire: the property, the alias, or `alias_x002e_column` for a column of a link.
    pub name: String,
    /// Which row it is taken from: 0 is that of the entity, then the joined links as in [`Entity::joined`].
    pub place: usize,
    /// The table of that row.
    pub table: &'s Table,
    /// The column.
    pub column: &'s Column,
    /// What becomes of the values.
    pub role: Role,
}

/// One key of the order of the rows. All of them together are different for any two rows of the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position<'s> {
    /// As in [`Output::place`].
    pub place: usize,
    /// The column.
    pub column: &'s Column,
    /// Largest first.
    pub descending: bool,
}

impl Fetch {
    /// Tables by place: that of the entity, then those of the joined links.
    ///
    /// # Errors
    /// 400 `0x80041102` when the schema is another one than the query was read with.
    pub fn tables<'s>(&self, schema: &'s Schema) -> Result<Vec<&'s Table>> {
        let joined = self.entity.joined();
        let names = std::iter::once(&self.entity.table).chain(joined.iter().map(|link| &link.entity.table));
        names.map(|name| table_of(schema, name)).collect()
    }

    /// The place of the row that an alias means; `None` is the entity itself.
    pub fn place(&self, alias: Option<&str>) -> usize {
        match alias {
            None => 0,
            Some(alias) => {
                let joined = self.entity.joined();
                joined.iter().position(|link| link.alias == alias).map_or(0, |at| at + 1)
            }
        }
    }

    /// Columns of the answer, in order. A query of rows has the primary key among them, unless it is
    /// distinct.
    ///
    /// # Errors
    /// 400 `0x80041130` when two would have the same name.
    pub fn outputs<'s>(&self, schema: &'s Schema) -> Result<Vec<Output<'s>>> {
        let tables = self.tables(schema)?;
        let joined = self.entity.joined();
        let mut outputs = Vec::new();
        for (place, table) in tables.into_iter().enumerate() {
            let link = place.checked_sub(1).and_then(|at| joined.get(at));
            let entity = link.map_or(&self.entity, |link| &link.entity);
            let prefix = link.map(|link| link.alias.as_str());
            match &entity.columns {
                Columns::All => {
                    let all = table.columns.iter();
                    outputs
                        .extend(all.map(|column| output(place, table, column, (prefix, None), Role::Plain)));
                }
                Columns::Some(attributes) => {
                    for Attribute { column, alias, role } in attributes {
                        let column = column_of(table, column)?;
                        outputs.push(output(place, table, column, (prefix, alias.as_deref()), *role));
                    }
                }
            }
            if place == 0 && !self.distinct && !self.aggregate {
                let key = column_of(table, &table.primary_id)?;
                if !outputs.iter().any(|output| output.name == key.logical_name) {
                    outputs.push(output(0, table, key, (None, None), Role::Plain));
                }
            }
        }
        let mut names = BTreeSet::new();
        match outputs.iter().all(|output| names.insert(output.name.as_str())) {
            true => Ok(outputs),
            false => Err(duplicate_alias()),
        }
    }

    /// The order of the rows: as asked, then whatever makes it whole. That is the keys of all rows that are
    /// joined, or for a distinct query the other columns of the answer. An aggregate has none; see
    /// [`Fetch::group_order`].
    ///
    /// # Errors
    /// As [`Fetch::outputs`].
    pub fn positions<'s>(&self, schema: &'s Schema) -> Result<Vec<Position<'s>>> {
        let tables = self.tables(schema)?;
        let joined = self.entity.joined();
        let mut positions: Vec<Position> = Vec::new();
        let mut add = |place: usize, column: &'s Column, descending| {
            if !positions.iter().any(|p| p.place == place && p.column.logical_name == column.logical_name) {
                positions.push(Position { place, column, descending });
            }
        };
        for (place, table) in tables.iter().enumerate() {
            let link = place.checked_sub(1).and_then(|at| joined.get(at));
            for order in &link.map_or(&self.entity, |link| &link.entity).orders {
                let OrderKey::Column { entity, column } = &order.by else { continue };
                match entity {
                    None => add(place, column_of(table, column)?, order.descending),
                    Some(alias) => {
                        let place = self.place(Some(alias));
                        if let Some(table) = tables.get(place) {
                            add(place, column_of(table, column)?, order.descending);
                        }
                    }
                }
            }
        }
        if self.distinct {
            self.outputs(schema)?.iter().for_each(|output| add(output.place, output.column, false));
        } else {
            for (place, table) in tables.iter().enumerate() {
                add(place, column_of(table, &table.primary_id)?, false);
            }
        }
        Ok(positions)
    }

    /// The order of an aggregate's groups: which columns of the answer, and whether largest first. As asked,
    /// then by the groups.
    ///
    /// # Errors
    /// 400 `0x8004111f` when it is ordered by an alias that is none.
    pub fn group_order(&self, outputs: &[Output]) -> Result<Vec<(usize, bool)>> {
        let mut order = Vec::new();
        let entities =
            std::iter::once(&self.entity).chain(self.entity.joined().into_iter().map(|l| &l.entity));
        for asked in entities.flat_map(|entity: &Entity| &entity.orders) {
            let OrderKey::Alias(alias) = &asked.by else { continue };
            match outputs.iter().position(|output| output.name == *alias) {
                Some(at) if order.iter().any(|(known, _)| *known == at) => {}
                Some(at) => order.push((at, asked.descending)),
                None => return Err(error("0x8004111f", "The order names an alias that is none.".to_owned())),
            }
        }
        for (at, output) in outputs.iter().enumerate() {
            let group = matches!(output.role, Role::Group(_));
            if group && !order.iter().any(|(known, _)| *known == at) {
                order.push((at, false));
            }
        }
        Ok(order)
    }

    /// What can only be said of the whole.
    pub(super) fn check(&self, schema: &Schema) -> Result<()> {
        let outputs = self.outputs(schema)?;
        if outputs.is_empty() && (self.aggregate || self.distinct) {
            return Err(error("0x8004112C", "A distinct or aggregate query needs attributes.".to_owned()));
        }
        if self.aggregate {
            self.group_order(&outputs)?;
        }
        Ok(())
    }

    /// The page asked for, from 1, and how many rows a page has when `rows_max` is the most there are.
    pub fn page(&self, rows_max: u32) -> (u32, u32) {
        match &self.extent {
            Extent::Top(top) => (1, *top),
            Extent::Page { number, count, .. } => {
                (*number, count.unwrap_or(rows_max).clamp(1, rows_max.max(1)))
            }
        }
    }
}

fn output<'s>(
    place: usize,
    table: &'s Table,
    column: &'s Column,
    (prefix, alias): (Option<&str>, Option<&str>),
    role: Role,
) -> Output<'s> {
    let name = match (alias, prefix) {
        (Some(alias), _) => alias.to_owned(),
        (None, Some(prefix)) => format!("{prefix}{DOT}{}", column.logical_name),
        (None, None) => column.property(),
    };
    Output { name, place, table, column, role }
}
