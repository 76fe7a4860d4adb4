//! Text of a file to values of a row. The checks themselves are those of a `POST`: the cells are put into a
//! JSON body, which the Web API's own reader takes.

use anyhow::{bail, Context, Result};
use flette_odata::names::NoNames;
use flette_odata::payload::{parse_write, Scope, Write, WriteKind};
use flette_odata::{ColumnKind, Decimal, Schema, Table};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Cells of one row to be.
#[derive(Default)]
pub(super) struct Cells {
    members: BTreeMap<String, Box<RawValue>>,
}

impl Cells {
    /// Whether nothing was added that has a value.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Adds a cell. Nothing and `NULL` are no value.
    ///
    /// # Errors
    /// When the text cannot become a value of the attribute's type. The text itself is not repeated.
    pub(super) fn add(&mut self, table: &Table, attribute: &str, cell: &str) -> Result<()> {
        let text = cell.trim();
        if text.is_empty() || text == "NULL" {
            return Ok(());
        }
        if table.logical_name == "contact" && attribute == "fullname" {
            return self.add_name(text);
        }
        let Some(column) = table.column(attribute) else { bail!("there is no attribute {attribute}") };
        let wrong = |what: &str| format!("{attribute}: {what} expected");
        match &column.kind {
            ColumnKind::Text { format: flette_odata::edm::TextFormat::Url, .. } => {
                self.put(attribute, &hyperlink(text))
            }
            ColumnKind::Id
            | ColumnKind::Guid
            | ColumnKind::Text { .. }
            | ColumnKind::Memo { .. }
            | ColumnKind::MultiPicklist { .. } => self.put(attribute, &text),
            ColumnKind::Integer { .. }
            | ColumnKind::BigInt
            | ColumnKind::Decimal { .. }
            | ColumnKind::Money { .. }
            | ColumnKind::Double { .. } => {
                let number = Decimal::parse(text).with_context(|| wrong("a number"))?;
                self.put_raw(attribute, number.to_string())
            }
            ColumnKind::Boolean { label_false, label_true, .. } => {
                let is = |words: &[&str], label: &str| {
                    words.iter().chain([&label]).any(|word| text.eq_ignore_ascii_case(word))
                };
                let value =
                    match (is(&["true", "yes", "1"], label_true), is(&["false", "no", "0"], label_false)) {
                        (true, _) => true,
                        (_, true) => false,
                        _ => bail!(wrong("yes or no")),
                    };
                self.put(attribute, &value)
            }
            ColumnKind::Date => {
                let day = text.split([' ', 'T']).next().unwrap_or_default();
                self.put(attribute, &day)
            }
            ColumnKind::DateTime => self.put(attribute, &instant(text)),
            ColumnKind::Picklist { options, .. } => {
                let labels = options.iter().map(|o| (o.value, o.label.as_str()));
                self.put(attribute, &option(labels, text).with_context(|| wrong("an option"))?)
            }
            ColumnKind::State { options } => {
                let labels = options.iter().map(|o| (o.value, o.label.as_str()));
                self.put(attribute, &option(labels, text).with_context(|| wrong("a state"))?)
            }
            ColumnKind::Status { options } => {
                let labels = options.iter().map(|o| (o.value, o.label.as_str()));
                self.put(attribute, &option(labels, text).with_context(|| wrong("a status"))?)
            }
            ColumnKind::Lookup { .. } => bail!("{attribute}: lookups cannot be imported"),
        }
    }

    /// A full name is taken apart; a first or last name that has its own column stays.
    fn add_name(&mut self, name: &str) -> Result<()> {
        let (first, last) = split_name(name);
        for (attribute, part) in [("firstname", first), ("lastname", last)] {
            if !part.is_empty() && !self.members.contains_key(attribute) {
                self.put(attribute, &part)?;
            }
        }
        Ok(())
    }

    fn put(&mut self, attribute: &str, value: &impl serde::Serialize) -> Result<()> {
        let raw = serde_json::value::to_raw_value(value)?;
        self.members.insert(attribute.to_owned(), raw);
        Ok(())
    }

    fn put_raw(&mut self, attribute: &str, number: String) -> Result<()> {
        self.members.insert(attribute.to_owned(), RawValue::from_string(number)?);
        Ok(())
    }

    /// The checked values, and the primary key where it was given.
    ///
    /// # Errors
    /// What a `POST` of them would answer.
    pub(super) fn finish(self, schema: &Schema, table: &Table) -> Result<Write> {
        let body = serde_json::to_vec(&self.members)?;
        Ok(parse_write(&body, table, WriteKind::Create, &Scope { schema, root: "/", names: &NoNames })?)
    }
}

/// First and last name: the last word is the last name, with the small words before it (`del Valle
/// Saavedra` stays whole only from its first small word on).
fn split_name(name: &str) -> (String, String) {
    let words: Vec<&str> = name.split_whitespace().collect();
    let small = words.iter().skip(1).position(|word| word.chars().next().is_some_and(char::is_lowercase));
    let at = small.map_or(words.len().saturating_sub(1), |at| at + 1);
    (words[..at].join(" "), words[at..].join(" "))
}

/// Access keeps hyperlinks as `text#address#`.
fn hyperlink(text: &str) -> String {
    let parts: Vec<&str> = text.split('#').collect();
    match parts.get(1) {
        Some(address) if parts.len() >= 3 && !address.is_empty() => (*address).to_owned(),
        _ => text.to_owned(),
    }
}

/// `2026-01-31 10:00:00.000` to RFC 3339, taken as UTC; what has a zone stays.
fn instant(text: &str) -> String {
    let mut text = text.replacen(' ', "T", 1);
    if !text.contains('T') {
        text.push_str("T00:00:00");
    }
    let time = text.split('T').nth(1).unwrap_or_default();
    if !time.contains(['Z', 'z', '+', '-']) {
        text.push('Z');
    }
    text
}

fn option<'o>(mut options: impl Iterator<Item = (i32, &'o str)>, text: &str) -> Option<i32> {
    let number = text.parse::<i32>().ok();
    options
        .find(|(value, label)| number == Some(*value) || label.eq_ignore_ascii_case(text))
        .map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_at_the_last_word_or_the_first_small_one() {
        fn check(name: &str, first: &str, last: &str) {
            assert_eq!(split_name(name), (first.to_owned(), last.to_owned()), "{name}");
        }
        check("Maria Anders", "Maria", "Anders");
        check("José Pedro Freyre", "José Pedro", "Freyre");
        check("Antonio del Valle Saavedra", "Antonio", "del Valle Saavedra");
        check("Madonna", "", "Madonna");
        check("  Jean-Paul   Sartre ", "Jean-Paul", "Sartre");
    }

    #[test]
    fn texts_become_what_the_web_api_reads() {
        fn check(converted: String, expected: &str) {
            assert_eq!(converted, expected);
        }
        check(instant("1948-12-08 00:00:00.000"), "1948-12-08T00:00:00.000Z");
        check(instant("2026-01-31"), "2026-01-31T00:00:00Z");
        check(instant("2026-01-31T10:00:00+02:00"), "2026-01-31T10:00:00+02:00");
        check(hyperlink("#CAJUN.HTM#"), "CAJUN.HTM");
        check(hyperlink("Plutzer (on the World Wide Web)#http://x.example/p.htm#"), "http://x.example/p.htm");
        check(hyperlink("http://x.example/"), "http://x.example/");
    }
}
