//! From text to [`Fetch`]: names against the schema, values against types, sizes against the limits.

use super::element::{
    alias, document, elements, error, flag, invalid_attribute, invalid_node, number, required,
};
use super::scope::{column_of, table_of, Scope};
use super::{limits::*, role};
use super::{Attribute, Columns, Entity, Extent, Fetch, Link, LinkKind, Role};
use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};
use crate::filter::comparable;
use crate::ordered;
use roxmltree::Node;
use std::collections::BTreeSet;

/// Reads FetchXML.
///
/// What only tunes the service (`no-lock`, `latematerialize`, `options`, `useraworderby` …) and what people
/// read (`uiname`, `uitype`) is passed over, as are attributes nobody knows; elements nobody knows are not.
///
/// # Errors
/// 400 with a code of Dataverse's query builder: `0x80041101` for what is no XML or has a document type,
/// `0x80041102` and `0x80041103` for unknown tables and attributes, `0x8004111c` for an element out of place,
/// `0x80041120` and `0x80041139` for operators and values, and others; `0x8004430d` beyond
/// [`FETCH_LINKS_MAX`].
pub fn parse(text: &str, schema: &Schema) -> Result<Fetch> {
    if text.len() > FETCH_LENGTH_MAX {
        return Err(too_many("bytes of XML", FETCH_LENGTH_MAX));
    }
    if text.trim().is_empty() {
        return Err(error("0x80041124", "Xml String can't be null.".to_owned()));
    }
    let document = document(text)?;
    let root = document.root_element();
    if root.tag_name().name() != "fetch" {
        return Err(invalid_node(root));
    }
    let aggregate = flag(root, "aggregate", "0x8004111a")?;
    let links = root.descendants().filter(|node| node.has_tag_name("link-entity"));
    let taken = ordered::set(links.filter_map(|node| node.attribute("alias")));
    let mut reader =
        Reader { schema, aggregate, taken, made: 0, counts: Counts::default(), aliases: BTreeSet::new() };
    let mut entities = elements(root)?.into_iter();
    let entity = match (entities.next(), entities.next()) {
        (Some(entity), None) if entity.has_tag_name("entity") => reader.entity(entity, Stand::Root, 1)?,
        (None, _) => {
            return Err(error("0x80041123", "Element 'fetch' needs an element 'entity'.".to_owned()))
        }
        (Some(entity), None) => return Err(invalid_node(entity)),
        (_, Some(second)) => return Err(invalid_node(second)),
    };
    let fetch = Fetch {
        entity,
        distinct: flag(root, "distinct", "0x80041115")?,
        aggregate,
        extent: extent(root)?,
        total_record_count: flag(root, "returntotalrecordcount", "0x80041139")?,
        aggregate_rows_max: match number(root, "aggregatelimit")? {
            Some(0) => return Err(not_positive("aggregatelimit")),
            limit => limit.unwrap_or(AGGREGATE_ROWS_MAX).min(AGGREGATE_ROWS_MAX),
        },
    };
    fetch.check(schema)?;
    Ok(fetch)
}

fn extent(root: Node) -> Result<Extent> {
    let (top, page, count) = (number(root, "top")?, number(root, "page")?, number(root, "count")?);
    let cookie = root.attribute("paging-cookie").filter(|cookie| !cookie.is_empty());
    match top {
        Some(_) if page.is_some() || count.is_some() || cookie.is_some() => Err(error(
            "0x80041139",
            "The top attribute can't be specified with paging attributes page, count or paging-cookie."
                .to_owned(),
        )),
        Some(0) => Err(not_positive("top")),
        Some(top) if top > PAGE_ROWS_MAX => Err(invalid_attribute(root, "top")),
        Some(top) => Ok(Extent::Top(top)),
        None => match page {
            Some(0) => Err(not_positive("page")),
            page => Ok(Extent::Page {
                number: page.unwrap_or(1),
                count: count.filter(|count| *count > 0).map(|count| count.min(PAGE_ROWS_MAX)),
                cookie: cookie.map(str::to_owned),
            }),
        },
    }
}

/// How much was read.
#[derive(Default)]
pub(super) struct Counts {
    links: usize,
    pub(super) conditions: usize,
    pub(super) values: usize,
    attributes: usize,
    orders: usize,
}

/// Counts one more of what there may be `max` of.
pub(super) fn count(counter: &mut usize, what: &str, max: usize) -> Result<()> {
    *counter += 1;
    if *counter > max {
        return Err(too_many(what, max));
    }
    Ok(())
}

pub(super) struct Reader<'s, 'x> {
    schema: &'s Schema,
    pub(super) aggregate: bool,
    /// Aliases that links give themselves.
    taken: BTreeSet<&'x str>,
    /// How many aliases were made.
    made: usize,
    /// Aliases so far.
    aliases: BTreeSet<String>,
    pub(super) counts: Counts,
}

/// Where an entity stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    Root,
    /// Beside the row above.
    Joined,
    /// Only asked whether there is one.
    Apart,
}

impl<'s> Reader<'s, '_> {
    fn entity(&mut self, node: Node, stand: Stand, depth: usize) -> Result<Entity> {
        if depth > FETCH_DEPTH_MAX {
            return Err(too_many("levels of elements", FETCH_DEPTH_MAX));
        }
        let table = table_of(self.schema, required(node, "name")?)?;
        let (mut attributes, mut all, mut none) = (Vec::new(), false, false);
        let (mut links, mut filters, mut orders) = (Vec::new(), Vec::new(), Vec::new());
        for child in elements(node)? {
            match child.tag_name().name() {
                "attribute" => {
                    count(&mut self.counts.attributes, "attributes", FETCH_ATTRIBUTES_MAX)?;
                    attributes.push(self.attribute(child, table)?);
                }
                "all-attributes" => all = true,
                "no-attrs" => none = true,
                "filter" => filters.push(child),
                "order" => orders.push(child),
                "link-entity" => links.push(self.link(child, table, stand, depth + 1)?),
                _ => return Err(invalid_node(child)),
            }
        }
        if all && self.aggregate {
            return Err(role::not_aggregated());
        }
        let bare = attributes.is_empty() && !none && stand == Stand::Root && !self.aggregate;
        let columns = match stand {
            Stand::Apart => Columns::Some(Vec::new()),
            Stand::Root | Stand::Joined if all || bare => Columns::All,
            Stand::Root | Stand::Joined => Columns::Some(attributes),
        };
        let mut entity = Entity {
            table: table.logical_name.clone(),
            columns,
            criteria: Vec::new(),
            orders: Vec::new(),
            links,
        };
        let scope = self.scope(&entity, table, stand)?;
        for filter in filters {
            entity.criteria.push(self.filter(filter, &scope, depth + 1)?);
        }
        for order in orders.into_iter().filter(|_| stand != Stand::Apart) {
            count(&mut self.counts.orders, "orders", FETCH_ORDERS_MAX)?;
            entity.orders.push(self.order(order, &scope)?);
        }
        Ok(entity)
    }

    fn scope(&self, entity: &Entity, table: &'s Table, stand: Stand) -> Result<Scope<'s>> {
        let links = match stand {
            Stand::Root => entity.joined(),
            Stand::Joined | Stand::Apart => Vec::new(),
        };
        let named = |link: &&Link| Ok((link.alias.clone(), table_of(self.schema, &link.entity.table)?));
        Ok(Scope { table, links: links.iter().map(named).collect::<Result<_>>()? })
    }

    fn attribute(&self, node: Node, table: &Table) -> Result<Attribute> {
        let column = column_of(table, required(node, "name")?)?;
        let alias = alias(node)?.map(str::to_owned);
        let role = role::role(node, column, self.aggregate)?;
        if role != Role::Plain && alias.is_none() {
            return Err(error("0x80041109", "An aggregated attribute needs an alias.".to_owned()));
        }
        Ok(Attribute { column: column.logical_name.clone(), alias, role })
    }

    /// One `link-entity`.
    pub(super) fn link(&mut self, node: Node, above: &Table, stand: Stand, depth: usize) -> Result<Link> {
        self.counts.links += 1;
        if self.counts.links > FETCH_LINKS_MAX {
            return Err(error(
                "0x8004430d",
                "Number of link entities in query exceeded maximum limit.".to_owned(),
            ));
        }
        let kind = link_kind(node)?;
        let inner = match stand {
            Stand::Root | Stand::Joined if kind.joins() => Stand::Joined,
            Stand::Root | Stand::Joined | Stand::Apart => Stand::Apart,
        };
        let linked = table_of(self.schema, required(node, "name")?)?;
        let from = column_of(linked, node.attribute("from").unwrap_or(&linked.primary_id))?;
        let to = column_of(above, required(node, "to")?)?;
        if !comparable(from, to) {
            return Err(error(
                "0x80041104",
                format!(
                    "Data Types don't match for the link-entity join attributes '{}', '{}'.",
                    from.logical_name, to.logical_name
                ),
            ));
        }
        let alias = match alias(node)? {
            Some(alias) => alias.to_owned(),
            None => self.make_alias(linked),
        };
        if !self.aliases.insert(alias.clone()) {
            return Err(duplicate_alias());
        }
        let (from, to) = (from.logical_name.clone(), to.logical_name.clone());
        Ok(Link { entity: self.entity(node, inner, depth)?, alias, from, to, kind })
    }

    fn make_alias(&mut self, table: &Table) -> String {
        loop {
            self.made += 1;
            let alias = format!("{}{}", table.logical_name, self.made);
            if !self.taken.contains(alias.as_str()) {
                return alias;
            }
        }
    }
}

pub(super) fn link_kind(node: Node) -> Result<LinkKind> {
    let keyword = match node.attribute("link-type") {
        // The old name of an inner join.
        None | Some("natural") => "inner",
        Some(keyword) => keyword,
    };
    let kind = LinkKind::ALL.into_iter().find(|(_, name)| *name == keyword).map(|(kind, _)| kind);
    let in_filter = node.parent_element().is_some_and(|parent| parent.has_tag_name("filter"));
    kind.filter(|kind| kind.in_filter() == in_filter).ok_or_else(bad_link_type)
}

pub(super) fn duplicate_alias() -> ODataError {
    error("0x80041130", "FetchXML should have unique aliases.".to_owned())
}

pub(super) fn bad_link_type() -> ODataError {
    error(
        "0x80041117",
        "The only valid values for link-type attribute are 'natural', 'inner','in','exists',\
         'matchfirstrowusingcrossapply' and 'outer', and inside a filter 'any', 'not any', 'all' and 'not all'."
            .to_owned(),
    )
}

fn not_positive(attribute: &str) -> ODataError {
    error("0x8004110c", format!("A value greater than zero must be specified for '{attribute}'."))
}

pub(super) fn too_many(what: &str, max: usize) -> ODataError {
    error("0x80041139", format!("A query may have at most {max} {what}."))
}
