//! Queries made by chance: every kind of condition that one table's rows can answer, orders, pages, counts.

use crate::chance::Chance;
use crate::rows::{key, schema, value, COLUMNS, KEY, TABLE};
use flette_odata::collate::value_order;
use flette_odata::filter::{matches, print_filter, CompareOp, Filter, TextOp};
use flette_odata::query::OrderBy;
use flette_odata::{Row, Uuid, Value};
use std::cmp::Ordering;
use std::collections::BTreeMap;

pub struct Asked {
    pub filter: Filter,
    /// Whether `$filter` has words for it: it has none for patterns.
    pub spoken: bool,
    pub orderby: Vec<OrderBy>,
    pub limit: Option<usize>,
    pub page: usize,
}

fn literal(column: &str, chance: &mut Chance) -> Value {
    match column {
        _ if chance.one_in(8) => Value::Null,
        "parent" | "keeper" | "token" | KEY => Value::Guid(key(chance.below(12))),
        _ => value(column, chance),
    }
}

fn any_column<'a>(chance: &mut Chance) -> &'a str {
    match chance.below(COLUMNS.len() + 1) {
        0 => KEY,
        at => COLUMNS[at - 1],
    }
}

fn leaf(chance: &mut Chance) -> Filter {
    match chance.below(10) {
        0 => {
            let [left, right] = *chance.of(&[["name", "note"], ["size", "choice"], ["amount", "price"]]);
            let op = *chance.of(&CompareOp::ALL);
            Filter::CompareColumns { left: left.into(), op, right: right.into() }
        }
        1 | 2 => {
            let op = *chance.of(&[TextOp::Contains, TextOp::StartsWith, TextOp::EndsWith]);
            let pattern =
                (*chance.of(&["a", "B", "ab", "ås", "ς", "ss", "%", "beginning of", "😀"])).to_owned();
            Filter::Text { column: (*chance.of(&["name", "note"])).into(), op, pattern }
        }
        3 => {
            let values = (0..=chance.below(2)).map(|_| i32::try_from(chance.below(4)).unwrap()).collect();
            Filter::HasValues { column: "marks".into(), values }
        }
        _ => {
            let column = any_column(chance);
            let value = literal(column, chance);
            // Of ids and choices, and of what is missing, only equality is asked.
            let equality = value == Value::Null || matches!(value, Value::Guid(_) | Value::Bool(_));
            let ops = if equality || column == "marks" { &CompareOp::ALL[..2] } else { &CompareOp::ALL[..] };
            Filter::Compare { column: column.into(), op: *chance.of(ops), value }
        }
    }
}

fn pattern(chance: &mut Chance) -> Filter {
    let pattern = *chance.of(&["a%", "%B", "%[a-c]%", "_", "STRA%E", "[^a]%", "10[%]%", "%of 1_%"]);
    Filter::Text { column: "name".into(), op: TextOp::Like, pattern: pattern.into() }
}

fn filter(depth: usize, chance: &mut Chance) -> Filter {
    match if depth == 0 { 9 } else { chance.below(9) } {
        0 | 1 => Filter::And(vec![filter(depth - 1, chance), filter(depth - 1, chance)]),
        2 | 3 => Filter::Or(vec![filter(depth - 1, chance), filter(depth - 1, chance)]),
        4 => Filter::Not(Box::new(filter(depth - 1, chance))),
        _ => leaf(chance),
    }
}

impl Asked {
    pub fn new(chance: &mut Chance) -> Asked {
        let mut orderby: Vec<OrderBy> = Vec::new();
        for _ in 0..chance.below(3) {
            let column = any_column(chance).to_owned();
            if orderby.iter().all(|by| by.column != column) {
                orderby.push(OrderBy { path: Vec::new(), column, descending: chance.one_in(2) });
            }
        }
        let spoken = !chance.one_in(8);
        let plain = filter(3, chance);
        Asked {
            filter: if spoken { plain } else { Filter::Or(vec![pattern(chance), plain]) },
            spoken,
            orderby,
            limit: chance.one_in(3).then(|| chance.below(30)),
            page: 1 + chance.below(40),
        }
    }

    /// The same as the Web API asks it.
    pub fn path(&self) -> String {
        let schema = schema();
        let filter = print_filter(&self.filter, schema.table(TABLE).unwrap(), &schema);
        let mut path = format!("things?$filter={}&$count=true", encoded(&filter));
        let property = |column: &str| schema.table(TABLE).unwrap().column(column).unwrap().property();
        let by =
            |by: &OrderBy| format!("{}{}", property(&by.column), if by.descending { "%20desc" } else { "" });
        if !self.orderby.is_empty() {
            path.push_str(&format!(
                "&$orderby={}",
                self.orderby.iter().map(by).collect::<Vec<_>>().join(",")
            ));
        }
        if let Some(limit) = self.limit {
            path.push_str(&format!("&$top={limit}"));
        }
        path
    }

    pub fn count_path(&self) -> String {
        let schema = schema();
        let filter = print_filter(&self.filter, schema.table(TABLE).unwrap(), &schema);
        format!("things/$count?$filter={}", encoded(&filter))
    }

    /// What plain rows, one by one, say.
    pub fn expected(&self, rows: &BTreeMap<Uuid, Row>) -> Vec<Uuid> {
        let cell = |row: &Row, name: &str| row.get(name).cloned().unwrap_or_default();
        let passes = |row: &Row| matches(&self.filter, &|name| cell(row, name));
        let mut found: Vec<(&Uuid, &Row)> = rows.iter().filter(|(_, row)| passes(row)).collect();
        found.sort_by(|(a, left), (b, right)| {
            let columns = self.orderby.iter().map(|by| {
                let order = value_order(&cell(left, &by.column), &cell(right, &by.column));
                if by.descending {
                    order.reverse()
                } else {
                    order
                }
            });
            columns.fold(Ordering::Equal, Ordering::then).then(a.cmp(b))
        });
        found.into_iter().map(|(id, _)| *id).collect()
    }
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~'(),/:".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
