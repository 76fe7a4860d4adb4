//! vCards (versions 2.1, 3.0 and 4.0): the properties that contacts have columns for. (RFC 6350.)

use super::{Record, Sheet};
use anyhow::{bail, Context, Result};

/// Columns of the sheet, in the order of a record's cells: attributes of contacts, and the company.
const COLUMNS: [&str; 23] = [
    "fullname",
    "firstname",
    "middlename",
    "lastname",
    "salutation",
    "suffix",
    "nickname",
    "organization",
    "department",
    "jobtitle",
    "telephone1",
    "telephone2",
    "mobilephone",
    "fax",
    "emailaddress1",
    "emailaddress2",
    "address1_line1",
    "address1_city",
    "address1_stateorprovince",
    "address1_postalcode",
    "address1_country",
    "websiteurl",
    "description",
];

/// Reads every card of a file.
///
/// # Errors When the file is not UTF-8, a card is not closed, or something stands outside of cards; the
/// error names the line.
pub(super) fn read(bytes: &[u8]) -> Result<Sheet> {
    let text = std::str::from_utf8(bytes).context("the file is not UTF-8")?;
    let columns: Vec<String> =
        COLUMNS.iter().map(|c| (*c).to_owned()).chain(["birthdate".to_owned()]).collect();
    let mut sheet = Sheet { columns, records: Vec::new(), repaired: 0 };
    let mut card: Option<Record> = None;
    for (line, text) in unfold(text.trim_start_matches('\u{feff}')) {
        let property = Property::parse(&text).with_context(|| format!("line {line}: no vCard property"))?;
        match (property.name.as_str(), &mut card) {
            ("BEGIN", None) => card = Some(Record { line, cells: vec![String::new(); sheet.columns.len()] }),
            ("END", card @ Some(_)) => sheet.records.extend(card.take()),
            ("BEGIN" | "END", _) | (_, None) => bail!("line {line}: BEGIN and END of vCards do not match"),
            (_, Some(card)) => property.store(&sheet.columns, &mut card.cells),
        }
    }
    match card {
        Some(card) => bail!("line {}: the vCard that begins here has no END", card.line),
        None => Ok(sheet),
    }
}

/// Lines with their continuations: a line that begins with a blank, or follows a soft line break of
/// quoted-printable.
fn unfold(text: &str) -> Vec<(u64, String)> {
    let mut lines: Vec<(u64, String)> = Vec::new();
    for (number, line) in (1u64..).zip(text.lines()) {
        match lines.last_mut() {
            Some((_, last)) if line.starts_with([' ', '\t']) => last.push_str(&line[1..]),
            Some((_, last)) if last.ends_with('=') && is_quoted_printable(last) => {
                last.pop();
                last.push_str(line);
            }
            _ if line.trim().is_empty() => {}
            _ => lines.push((number, line.to_owned())),
        }
    }
    lines
}

fn is_quoted_printable(line: &str) -> bool {
    line.split(':').next().is_some_and(|head| head.to_ascii_uppercase().contains("QUOTED-PRINTABLE"))
}

struct Property {
    /// Upper case, without group.
    name: String,
    /// Upper case, all parameters in one.
    parameters: String,
    value: String,
}

impl Property {
    fn parse(line: &str) -> Option<Property> {
        let colon = line.char_indices().scan(false, |quoted, (at, letter)| {
            if letter == '"' {
                *quoted = !*quoted;
            }
            Some((at, letter == ':' && !*quoted))
        });
        let colon = colon.filter(|(_, found)| *found).map(|(at, _)| at).next()?;
        let (head, value) = (&line[..colon], &line[colon + 1..]);
        let (name, parameters) = head.split_once(';').unwrap_or((head, ""));
        let name = name.rsplit('.').next().unwrap_or_default().trim().to_ascii_uppercase();
        let value = match is_quoted_printable(line) {
            true => decode_quoted_printable(value),
            false => value.to_owned(),
        };
        (!name.is_empty()).then(|| Property { name, parameters: parameters.to_ascii_uppercase(), value })
    }

    fn is(&self, kind: &str) -> bool {
        self.parameters.split([';', ',', '=', '"']).any(|word| word == kind)
    }

    fn store(&self, columns: &[String], cells: &mut [String]) {
        let mut set = |column: &str, value: String| {
            let at = columns.iter().position(|c| c == column);
            // The first of several stays: cards name the preferred one first.
            if let Some(cell) = at.and_then(|at| cells.get_mut(at)).filter(|cell| cell.is_empty()) {
                *cell = value;
                return true;
            }
            false
        };
        let parts = split(&self.value);
        let part = |at: usize| parts.get(at).cloned().unwrap_or_default();
        match self.name.as_str() {
            "FN" => drop(set("fullname", part(0))),
            "N" => {
                for (at, column) in
                    ["lastname", "firstname", "middlename", "salutation", "suffix"].iter().enumerate()
                {
                    set(column, part(at));
                }
            }
            "NICKNAME" => drop(set("nickname", part(0))),
            "ORG" => {
                set("organization", part(0));
                set("department", part(1));
            }
            "TITLE" => drop(set("jobtitle", part(0))),
            "TEL" => {
                let number = self.value.trim_start_matches("tel:").to_owned();
                let column = match () {
                    () if self.is("FAX") => "fax",
                    () if self.is("CELL") => "mobilephone",
                    () if self.is("HOME") => "telephone2",
                    () => "telephone1",
                };
                set(column, number);
            }
            "EMAIL" => {
                let _ = set("emailaddress1", part(0)) || set("emailaddress2", part(0));
            }
            "ADR" => {
                let rest = ["city", "stateorprovince", "postalcode", "country"];
                let is_first = set("address1_line1", part(2));
                for (at, column) in rest.iter().enumerate().filter(|_| is_first) {
                    set(&format!("address1_{column}"), part(at + 3));
                }
            }
            "URL" => drop(set("websiteurl", self.value.clone())),
            "NOTE" => drop(set("description", parts.join(";"))),
            "BDAY" => {
                let digits: String =
                    self.value.chars().take_while(|c| *c != 'T').filter(char::is_ascii_digit).collect();
                if digits.len() == 8 {
                    set("birthdate", format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..]));
                }
            }
            _ => {}
        }
    }
}

/// Parts of a value, escapes undone.
fn split(value: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match (letter, parts.last_mut()) {
            (';', _) => parts.push(String::new()),
            ('\\', Some(last)) => match letters.next() {
                Some('n' | 'N') => last.push('\n'),
                Some(escaped) => last.push(escaped),
                None => {}
            },
            (letter, Some(last)) => last.push(letter),
            (_, None) => {}
        }
    }
    parts
}

fn decode_quoted_printable(text: &str) -> String {
    let percent: String = text.replace('%', "%25").replace('=', "%");
    percent_encoding::percent_decode_str(&percent).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_become_rows_or_the_line_is_named() {
        let text = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Björn Müller\r\nN:Müller;Björn;;Dr.;\r\n\
            ORG:Über\\, Söhne;Verkauf\r\nitem1.TEL;TYPE=CELL:+47 1\r\nTEL;TYPE=\"work,voice\":+47 2\r\n\
            ADR;TYPE=WORK:;;Storgata 1;Oslo;;0155;Norway\r\n\
            NOTE:one\\ntwo\r\n  and more\r\nBDAY:1980-02-29\r\nEND:VCARD\r\n\
            BEGIN:VCARD\nVERSION:2.1\n\
            N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:S=C3=B8r=\n=C3=A5s;Anna\nEND:VCARD\n";
        let sheet = read(text.as_bytes()).unwrap();
        let cell = |row: usize, column: &str| {
            let at = sheet.columns.iter().position(|c| c == column).unwrap();
            sheet.records[row].cells[at].clone()
        };
        for (row, column, expected) in [
            (0, "fullname", "Björn Müller"),
            (0, "lastname", "Müller"),
            (0, "salutation", "Dr."),
            (0, "organization", "Über, Söhne"),
            (0, "department", "Verkauf"),
            (0, "mobilephone", "+47 1"),
            (0, "telephone1", "+47 2"),
            (0, "address1_city", "Oslo"),
            (0, "address1_postalcode", "0155"),
            (0, "description", "one\ntwo and more"),
            (0, "birthdate", "1980-02-29"),
            (1, "lastname", "Sørås"),
            (1, "firstname", "Anna"),
        ] {
            assert_eq!(cell(row, column), expected, "{row} {column}");
        }
        for (text, part) in [
            ("BEGIN:VCARD\nFN:x\n", "line 1"),
            ("FN:x\n", "line 1"),
            ("BEGIN:VCARD\nBEGIN:VCARD\n", "line 2"),
            ("BEGIN:VCARD\nnonsense\n", "line 2"),
        ] {
            let error = read(text.as_bytes()).err().unwrap();
            assert!(format!("{error:#}").contains(part), "{text}: {error:#}");
        }
    }
}
