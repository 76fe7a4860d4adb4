//! What the query options of a request for definitions ask for, and the definitions made to that.

use super::condition::Condition;
use super::shape::{self, Object};
use super::{lookups, shown};
use crate::edm::{AlternateKey, Column, LookupTarget, ManyToMany, OptionSet, Schema, Table};
use crate::error::{ODataError, Result};

/// Deepest nesting of `$expand`.
const EXPAND_DEPTH_MAX: usize = 3;

/// One definition.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'a> {
    Table(&'a Table),
    /// A column with its place in its table, from 1; whether its own type was asked for.
    Column(&'a Table, &'a Column, usize, bool),
    /// A lookup, seen as a relationship.
    OneToMany(&'a Table, &'a Column, &'a LookupTarget),
    ManyToMany(&'a ManyToMany),
    Key(&'a Table, &'a AlternateKey),
    /// The options of a column.
    Options(&'a Table, &'a Column),
    OptionSet(&'a OptionSet),
}

/// What an expanded property holds.
enum Expanded<'a> {
    Many(Vec<Subject<'a>>),
    One(Option<Subject<'a>>),
}

impl<'a> Subject<'a> {
    pub(super) fn object(self, schema: &Schema) -> Object {
        match self {
            Subject::Table(table) => shape::entity(table),
            Subject::Column(table, column, number, _) => shape::attribute(table, column, number),
            Subject::OneToMany(table, column, target) => shape::relationship(schema, table, column, target),
            Subject::ManyToMany(relationship) => shape::many_to_many(schema, relationship),
            Subject::Key(table, key) => shape::key(table, key),
            Subject::Options(table, column) => shape::option_set(table, column).unwrap_or_default(),
            Subject::OptionSet(set) => shape::global_option_set(set),
        }
    }

    fn expanded(self, schema: &'a Schema, name: &str) -> Result<Expanded<'a>> {
        Ok(match (self, name) {
            (Subject::Table(table), "Attributes") => Expanded::Many(columns(table, false)),
            (Subject::Table(table), "ManyToOneRelationships") => Expanded::Many(many_to_one(table)),
            (Subject::Table(table), "OneToManyRelationships") => Expanded::Many(one_to_many(schema, table)),
            (Subject::Table(table), "ManyToManyRelationships") => Expanded::Many(many_to_many(schema, table)),
            (Subject::Table(table), "Keys") => Expanded::Many(keys(table)),
            (Subject::Column(table, column, _, true), "OptionSet") => {
                let own = shape::has_options(column) && column.option_set.is_none();
                Expanded::One(own.then_some(Subject::Options(table, column)))
            }
            (Subject::Column(_, column, _, true), "GlobalOptionSet") => {
                let global = column.option_set.as_deref();
                let set = global.and_then(|name| schema.option_sets.iter().find(|set| set.name == name));
                Expanded::One(set.map(Subject::OptionSet))
            }
            _ => {
                return Err(ODataError::not_implemented(format!(
                    "$expand={} is not supported here.",
                    shown(name)
                )))
            }
        })
    }
}

/// A table's columns in their order; `cast`: whether their own types are asked for.
pub(super) fn columns(table: &Table, cast: bool) -> Vec<Subject<'_>> {
    table
        .columns
        .iter()
        .zip(1..)
        .map(|(column, number)| Subject::Column(table, column, number, cast))
        .collect()
}

/// A table's lookups. An owner's targets are one relationship.
pub(super) fn many_to_one(table: &Table) -> Vec<Subject<'_>> {
    let mut out: Vec<Subject<'_>> = Vec::new();
    let mut before: Option<(&Column, &str)> = None;
    for (column, target) in lookups(table) {
        let here = (column, target.relationship.as_str());
        if !shape::is_shared(column, target) || before.is_none_or(|b| b.1 != here.1) {
            out.push(Subject::OneToMany(table, column, target));
        }
        before = Some(here);
    }
    out
}

/// Lookups that point to a table. Those of owners point to none: they point to `owner`.
pub(super) fn one_to_many<'a>(schema: &'a Schema, table: &Table) -> Vec<Subject<'a>> {
    let mut out = Vec::new();
    for other in &schema.tables {
        for (column, target) in lookups(other) {
            if target.table == table.logical_name && !shape::is_shared(column, target) {
                out.push(Subject::OneToMany(other, column, target));
            }
        }
    }
    out
}

/// The relationships of many to many that a table takes part in.
pub(super) fn many_to_many<'a>(schema: &'a Schema, table: &Table) -> Vec<Subject<'a>> {
    let takes_part = |r: &&ManyToMany| {
        let name = &table.logical_name;
        r.first.table == *name || r.second.table == *name || r.intersect == *name
    };
    schema.many_to_many.iter().filter(takes_part).map(Subject::ManyToMany).collect()
}

/// A table's alternate keys.
pub(super) fn keys(table: &Table) -> Vec<Subject<'_>> {
    table.keys.iter().map(|key| Subject::Key(table, key)).collect()
}

/// `$select`, `$expand` and `$filter`.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    select: Option<Vec<String>>,
    expand: Vec<(String, Wanted)>,
    filter: Option<Condition>,
}

impl Wanted {
    /// Options without a `$` (`LabelLanguages`) and `$count` change nothing here.
    ///
    /// # Errors
    /// 400 for a malformed option, 501 for one that is not served.
    pub(super) fn read(options: &[(String, String)]) -> Result<Wanted> {
        let mut wanted = Wanted::default();
        for (name, value) in options {
            if name.starts_with('$') {
                wanted.option(name, value, 0)?;
            }
        }
        Ok(wanted)
    }

    fn option(&mut self, name: &str, value: &str, depth: usize) -> Result<()> {
        match name {
            "$select" => self.select = Some(value.split(',').map(|name| name.trim().to_owned()).collect()),
            "$expand" => self.expand = expansions(value, depth)?,
            "$filter" => self.filter = Some(Condition::read(value)?),
            "$count" => {}
            _ => {
                return Err(ODataError::not_implemented(format!(
                    "{} is not supported on definitions.",
                    shown(name)
                )))
            }
        }
        Ok(())
    }

    /// The definition as it was asked for; `None` when it does not meet the filter.
    pub(super) fn one(&self, schema: &Schema, subject: Subject<'_>) -> Result<Option<Object>> {
        let mut object = subject.object(schema);
        if let Some(filter) = &self.filter {
            if !filter.matches(&object)? {
                return Ok(None);
            }
        }
        if let Some(names) = &self.select {
            object.select(names);
        }
        for (name, wanted) in &self.expand {
            match subject.expanded(schema, name)? {
                Expanded::Many(subjects) => object.push(name, wanted.all(schema, subjects)?),
                Expanded::One(None) => object.push(name, ()),
                Expanded::One(Some(subject)) => object.push(name, wanted.one(schema, subject)?),
            }
        }
        Ok(Some(object))
    }

    /// Those that meet the filter.
    pub(super) fn all<'a>(
        &self,
        schema: &Schema,
        subjects: impl IntoIterator<Item = Subject<'a>>,
    ) -> Result<Vec<Object>> {
        let objects = subjects.into_iter().map(|subject| self.one(schema, subject));
        objects.filter_map(Result::transpose).collect()
    }
}

/// `Attributes($select=a,b;$filter=…),Keys`: commas and semicolons inside brackets and quotes belong to the item.
fn expansions(text: &str, depth: usize) -> Result<Vec<(String, Wanted)>> {
    if depth >= EXPAND_DEPTH_MAX {
        return Err(ODataError::bad_request("$expand is nested too deep."));
    }
    parted(text, ',')?.iter().map(|item| expansion(item.trim(), depth)).collect()
}

fn expansion(item: &str, depth: usize) -> Result<(String, Wanted)> {
    let Some((name, inner)) = item.split_once('(') else {
        return Ok((item.to_owned(), Wanted::default()));
    };
    let inner = inner
        .strip_suffix(')')
        .ok_or_else(|| ODataError::bad_request("$expand has text after a bracket."))?;
    let mut wanted = Wanted::default();
    for option in parted(inner, ';')? {
        let (option, value) = option
            .split_once('=')
            .ok_or_else(|| ODataError::bad_request("$expand has an option without a value."))?;
        wanted.option(option.trim(), value, depth + 1)?;
    }
    Ok((name.trim().to_owned(), wanted))
}

/// Parts a text where it stands outside brackets and quotes.
fn parted(text: &str, at: char) -> Result<Vec<String>> {
    let mut items = vec![String::new()];
    let (mut depth, mut is_quoted) = (0u32, false);
    for c in text.chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| ODataError::bad_request("$expand has a bracket too many."))?;
            }
            _ => {}
        }
        match items.last_mut() {
            Some(item) if c != at || depth > 0 || is_quoted => item.push(c),
            _ => items.push(String::new()),
        }
    }
    match depth > 0 || is_quoted {
        true => Err(ODataError::bad_request("$expand has an open bracket or quote.")),
        false => Ok(items),
    }
}
