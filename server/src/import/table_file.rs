//! CSV with a header line, UTF-8 (with or without a byte order mark), parted by commas.

use super::{Record, Sheet};
use anyhow::{bail, Context, Result};

/// Longest file, bytes: it is held in memory.
const FILE_BYTES_MAX: usize = 1 << 30;

/// Reads a file.
///
/// # Errors
/// When it is not UTF-8, has no header, or a line has too few or too many cells; the error names the line.
pub(super) fn read(bytes: &[u8]) -> Result<Sheet> {
    if bytes.len() > FILE_BYTES_MAX {
        bail!("the file is longer than {FILE_BYTES_MAX} bytes");
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let columns: Vec<String> =
        reader.headers().context("line 1 is not UTF-8")?.iter().map(|c| c.trim().to_owned()).collect();
    if columns.iter().all(String::is_empty) {
        bail!("the file has no header line");
    }
    let mut sheet = Sheet { columns, records: Vec::new(), repaired: 0 };
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            anyhow::anyhow!("line {line}: the line is not UTF-8")
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut cells: Vec<String> = record.iter().map(str::to_owned).collect();
        if cells.len() > sheet.columns.len() {
            cells = join_blanks(cells);
            sheet.repaired += 1;
        }
        if cells.len() != sheet.columns.len() {
            bail!("line {line}: {} cells where the header has {}", cells.len(), sheet.columns.len());
        }
        sheet.records.push(Record { line, cells });
    }
    Ok(sheet)
}

/// Some files (Northwind's are known for it) hold commas that nobody quoted: `Pavlova, Ltd.` A comma that
/// parts cells has no blank after it, one inside a text has; so a cell that begins with a blank belongs to
/// the one before it.
fn join_blanks(cells: Vec<String>) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    for cell in cells {
        match joined.last_mut() {
            Some(last) if cell.starts_with(' ') => {
                last.push(',');
                last.push_str(&cell);
            }
            _ => joined.push(cell),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_or_the_line_is_named() {
        fn check(text: &str, expected: std::result::Result<&[&[&str]], &str>) {
            let sheet = read(text.as_bytes());
            match (sheet, expected) {
                (Ok(sheet), Ok(rows)) => {
                    let cells: Vec<Vec<&str>> =
                        sheet.records.iter().map(|r| r.cells.iter().map(String::as_str).collect()).collect();
                    assert_eq!(cells, rows, "{text}");
                }
                (Err(error), Err(part)) => assert!(format!("{error:#}").contains(part), "{error:#}"),
                (sheet, expected) => panic!("{text}: {:?} {expected:?}", sheet.map(|s| s.records.len())),
            }
        }
        check("a,b\n1,2\n", Ok(&[&["1", "2"]]));
        check("\u{feff}a,b\r\n1,\"x, \"\"y\"\"\"\r\n", Ok(&[&["1", "x, \"y\""]]));
        check("a,b\n1,Pavlova, Ltd.\n", Ok(&[&["1", "Pavlova, Ltd."]]));
        check("a,b\n1,\"two\nlines\"\n", Ok(&[&["1", "two\nlines"]]));
        check("a,b\n", Ok(&[]));
        check("a,b\n1,2\n1\n", Err("line 3"));
        check("a,b\n1,2,3\n", Err("line 2"));
        check("", Err("header"));
        assert!(format!("{:#}", read(b"a,b\n1,2\n1,\xff\n").err().unwrap()).contains("line 3"));
    }
}
