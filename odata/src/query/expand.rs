//! `$expand`: lookups and collections, in several levels.

use super::{boolean, filter, invalid, order, select, split_outside, unsupported, Expand, EXPAND_MAX};
use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};
use crate::filter::token::{Lexer, Token};
use crate::filter::Filter;
use crate::navigation::{navigation, Navigation};

/// `primarycontactid($select=fullname),contact_customer_accounts($filter=…;$orderby=…;$top=3)`
pub(super) fn parse(list: &str, table: &Table, schema: &Schema) -> Result<Vec<Expand>> {
    let mut reader = Reader { schema, count: 0 };
    let expands = reader.list(list, table, Level::Outer)?;
    expands.iter().try_for_each(check_order_and_top)?;
    Ok(expands)
}

/// Where an expand stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Outer,
    Inner,
}

struct Reader<'a> {
    schema: &'a Schema,
    /// How many there are so far, on all levels.
    count: usize,
}

impl<'a> Reader<'a> {
    fn list(&mut self, list: &str, table: &'a Table, level: Level) -> Result<Vec<Expand>> {
        let mut expands: Vec<Expand> = Vec::new();
        if list.trim().is_empty() {
            return Ok(expands);
        }
        for item in split_outside(list, ',').map(str::trim) {
            if self.count == EXPAND_MAX {
                return Err(ODataError::bad_request(format!(
                    "$expand has more than {EXPAND_MAX} properties."
                )));
            }
            self.count += 1;
            let expand = self.one(item, table, level)?;
            if expands.iter().any(|earlier| earlier.navigation == expand.navigation) {
                return Err(ODataError::bad_request(format!("'{}' is expanded twice.", expand.navigation)));
            }
            expands.push(expand);
        }
        Ok(expands)
    }

    /// `nav`, `nav(…)` or `nav/$ref`.
    fn one(&mut self, item: &str, table: &'a Table, level: Level) -> Result<Expand> {
        let (name, options) = match item.split_once('(') {
            None => (item, ""),
            Some((name, rest)) => (name.trim(), rest.strip_suffix(')').ok_or_else(|| invalid("$expand"))?),
        };
        let (name, reference_only) = match name.strip_suffix("/$ref") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let schema = self.schema;
        let found = navigation(schema, table, name).ok_or_else(|| filter::column_not_found(table, name))?;
        let (tables, collection) = match found {
            Navigation::ToOne { targets, .. } => (targets, false),
            Navigation::ToMany { table, .. } => (vec![table], true),
            Navigation::ManyToMany { .. } if level == Level::Inner => {
                return Err(ODataError::bad_request(format!(
                    "'{name}' is a relationship of many to many, which cannot be expanded inside $expand."
                )))
            }
            Navigation::ManyToMany { table, .. } => (vec![table], true),
        };
        if tables.is_empty() {
            return Err(ODataError::not_implemented(format!(
                "The table that '{name}' leads to is not here."
            )));
        }
        if reference_only && collection {
            return Err(ODataError::bad_request(
                "Expand with $ref is only supported on lookup type navigation property.",
            ));
        }
        let (navigation, written) = (name.to_owned(), options.to_owned());
        let mut expand =
            Expand { navigation, collection, reference_only, options: written, ..Expand::default() };
        self.options(options, &mut expand, &tables)?;
        Ok(expand)
    }

    fn options(&mut self, options: &str, expand: &mut Expand, tables: &[&'a Table]) -> Result<()> {
        let mut seen: Vec<&str> = Vec::new();
        let target = tables.first().ok_or_else(|| invalid("$expand"))?;
        for option in split_outside(options, ';').map(str::trim).filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').ok_or_else(|| invalid("$expand"))?;
            if seen.contains(&name) || expand.reference_only {
                return Err(invalid("$expand"));
            }
            seen.push(name);
            if matches!(name, "$filter" | "$orderby" | "$top" | "$count") && !expand.collection {
                return Err(ODataError::bad_request(format!(
                    "The query parameter {name} is not supported inside $expand of a single row."
                )));
            }
            match name {
                "$select" => expand.select = select(value, tables)?,
                "$filter" => expand.filter = Some(condition(value, target, self.schema)?),
                "$orderby" => expand.orderby = order::parse(value, target, self.schema)?,
                "$top" => expand.top = Some(value.trim().parse().map_err(|_| invalid("$expand"))?),
                "$count" => expand.count = boolean(value).ok_or_else(|| invalid("$expand"))?,
                "$expand" if tables.len() > 1 => {
                    return Err(ODataError::bad_request(format!(
                        "Inside '{}', which leads to several tables, nothing can be expanded.",
                        expand.navigation
                    )))
                }
                "$expand" => expand.expand = self.list(value, target, Level::Inner)?,
                other => return Err(unsupported(other)),
            }
        }
        Ok(())
    }
}

/// A condition inside `$expand`, where parameter aliases do not count.
fn condition(text: &str, table: &Table, schema: &Schema) -> Result<Filter> {
    let mut tokens = Lexer::new(text)?;
    loop {
        match tokens.advance()? {
            Token::End => return filter::parse::parse(text, table, schema, &|_| None),
            Token::Alias(_) => {
                return Err(ODataError::bad_request("Parameter aliases are not supported inside $expand."))
            }
            _ => {}
        }
    }
}

/// `$orderby` and `$top` do not go together with collections inside one another.
fn check_order_and_top(outer: &Expand) -> Result<()> {
    let nested = outer.expand.iter().any(holds_collection);
    let mut ordered = outer.collection && nested && is_ordered(outer);
    ordered |= outer.expand.iter().any(holds_order);
    match ordered {
        true => Err(ODataError::bad_request(
            "$orderby and $top are not supported together with a collection expanded inside $expand.",
        )),
        false => Ok(()),
    }
}

fn holds_collection(expand: &Expand) -> bool {
    expand.collection || expand.expand.iter().any(holds_collection)
}

fn holds_order(expand: &Expand) -> bool {
    is_ordered(expand) || expand.expand.iter().any(holds_order)
}

fn is_ordered(expand: &Expand) -> bool {
    !expand.orderby.is_empty() || expand.top.is_some()
}
