//! Collection-valued navigation properties, and how their rows hang on those that have them.

use super::level::{missing, Level, BASE};
use crate::db::layout::is_polymorphic;
use crate::db::name;
use flette_odata::error::Result;
use flette_odata::{Column, Schema, Table};
use sea_query::{Expr, JoinType, SelectStatement, SimpleExpr};

/// What a collection-valued navigation property leads to.
pub enum Collection<'s> {
    /// Rows of a table whose lookup points here.
    Referring {
        /// The table.
        table: &'s Table,
        /// Its lookup.
        lookup: &'s Column,
    },
    /// Rows that an intersect table joins to those here.
    Paired {
        /// The table at the other end.
        table: &'s Table,
        /// The intersect table.
        intersect: &'s Table,
        /// Its column with ids of this end.
        here: &'s Column,
        /// Its column with ids of the other end.
        there: &'s Column,
    },
}

impl<'s> Collection<'s> {
    /// Finds it in the schema.
    ///
    /// # Errors
    /// 400 when the schema has no such property.
    pub fn find(schema: &'s Schema, table: &Table, navigation: &str) -> Result<Collection<'s>> {
        if let Some((table, lookup, _)) = flette_odata::path::collection(schema, table, navigation) {
            return Ok(Collection::Referring { table, lookup });
        }
        let pairs = schema.many_to_many(&table.logical_name, navigation).and_then(|(pairs, here, there)| {
            let intersect = schema.table(&pairs.intersect)?;
            Some(Collection::Paired {
                table: schema.table(&there.table)?,
                intersect,
                here: intersect.column(&here.column)?,
                there: intersect.column(&there.column)?,
            })
        });
        pairs.ok_or_else(|| missing(table, navigation))
    }

    /// The table whose rows it holds.
    pub fn table(&self) -> &'s Table {
        match self {
            Collection::Referring { table, .. } | Collection::Paired { table, .. } => table,
        }
    }
}

/// What ties rows of a collection to those that have it.
pub(crate) struct Tie {
    /// The id of the row that has the collection, in a statement that the tie was added to.
    pub(crate) holder: SimpleExpr,
    /// The intersect table, its alias, and the condition it is joined on.
    pairs: Option<(String, String, SimpleExpr)>,
    condition: Option<SimpleExpr>,
}

impl Tie {
    /// Adds it to a statement over the collection's own table.
    pub(crate) fn add_to(&self, statement: &mut SelectStatement) {
        if let Some((table, alias, on)) = &self.pairs {
            statement.join_as(JoinType::InnerJoin, name(table), name(alias), on.clone());
        }
        statement.and_where_option(self.condition.clone());
    }
}

impl<'s> Level<'s> {
    /// What ties the level's own rows to those of `holders`.
    ///
    /// A pair of an intersect table tells nothing by itself, so only the rows at its ends have to be seen.
    pub(crate) fn tie(&self, collection: &Collection, holders: &Table) -> Tie {
        match collection {
            Collection::Referring { lookup, .. } => Tie {
                holder: self.column(BASE, lookup),
                pairs: None,
                condition: is_polymorphic(lookup)
                    .then(|| Expr::expr(self.target(BASE, lookup)).eq(holders.logical_name.as_str())),
            },
            Collection::Paired { intersect, here, there, .. } => {
                let alias = self.scope().alias();
                let column = |column: &Column| Expr::col((name(&alias), name(&column.logical_name)));
                let on = column(there).eq(self.id(BASE));
                let holder = column(here).into();
                let pairs = Some((intersect.logical_name.clone(), alias, on));
                Tie { holder, pairs, condition: None }
            }
        }
    }
}
