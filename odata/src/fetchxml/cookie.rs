//! Paging cookies: where a page ended, as text that goes to the client and comes back.

use super::element::{document, elements, error};
use super::print::escape;
use super::{Fetch, Position, COOKIE_LENGTH_MAX};
use crate::decimal::Decimal;
use crate::edm::{Column, ColumnKind};
use crate::error::{ODataError, Result};
use crate::filter::written;
use crate::path::encoding::{percent_decode, percent_encode, Plus};
use crate::time::{format_date, format_datetime, parse_date};
use crate::value::Value;
use roxmltree::Node;

/// Where a page ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Cookie {
    /// Number of that page.
    pub page: u32,
    /// Values of its last row in the order of [`Fetch::positions`]; `None` when they could not be told.
    pub last: Option<Vec<Value>>,
}

impl Cookie {
    /// The cookie of a page whose first and last rows have these values: `<cookie page="1"><name last="…"
    /// first="…"/><accountid last="{…}" first="{…}"/></cookie>`. Without values, or with values too long to
    /// be sent back, it says the number only.
    pub fn write(
        fetch: &Fetch,
        page: u32,
        positions: &[Position],
        first: &[Value],
        last: &[Value],
    ) -> String {
        let mut text = format!("<cookie page=\"{page}\">");
        let plain = text.len();
        for (position, (first, last)) in positions.iter().zip(first.iter().zip(last)) {
            text.push('<');
            text.push_str(&name(fetch, position));
            for (side, value) in [("last", last), ("first", first)] {
                text.push(' ');
                text.push_str(side);
                match written_value(value) {
                    Some(value) if value.chars().all(is_xml) => {
                        text.push_str("=\"");
                        escape(&mut text, &value);
                    }
                    Some(_) => return format!("{}</cookie>", &text[..plain]),
                    None => text.push_str("null=\"1"),
                }
                text.push('"');
            }
            text.push_str("/>");
        }
        if text.len() > COOKIE_LENGTH_MAX {
            text.truncate(plain);
        }
        text.push_str("</cookie>");
        text
    }

    /// Reads what a client sent back, percent-encoded or not.
    ///
    /// # Errors
    /// 400 `0x8004112a` when it is no cookie, `0x80041129` when it belongs to another order.
    pub fn read(text: &str, fetch: &Fetch, positions: &[Position]) -> Result<Cookie> {
        let mut text = text.trim().to_owned();
        for _ in 0..2 {
            if text.starts_with('%') {
                text = percent_decode(&text, Plus::Literal).map_err(|_| malformed())?;
            }
        }
        let document = document(&text).map_err(|_| malformed())?;
        let root = document.root_element();
        let page = root.attribute("page").and_then(|page| page.parse().ok()).filter(|page| *page > 0);
        let page = page.filter(|_| root.has_tag_name("cookie")).ok_or_else(malformed)?;
        let nodes = elements(root).map_err(|_| malformed())?;
        if nodes.is_empty() {
            return Ok(Cookie { page, last: None });
        }
        let named = |(node, position): (&Node, &Position)| node.has_tag_name(&*name(fetch, position));
        if nodes.len() != positions.len() || !nodes.iter().zip(positions).all(named) {
            return Err(error(
                "0x80041129",
                "Order by columns do not match those in paging cookie.".to_owned(),
            ));
        }
        let last = nodes.iter().zip(positions).map(|(node, position)| last(*node, position.column));
        Ok(Cookie { page, last: Some(last.collect::<Option<_>>().ok_or_else(malformed)?) })
    }

    /// The annotation `fetchxmlpagingcookie` that brings a cookie to the client, encoded twice, and tells the
    /// next page.
    pub fn annotation(page: u32, cookie: &str) -> String {
        let encoded = percent_encode(&percent_encode(cookie));
        let next = page.saturating_add(1);
        format!("<cookie pagenumber=\"{next}\" pagingcookie=\"{encoded}\" istracking=\"False\" />")
    }
}

/// The column, after the alias of its link if it is of one.
fn name(fetch: &Fetch, position: &Position) -> String {
    let joined = fetch.entity.joined();
    let link = position.place.checked_sub(1).and_then(|at| joined.get(at));
    let prefix = link.map(|link| format!("{}.", link.alias)).unwrap_or_default();
    format!("{prefix}{}", position.column.logical_name)
}

fn written_value(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => u8::from(*value).to_string(),
        Value::Int(number) => number.to_string(),
        // However many zeros its source keeps.
        Value::Decimal(number) => number.normalized().to_string(),
        Value::Double(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Guid(id) => id.braced().to_string(),
        Value::Lookup(to) => to.id.braced().to_string(),
        Value::DateTime(at) => format_datetime(*at),
        Value::Date(days) => format_date(*days),
    })
}

/// The value of `last`, or null when `lastnull` says so; `None` when it is no value of the column.
fn last(node: Node, column: &Column) -> Option<Value> {
    if node.attribute("lastnull") == Some("1") {
        return Some(Value::Null);
    }
    let text = node.attribute("last")?;
    match &column.kind {
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } | ColumnKind::MultiPicklist { .. } => {
            Some(Value::Text(text.to_owned()))
        }
        ColumnKind::Id | ColumnKind::Guid | ColumnKind::Lookup { .. } => written::guid(text).map(Value::Guid),
        ColumnKind::Integer { .. }
        | ColumnKind::BigInt
        | ColumnKind::Picklist { .. }
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => text.parse().ok().map(Value::Int),
        ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => Decimal::parse(text).map(Value::Decimal),
        ColumnKind::Double { .. } => {
            text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Double)
        }
        ColumnKind::Boolean { .. } => written::boolean(text).map(Value::Bool),
        ColumnKind::DateTime => written::instant(text).map(Value::DateTime),
        ColumnKind::Date => parse_date(text).map(Value::Date),
    }
}

/// Characters that XML 1.0 lets through (§2.2).
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn malformed() -> ODataError {
    error("0x8004112a", "Paging cookie is malformed or does not fit the query.".to_owned())
}
