//! What a view's FetchXML keeps of its table, as a filter that `$filter` can say. Pure.
//!
//! What it cannot say is refused with the reason: the first rows of an order, figures, patterns with wildcards within,
//! links by columns that make no relationship, rows behind rows of a collection.

use super::wanted::{has_any, through, to_one, Me};
use flette_odata::edm::{ColumnKind, Schema, Table};
use flette_odata::fetchxml::{self, Condition, Criteria, Entity, Extent, Link, LinkKind, Test};
use flette_odata::filter::{CallerColumn, CompareOp, Filter, QueryFunction, TextOp};
use flette_odata::Value;

type Result<T> = std::result::Result<T, String>;

/// The filter; [`Filter::Always`] of `true` for a view of all rows.
///
/// # Errors
/// Why there is none, in words that name tables and columns only.
pub(super) fn filter(fetch_xml: &str, table: &Table, schema: &Schema, me: Me) -> Result<Filter> {
    let fetch = fetchxml::parse(fetch_xml, schema).map_err(|error| error.message)?;
    if fetch.entity.table != table.logical_name {
        return Err(format!("it is a view of '{}'", fetch.entity.table));
    }
    if fetch.aggregate {
        return Err("it makes figures, not rows".to_owned());
    }
    if matches!(fetch.extent, Extent::Top(_)) {
        return Err("it takes the first rows only".to_owned());
    }
    Reader { schema, me }.entity(&fetch.entity, table)
}

/// What leads from a row to those of a link.
enum Way<'a> {
    /// A single-valued navigation property.
    One(&'a str, &'a Table),
    /// A collection.
    Many(&'a str, &'a Table),
    /// A collection, over the table of its pairs.
    Pairs { collection: &'a str, far: &'a Link },
}

struct Reader<'s> {
    schema: &'s Schema,
    me: Me,
}

impl Reader<'_> {
    fn entity(&self, entity: &Entity, table: &Table) -> Result<Filter> {
        let mut items = Vec::new();
        for criteria in &entity.criteria {
            items.push(self.criteria(criteria, table, &entity.links)?);
        }
        for link in &entity.links {
            items.push(self.joined(link, table)?);
        }
        Ok(all(items))
    }

    fn criteria(&self, criteria: &Criteria, table: &Table, links: &[Link]) -> Result<Filter> {
        let each = |items: &[Criteria]| -> Result<Vec<Filter>> {
            items.iter().map(|item| self.criteria(item, table, links)).collect()
        };
        match criteria {
            Criteria::And(items) => Ok(all(each(items)?)),
            Criteria::Or(items) if items.is_empty() => Ok(Filter::Always(true)),
            Criteria::Or(items) => Ok(any(each(items)?)),
            Criteria::Condition(condition) => self.condition(condition, table, links),
            Criteria::Link(link) => self.asked(link, table),
        }
    }

    fn condition(&self, condition: &Condition, table: &Table, links: &[Link]) -> Result<Filter> {
        let filter = match &condition.test {
            Test::Values { filter, .. } => self.said(filter.clone())?,
            Test::Column { op, entity, column } if *entity == condition.entity => {
                let (left, right) = (condition.column.clone(), column.clone());
                Filter::CompareColumns { left, op: *op, right }
            }
            Test::Column { .. } => return Err("it compares columns of two rows".to_owned()),
        };
        match &condition.entity {
            None => Ok(filter),
            Some(alias) => self.along(alias, table, links, filter),
        }
    }

    /// A condition on the row of a link, said from outside of it.
    fn along(&self, alias: &str, table: &Table, links: &[Link], filter: Filter) -> Result<Filter> {
        let beyond = || format!("a condition on '{alias}' stands outside of its link");
        for link in links {
            let way = self.way(link, table);
            let found = match &way {
                Ok(Way::One(_, other)) if link.alias != alias => {
                    self.along(alias, other, &link.entity.links, filter.clone())
                }
                // Of an outer link, what it asks decides which row is meant.
                Ok(Way::One(..)) if link.kind == LinkKind::Outer && !link.entity.criteria.is_empty() => {
                    Err(beyond())
                }
                Ok(Way::One(..)) => Ok(filter.clone()),
                Ok(Way::Many(..) | Way::Pairs { .. }) | Err(_) => Err(beyond()),
            };
            if let (Ok(filter), Ok(Way::One(navigation, _))) = (found, way) {
                return Ok(through(navigation, filter));
            }
        }
        Err(beyond())
    }

    /// A link beside the filter.
    fn joined(&self, link: &Link, table: &Table) -> Result<Filter> {
        match link.kind {
            // A row comes with or without a match.
            LinkKind::Outer if link.entity.links.iter().all(|link| link.kind == LinkKind::Outer) => {
                Ok(Filter::Always(true))
            }
            LinkKind::Outer => Err("an outer link has others in it that are not".to_owned()),
            LinkKind::Inner | LinkKind::First | LinkKind::Exists | LinkKind::In => self.exists(link, table),
            LinkKind::Any | LinkKind::NotAny | LinkKind::All | LinkKind::NotAll => self.asked(link, table),
        }
    }

    /// A link within the filter.
    fn asked(&self, link: &Link, table: &Table) -> Result<Filter> {
        match link.kind {
            LinkKind::NotAny => Ok(not(self.exists(link, table)?)),
            // There are rows, and none of them meets the conditions: that is what Dataverse calls so.
            LinkKind::All => {
                let mut bare = link.clone();
                (bare.entity.criteria, bare.entity.links) = (Vec::new(), Vec::new());
                Ok(all(vec![self.exists(&bare, table)?, not(self.exists(link, table)?)]))
            }
            LinkKind::Any
            | LinkKind::NotAll
            | LinkKind::Inner
            | LinkKind::Outer
            | LinkKind::First
            | LinkKind::Exists
            | LinkKind::In => self.exists(link, table),
        }
    }

    /// There is a row behind a link that meets what the link asks.
    fn exists(&self, link: &Link, table: &Table) -> Result<Filter> {
        match self.way(link, table)? {
            Way::One(navigation, other) => Ok(to_one(navigation, other, self.entity(&link.entity, other)?)),
            Way::Many(collection, other) => lambda(collection, self.entity(&link.entity, other)?),
            Way::Pairs { collection, far } => {
                let other = self.table(&far.entity.table)?;
                lambda(collection, self.entity(&far.entity, other)?)
            }
        }
    }

    fn table(&self, name: &str) -> Result<&Table> {
        self.schema.table(name).ok_or_else(|| format!("the table '{name}' does not go offline"))
    }

    fn way<'a>(&'a self, link: &'a Link, table: &'a Table) -> Result<Way<'a>> {
        let other = self.table(&link.entity.table)?;
        let targets = |table: &'a Table, column: &str| match table.column(column).map(|c| &c.kind) {
            Some(ColumnKind::Lookup { targets }) => targets.as_slice(),
            _ => &[],
        };
        if link.from == other.primary_id {
            let target = targets(table, &link.to).iter().find(|target| target.table == other.logical_name);
            if let Some(target) = target {
                return Ok(Way::One(&target.navigation, other));
            }
        }
        if link.to == table.primary_id {
            let target = targets(other, &link.from).iter().find(|to| to.table == table.logical_name);
            if let Some(target) = target {
                return Ok(Way::Many(&target.collection, other));
            }
            if let Some(way) = self.pairs(link, table) {
                return Ok(way);
            }
        }
        Err(format!("no relationship joins '{}' and '{}' so", table.logical_name, link.entity.table))
    }

    /// A link to the table of pairs, with nothing in it but the link to the rows at the other end.
    fn pairs<'a>(&'a self, link: &'a Link, table: &Table) -> Option<Way<'a>> {
        let ([far], []) = (link.entity.links.as_slice(), link.entity.criteria.as_slice()) else {
            return None;
        };
        let kind = matches!(far.kind, LinkKind::Inner | LinkKind::First | LinkKind::Exists | LinkKind::In);
        let of_table = self.schema.many_to_many.iter().filter(|pairs| pairs.intersect == link.entity.table);
        let ends = of_table.flat_map(|pairs| [(&pairs.first, &pairs.second), (&pairs.second, &pairs.first)]);
        let mut fits = ends.filter(|(near, other)| {
            let here = near.table == table.logical_name && near.column == link.from;
            let primary = self.schema.table(&other.table).map(|table| &table.primary_id);
            here && other.table == far.entity.table && other.column == far.to && primary == Some(&far.from)
        });
        let (near, _) = fits.next().filter(|_| kind)?;
        Some(Way::Pairs { collection: &near.navigation, far })
    }

    /// A condition in words that `$filter` has.
    fn said(&self, filter: Filter) -> Result<Filter> {
        let each = |items: Vec<Filter>| -> Result<Vec<Filter>> {
            items.into_iter().map(|item| self.said(item)).collect()
        };
        Ok(match filter {
            Filter::And(items) => all(each(items)?),
            Filter::Or(items) => any(each(items)?),
            Filter::Not(inner) => not(self.said(*inner)?),
            Filter::Text { column, op: TextOp::Like, pattern } => like(column, &pattern)?,
            Filter::Function { column, function: QueryFunction::Caller(CallerColumn::User) } => {
                equal(column, Value::Guid(self.me.user))
            }
            Filter::Function { column, function: QueryFunction::Caller(CallerColumn::BusinessUnit) } => {
                equal(column, Value::Guid(self.me.business_unit))
            }
            leaf @ (Filter::Compare { .. }
            | Filter::CompareColumns { .. }
            | Filter::Text { .. }
            | Filter::HasValues { .. }
            | Filter::Through { .. }
            | Filter::Any { .. }
            | Filter::Function { .. }
            | Filter::Always(_)) => leaf,
        })
    }
}

fn lambda(collection: &str, filter: Filter) -> Result<Filter> {
    match has_any(&filter) {
        true => Err(format!("it asks for rows behind rows of '{collection}'")),
        false => Ok(Filter::Any { collection: collection.to_owned(), filter: Box::new(filter) }),
    }
}

/// A pattern without wildcards but at its ends.
fn like(column: String, pattern: &str) -> Result<Filter> {
    let (front, text) = pattern.strip_prefix('%').map_or((false, pattern), |text| (true, text));
    let (back, text) = text.strip_suffix('%').map_or((false, text), |text| (true, text));
    if text.contains(['%', '_', '[']) {
        return Err(format!("the pattern for '{column}' has wildcards within"));
    }
    if text.is_empty() && (front || back) {
        return Ok(Filter::Compare { column, op: CompareOp::NotEqual, value: Value::Null });
    }
    let op = match (front, back) {
        (false, false) => return Ok(equal(column, Value::Text(text.to_owned()))),
        (true, true) => TextOp::Contains,
        (false, true) => TextOp::StartsWith,
        (true, false) => TextOp::EndsWith,
    };
    Ok(Filter::Text { column, op, pattern: text.to_owned() })
}

fn equal(column: String, value: Value) -> Filter {
    Filter::Compare { column, op: CompareOp::Equal, value }
}

/// The opposite; of a comparison for equality by its own operator, since services read `not` before it in two ways.
fn not(filter: Filter) -> Filter {
    match filter {
        Filter::Compare { column, op: CompareOp::Equal, value } => {
            Filter::Compare { column, op: CompareOp::NotEqual, value }
        }
        Filter::Always(value) => Filter::Always(!value),
        other => Filter::Not(Box::new(other)),
    }
}

fn all(mut items: Vec<Filter>) -> Filter {
    items.retain(|item| *item != Filter::Always(true));
    match items.len() {
        0 => Filter::Always(true),
        1 => items.remove(0),
        _ => Filter::And(items),
    }
}

fn any(mut items: Vec<Filter>) -> Filter {
    if items.contains(&Filter::Always(true)) {
        return Filter::Always(true);
    }
    match items.len() {
        1 => items.remove(0),
        _ => Filter::Or(items),
    }
}

#[cfg(test)]
mod tests;
