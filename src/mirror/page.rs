//! Decodes an answer of the server straight into columns: no tree, no map per row, no string per value.
//!
//! Members may come in any order. What the schema does not know is skipped. Half a character (a surrogate escaped
//! without its other half, which UTF-16 services keep and hand out) is read as U+FFFD.

use super::item::Items;
use super::json::{Json, Wrong};
use super::scalar::Scalar;
use super::surrogates::without_lone_surrogates;
use super::SegmentBuilder;
use flette_odata::{Row, Table, Uuid};

/// Why a body is not a page. Nothing of it may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageError {
    /// Cut, or not JSON, or not of the shape of a page or row. Says what; never holds a value.
    Malformed(String),
    /// A value does not fit the type the schema gives its column: the schema must be read again.
    WrongType {
        /// Logical name.
        column: String,
    },
    /// A lookup with several possible target tables came without the annotation that names its target.
    UnknownTarget {
        /// Logical name.
        column: String,
    },
    /// A row came without its primary key, or a tombstone without its id.
    NoId,
}

impl std::fmt::Display for PageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PageError::Malformed(what) => write!(f, "not a page of rows: {what}"),
            PageError::WrongType { column } => write!(f, "unexpected type in column {column}"),
            PageError::UnknownTarget { column } => {
                write!(f, "lookup {column} does not name its target table")
            }
            PageError::NoId => f.write_str("a row without its key"),
        }
    }
}

impl std::error::Error for PageError {}

/// One item of a page, in the server's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Item {
    Row(Uuid),
    Tombstone(Uuid),
}

/// A decoded page.
#[derive(Debug)]
pub struct Page {
    /// Its items, ready to be sealed; item `n` of the page is row `n` of the segment.
    pub segment: SegmentBuilder,
    /// How many items are rows.
    pub rows: u32,
    /// How many items are tombstones.
    pub tombstones: u32,
    /// `@odata.nextLink`, verbatim.
    pub next_link: Option<String>,
    /// `@odata.deltaLink`, verbatim.
    pub delta_link: Option<String>,
    /// `@odata.count`
    pub count: Option<u64>,
    /// `@Microsoft.Dynamics.CRM.globalmetadataversion`: it changes with any table or column.
    pub definitions: Option<String>,
    /// Whether it lists rows, be it none; only an answer to a delta link may leave the list out.
    pub has_list: bool,
}

impl Page {
    /// Items in the server's order. An id may occur more than once: the last one counts.
    pub fn items(&self) -> impl Iterator<Item = Item> + '_ {
        (0..self.segment.len()).map(|at| match self.segment.is_tombstone(at) {
            true => Item::Tombstone(self.segment.id(at)),
            false => Item::Row(self.segment.id(at)),
        })
    }

    /// One item's columns; empty for a tombstone. For the few rows that must be looked at one by one.
    pub fn row(&self, index: usize) -> Row {
        self.segment.row(index)
    }

    /// One item's etag; `None` for a tombstone or where the server gave none.
    pub fn etag(&self, index: usize) -> Option<String> {
        self.segment.etag(index)
    }

    fn new(items: Items<'_>, links: Links) -> Page {
        let (segment, rows, tombstones) = items.finish();
        let Links { next_link, delta_link, count, definitions, has_value: has_list, .. } = links;
        Page { segment, rows, tombstones, next_link, delta_link, count, definitions, has_list }
    }
}

/// Decodes the body of a collection or delta answer. An object without `value` counts as an empty page when it is
/// empty or has annotations: so does the service say that nothing changed. See [`Page::has_list`].
///
/// # Errors
/// See [`PageError`]; a body that was cut anywhere is an error.
pub fn decode_page(body: &[u8], table: &Table) -> Result<Page, PageError> {
    mending(body, |body| read_page(body, table))
}

fn read_page(body: &[u8], table: &Table) -> Result<Page, PageError> {
    let mut items = Items::new(table);
    let mut links = Links::default();
    let read = read_whole(body, |json| links.read(json, &mut items));
    if let Some(fault) = items.take_fault() {
        return Err(fault);
    }
    read?;
    if !links.has_value && links.has_others && !links.has_annotations {
        return Err(PageError::Malformed("an object without value".to_owned()));
    }
    Ok(Page::new(items, links))
}

/// Decodes the body of a single-row answer (`GET accounts(id)`, `return=representation`) as a page of one row.
///
/// # Errors
/// See [`PageError`].
pub fn decode_row(body: &[u8], table: &Table) -> Result<Page, PageError> {
    mending(body, |body| read_row(body, table))
}

fn read_row(body: &[u8], table: &Table) -> Result<Page, PageError> {
    let mut items = Items::new(table);
    let read = read_whole(body, |json| items.read(json));
    match items.take_fault() {
        Some(fault) => Err(fault),
        None => read.map(|()| Page::new(items, Links::default())),
    }
}

/// Tries once more without half characters, which no text here can hold, when the body cannot be read.
fn mending(body: &[u8], read: impl Fn(&[u8]) -> Result<Page, PageError>) -> Result<Page, PageError> {
    match read(body) {
        Err(PageError::Malformed(what)) => match without_lone_surrogates(body) {
            Some(mended) => read(&mended),
            None => Err(PageError::Malformed(what)),
        },
        read => read,
    }
}

/// The next link, read from the members that stand before `value` without decoding the rest: the next page can be
/// asked for while this one is decoded. `body` may be its beginning only. `None` when the link stands elsewhere; then
/// [`decode_page`] finds it.
pub fn next_link_ahead(body: &[u8]) -> Option<String> {
    let mut json = Json::new(body);
    json.open(b'{').ok()?;
    let mut is_first = true;
    while json.more(is_first, b'}').ok()? {
        is_first = false;
        match json.name().ok()? {
            VALUE => return None,
            NEXT_LINK => return json.text().ok()?,
            _ => json.skip().ok()?,
        }
    }
    None
}

fn read_whole(
    body: &[u8],
    read: impl FnOnce(&mut Json) -> std::result::Result<(), Wrong>,
) -> Result<(), PageError> {
    let mut json = Json::new(body);
    let read = read(&mut json).and_then(|()| json.end());
    read.map_err(|wrong| PageError::Malformed(format!("{wrong} at byte {}", json.at())))
}

/// What stands beside the rows.
#[derive(Debug, Default)]
struct Links {
    next_link: Option<String>,
    delta_link: Option<String>,
    count: Option<u64>,
    definitions: Option<String>,
    has_value: bool,
    has_annotations: bool,
    has_others: bool,
}

const NEXT_LINK: &str = "@odata.nextLink";
const DELTA_LINK: &str = "@odata.deltaLink";
const COUNT: &str = "@odata.count";
const DEFINITIONS: &str = "@Microsoft.Dynamics.CRM.globalmetadataversion";
const VALUE: &str = "value";

/// A member of a page.
enum Member {
    Value,
    NextLink,
    DeltaLink,
    Count,
    Definitions,
    Annotation,
    Other,
}

impl Links {
    /// Reads a page: its rows into `items`, everything else into these.
    fn read(&mut self, json: &mut Json, items: &mut Items) -> Result<(), Wrong> {
        json.open(b'{')?;
        let mut is_first = true;
        while json.more(is_first, b'}')? {
            is_first = false;
            let member = match json.name()? {
                VALUE => Member::Value,
                NEXT_LINK => Member::NextLink,
                DELTA_LINK => Member::DeltaLink,
                COUNT => Member::Count,
                DEFINITIONS => Member::Definitions,
                name if name.starts_with('@') => Member::Annotation,
                _ => Member::Other,
            };
            match member {
                Member::Value if self.has_value => return Err(Wrong::Shape),
                Member::Value => {
                    self.has_value = true;
                    read_rows(json, items)?;
                }
                Member::NextLink => self.next_link = json.text()?,
                Member::DeltaLink => self.delta_link = json.text()?,
                Member::Count => self.count = count(json.scalar()?)?,
                Member::Definitions => {
                    (self.has_annotations, self.has_others) = (true, true);
                    self.definitions = match json.scalar()? {
                        Scalar::Text(version) | Scalar::Number(version) => Some(version.to_owned()),
                        Scalar::Null | Scalar::Bool(_) | Scalar::Other => None,
                    };
                }
                Member::Annotation | Member::Other => {
                    self.has_annotations |= matches!(member, Member::Annotation);
                    self.has_others = true;
                    json.skip()?;
                }
            }
        }
        Ok(())
    }
}

fn read_rows(json: &mut Json, items: &mut Items) -> Result<(), Wrong> {
    json.open(b'[')?;
    let mut is_first = true;
    while json.more(is_first, b']')? {
        is_first = false;
        items.read(json)?;
    }
    Ok(())
}

fn count(scalar: Scalar) -> Result<Option<u64>, Wrong> {
    match scalar {
        Scalar::Null => Ok(None),
        Scalar::Number(text) => text.parse().map(Some).map_err(|_| Wrong::Shape),
        Scalar::Bool(_) | Scalar::Text(_) | Scalar::Other => Err(Wrong::Shape),
    }
}
