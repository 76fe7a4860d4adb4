//! FetchXML and rows by chance, from a seed. The same seed gives the same.

use flette_odata::edm::{Column, ColumnKind, Schema, Table};
use flette_odata::{Decimal, EntityRef, Row, Uuid, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Texts that meet each other: cases, wildcards, what XML and SQL must escape.
const TEXTS: [&str; 11] = ["a", "A", "Ab", "aB", "æ", "Å", "x%", "a_b", "<&>\"'", "Oslo", "oslo"];
const PATTERNS: [&str; 8] = ["%", "a%", "%B", "%s%", "_", "a[_]b", "[a-o]%", "[^a]%"];
const DAYS: [i32; 6] = [-1, 0, 16_000, 20_453, 20_454, 20_480];

/// Chance from a seed (splitmix64).
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// The id of a row; few, so that lookups lead somewhere.
pub fn id(table: &str, number: usize) -> Uuid {
    let hash = table.bytes().fold(0u128, |hash, byte| (hash * 31 + u128::from(byte)) % 65_521);
    Uuid::from_u128((hash << 64) | (0x4000_8000 << 32) | number as u128)
}

/// A value that may stand in the column, or null.
pub fn value(column: &Column, rows: usize, chance: &mut Chance) -> Value {
    if chance.one_in(4) {
        return Value::Null;
    }
    match &column.kind {
        ColumnKind::Id | ColumnKind::Guid => Value::Null,
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } => Value::Text((*chance.of(&TEXTS)).to_owned()),
        ColumnKind::Integer { .. } | ColumnKind::BigInt => Value::Int(i64::from(chance.below(4) as u32)),
        ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => {
            Value::Decimal(Decimal::new(chance.below(8) as i128 * 25 + 50, 2).unwrap())
        }
        // Sums of these are exact, whatever the order.
        ColumnKind::Double { .. } => Value::Double(chance.below(8) as f64 * 0.25),
        ColumnKind::Boolean { .. } => Value::Bool(chance.one_in(2)),
        ColumnKind::DateTime => Value::DateTime(i64::from(*chance.of(&DAYS)) * 86_400_000 + 3_600_000),
        ColumnKind::Date => Value::Date(*chance.of(&DAYS)),
        ColumnKind::Picklist { options, .. } => {
            options.first().map_or(Value::Null, |_| Value::Int(i64::from(chance.of(options).value)))
        }
        ColumnKind::MultiPicklist { options } => {
            let chosen: Vec<String> =
                options.iter().filter(|_| chance.one_in(2)).map(|option| option.value.to_string()).collect();
            if chosen.is_empty() {
                Value::Null
            } else {
                Value::Text(chosen.join(","))
            }
        }
        ColumnKind::State { options } => Value::Int(i64::from(chance.of(options).value)),
        ColumnKind::Status { options } => Value::Int(i64::from(chance.of(options).value)),
        ColumnKind::Lookup { targets } => {
            let table = chance.of(targets).table.clone();
            let id = id(&table, chance.below(rows));
            Value::Lookup(EntityRef { table, id })
        }
    }
}

/// `count` rows of each of the tables, in the columns that `wanted` lets through.
pub fn rows(
    schema: &Schema,
    tables: &[&str],
    count: usize,
    wanted: &dyn Fn(&Column) -> bool,
    chance: &mut Chance,
) -> BTreeMap<String, Vec<Row>> {
    let mut all = BTreeMap::new();
    for table in tables.iter().filter_map(|name| schema.table(name)) {
        let mut rows = Vec::new();
        for number in 0..count {
            let mut row = Row::new();
            for column in table.columns.iter().filter(|column| wanted(column)) {
                row.insert(column.logical_name.clone(), value(column, count, chance));
            }
            row.insert(table.primary_id.clone(), Value::Guid(id(&table.logical_name, number)));
            rows.push(row);
        }
        all.insert(table.logical_name.clone(), rows);
    }
    all
}

/// A query by chance over some tables and the columns that `wanted` lets through. Intersect tables among them lead from one
/// end of a relationship to the other.
pub fn fetch(
    schema: &Schema,
    tables: &[&str],
    wanted: &dyn Fn(&Column) -> bool,
    chance: &mut Chance,
) -> String {
    let aggregate = chance.one_in(4);
    let mut maker = Maker {
        schema,
        tables,
        wanted,
        chance,
        out: String::new(),
        links: 0,
        aggregate,
        aliases: Vec::new(),
    };
    maker.out.push_str("<fetch");
    if aggregate {
        maker.out.push_str(" aggregate='true'");
    } else if maker.chance.one_in(4) {
        maker.out.push_str(" distinct='1'");
    }
    if maker.chance.one_in(5) {
        maker.out.push_str(" no-lock='true' returntotalrecordcount='true'");
    }
    maker.out.push('>');
    let table = maker.table();
    let _ = write!(maker.out, "<entity name='{}'>", table.logical_name);
    maker.entity(table, 0, true);
    maker.out.push_str("</entity></fetch>");
    maker.out
}

struct Maker<'a> {
    schema: &'a Schema,
    tables: &'a [&'a str],
    wanted: &'a dyn Fn(&Column) -> bool,
    chance: &'a mut Chance,
    out: String,
    links: usize,
    aggregate: bool,
    /// Aliases in the answer of an aggregate.
    aliases: Vec<String>,
}

impl<'a> Maker<'a> {
    /// Any table but those of pairs, whose rows have ids of the server's.
    fn table(&mut self) -> &'a Table {
        let tables = self.tables.iter().filter_map(|name| self.schema.table(name));
        let tables: Vec<&Table> = tables.filter(|table| !table.intersect).collect();
        tables[self.chance.below(tables.len())]
    }

    fn column(&mut self, table: &'a Table) -> &'a Column {
        let wanted: Vec<&Column> = table.columns.iter().filter(|column| (self.wanted)(column)).collect();
        wanted[self.chance.below(wanted.len())]
    }

    fn entity(&mut self, table: &'a Table, depth: usize, shown: bool) {
        if shown {
            self.attributes(table, depth == 0);
        }
        let mut joined = Vec::new();
        while self.links < 4 && depth < 3 && self.chance.one_in(3) {
            joined.extend(self.link(table, depth + 1, shown, false));
        }
        while self.chance.one_in(2) {
            self.filter(table, depth + 1, if depth == 0 { &joined } else { &[] });
        }
        if self.aggregate {
            if depth == 0 && self.chance.one_in(2) && !self.aliases.is_empty() {
                let alias = self.chance.of(&self.aliases).clone();
                let _ = write!(self.out, "<order alias='{alias}' descending='{}'/>", self.chance.one_in(2));
            }
            return;
        }
        while shown && self.chance.one_in(3) {
            let column = self.column(table).logical_name.clone();
            let descending = self.chance.one_in(2);
            let _ = write!(self.out, "<order attribute='{column}' descending='{descending}'/>");
        }
        if let Some((alias, table)) = joined.first().filter(|_| depth == 0).cloned() {
            let column = self.column(table).logical_name.clone();
            let _ = write!(self.out, "<order entityname='{alias}' attribute='{column}'/>");
        }
    }

    fn attributes(&mut self, table: &'a Table, root: bool) {
        let least = usize::from(root);
        let mut names = std::collections::BTreeSet::new();
        for _ in 0..least + self.chance.below(3) {
            let column = self.column(table);
            if self.aggregate {
                self.aggregated(column);
            } else if names.insert(column.logical_name.as_str()) {
                let _ = write!(self.out, "<attribute name='{}'/>", column.logical_name);
            }
        }
    }

    fn aggregated(&mut self, column: &Column) {
        let alias = format!("x{}", self.aliases.len());
        let number = matches!(
            column.kind,
            ColumnKind::Integer { .. }
                | ColumnKind::BigInt
                | ColumnKind::Decimal { .. }
                | ColumnKind::Money { .. }
                | ColumnKind::Double { .. }
        );
        let dated = matches!(column.kind, ColumnKind::DateTime | ColumnKind::Date);
        let what = match self.chance.below(4) {
            0 if number => format!("aggregate='{}'", self.chance.of(&["sum", "avg", "min", "max"])),
            0 if dated => format!("aggregate='{}'", self.chance.of(&["min", "max"])),
            1 => (*self.chance.of(&["aggregate='count'", "aggregate='countcolumn'"])).to_owned(),
            2 => "aggregate='countcolumn' distinct='true'".to_owned(),
            _ if dated => {
                let part = self.chance.of(&["day", "week", "month", "quarter", "year"]);
                format!("groupby='true' dategrouping='{part}'")
            }
            _ => "groupby='true'".to_owned(),
        };
        let _ = write!(self.out, "<attribute name='{}' alias='{alias}' {what}/>", column.logical_name);
        self.aliases.push(alias);
    }

    /// Alias and table when the link is joined.
    fn link(
        &mut self,
        table: &'a Table,
        depth: usize,
        shown: bool,
        in_filter: bool,
    ) -> Option<(String, &'a Table)> {
        let (linked, from, to) = self.relationship(table)?;
        self.links += 1;
        let alias = format!("l{}", self.links);
        let kinds: &[&str] = match in_filter {
            true => &["any", "not any", "all", "not all"],
            false => &["inner", "outer", "outer", "matchfirstrowusingcrossapply", "exists", "in"],
        };
        let kind = *self.chance.of(kinds);
        let joined = matches!(kind, "inner" | "outer" | "matchfirstrowusingcrossapply");
        let name = &linked.logical_name;
        let intersect = if linked.intersect { " intersect='true'" } else { "" };
        let _ = write!(
            self.out,
            "<link-entity name='{name}' from='{from}' to='{to}' alias='{alias}' link-type='{kind}'{intersect}>"
        );
        self.entity(linked, depth, shown && joined);
        self.out.push_str("</link-entity>");
        (shown && joined).then_some((alias, linked))
    }

    /// A table that refers to this one, is referred to by it, or holds pairs with it; or just one with texts like this
    /// one's.
    fn relationship(&mut self, table: &'a Table) -> Option<(&'a Table, String, String)> {
        let mut found = Vec::new();
        for other in self.tables.iter().filter_map(|name| self.schema.table(name)) {
            let refer = |from: &'a Table, to: &'a Table| {
                let pointing = from.columns.iter().filter(move |column| match &column.kind {
                    ColumnKind::Lookup { targets } => targets.iter().any(|t| t.table == to.logical_name),
                    _ => false,
                });
                pointing.filter(|column| (self.wanted)(column)).map(|column| column.logical_name.clone())
            };
            found.extend(refer(table, other).map(|to| (other, other.primary_id.clone(), to)));
            found.extend(refer(other, table).map(|from| (other, from, table.primary_id.clone())));
            let named = |table: &Table| Some(table.primary_name.clone()).filter(|name| !name.is_empty());
            if let (Some(from), Some(to)) = (named(other), named(table)) {
                found.push((other, from, to));
            }
            found.extend(self.pairs(table, other));
        }
        (!found.is_empty()).then(|| self.chance.of(&found).clone())
    }

    /// From an end of a relationship of many to many to its pairs, and from these to an end.
    fn pairs(&self, table: &'a Table, other: &'a Table) -> Vec<(&'a Table, String, String)> {
        let mut found = Vec::new();
        for relationship in &self.schema.many_to_many {
            for end in [&relationship.first, &relationship.second] {
                let pairs = &relationship.intersect;
                if end.table == table.logical_name && *pairs == other.logical_name {
                    found.push((other, end.column.clone(), table.primary_id.clone()));
                }
                if *pairs == table.logical_name && end.table == other.logical_name {
                    found.push((other, other.primary_id.clone(), end.column.clone()));
                }
            }
        }
        found
    }

    fn filter(&mut self, table: &'a Table, depth: usize, joined: &[(String, &'a Table)]) {
        let kind = *self.chance.of(&["and", "or"]);
        let _ = write!(self.out, "<filter type='{kind}'>");
        for _ in 0..self.chance.below(4) {
            match self.chance.below(8) {
                0 if depth < 4 => self.filter(table, depth + 1, joined),
                1 if depth < 4 && self.links < 4 => {
                    let _ = self.link(table, depth + 1, false, true);
                }
                2 if !joined.is_empty() => {
                    let (alias, linked) = self.chance.of(joined).clone();
                    self.condition(linked, Some(&alias));
                }
                3 => {
                    let (left, right) = (self.column(table), self.column(table));
                    if std::mem::discriminant(&left.kind) == std::mem::discriminant(&right.kind) {
                        let op = self.chance.of(&["eq", "ne", "gt", "le"]);
                        let _ = write!(
                            self.out,
                            "<condition attribute='{}' operator='{op}' valueof='{}'/>",
                            left.logical_name, right.logical_name
                        );
                    }
                }
                _ => self.condition(table, None),
            }
        }
        self.out.push_str("</filter>");
    }

    fn condition(&mut self, table: &'a Table, entity: Option<&str>) {
        let column = self.column(table);
        let ordered: &[&str] =
            &["eq", "ne", "gt", "ge", "lt", "le", "in", "not-in", "between", "not-between"];
        let mut operators: Vec<&str> = vec!["null", "not-null"];
        match &column.kind {
            ColumnKind::Text { .. } | ColumnKind::Memo { .. } => {
                operators.extend(ordered);
                operators.extend([
                    "like",
                    "not-like",
                    "begins-with",
                    "not-begin-with",
                    "ends-with",
                    "not-end-with",
                ]);
            }
            ColumnKind::DateTime | ColumnKind::Date => {
                operators.extend(ordered);
                operators.extend([
                    "on",
                    "on-or-after",
                    "on-or-before",
                    "today",
                    "last-x-days",
                    "next-x-months",
                ]);
                operators.extend(["this-year", "olderthan-x-years", "last-week", "this-fiscal-period"]);
            }
            ColumnKind::Boolean { .. } => operators.extend(["eq", "ne", "in"]),
            ColumnKind::Id | ColumnKind::Guid | ColumnKind::Lookup { .. } => {
                operators.extend(["eq", "ne", "in", "not-in", "eq-userid", "ne-userid"]);
            }
            ColumnKind::MultiPicklist { .. } => {
                operators.extend(["contain-values", "not-contain-values", "eq"])
            }
            _ => operators.extend(ordered),
        }
        let operator = *self.chance.of(&operators);
        let entity = entity.map(|alias| format!(" entityname='{alias}'")).unwrap_or_default();
        let name = &column.logical_name;
        let _ = write!(self.out, "<condition{entity} attribute='{name}' operator='{operator}'>");
        let count = match operator {
            "null" | "not-null" | "today" | "this-year" | "last-week" | "this-fiscal-period" => 0,
            "eq-userid" | "ne-userid" => 0,
            "between" | "not-between" => 2,
            "in" | "not-in" | "contain-values" | "not-contain-values" => 1 + self.chance.below(3),
            _ => 1,
        };
        for _ in 0..count {
            let value = match operator {
                "like" | "not-like" => (*self.chance.of(&PATTERNS)).to_owned(),
                operator if operator.contains("-x-") => (1 + self.chance.below(20)).to_string(),
                _ => self.written(column),
            };
            let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let _ = write!(self.out, "<value>{value}</value>");
        }
        self.out.push_str("</condition>");
    }

    fn written(&mut self, column: &Column) -> String {
        match (&column.kind, value(column, 4, self.chance)) {
            (ColumnKind::Id | ColumnKind::Guid, _) => {
                let table = self.table();
                format!("{{{}}}", id(&table.logical_name, self.chance.below(4)))
            }
            (ColumnKind::Integer { .. }, _) if self.chance.one_in(4) => "1.5".to_owned(),
            (_, Value::Text(text)) => text,
            (_, Value::Int(number)) => number.to_string(),
            (_, Value::Decimal(number)) => number.to_string(),
            (_, Value::Double(number)) => number.to_string(),
            (_, Value::Bool(value)) => u8::from(value).to_string(),
            (_, Value::DateTime(at)) => flette_odata::time::format_datetime(at),
            (_, Value::Date(days)) => flette_odata::time::format_date(days),
            (_, Value::Lookup(to)) => to.id.to_string(),
            (_, Value::Guid(id)) => id.to_string(),
            (ColumnKind::Text { .. } | ColumnKind::Memo { .. }, Value::Null) => String::new(),
            (ColumnKind::DateTime | ColumnKind::Date, Value::Null) => "2026-01-01".to_owned(),
            (ColumnKind::Boolean { .. }, Value::Null) => "0".to_owned(),
            (ColumnKind::Lookup { .. }, Value::Null) => Uuid::nil().to_string(),
            (_, Value::Null) => "1".to_owned(),
        }
    }
}
