//! One JSON value on its way into a column, borrowed from the body wherever that is possible.

use super::column::{Cell, Kind};
use flette_odata::ordered;
use flette_odata::{time, Decimal, Uuid};

/// A JSON value that is no object and no list.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Text(&'a str),
    /// A number as written: neither exact decimals nor large whole numbers may pass through a float.
    Number(&'a str),
    /// Something that no column holds.
    Other,
}

impl<'a> Scalar<'a> {
    /// As a column of `kind` takes it; `None` when it does not fit.
    pub(super) fn cell(self, kind: Kind) -> Option<Cell<'a>> {
        Some(match (kind, self) {
            (_, Scalar::Null) => Cell::Null,
            (Kind::Text, Scalar::Text(text)) => Cell::Text(text),
            (Kind::Int, Scalar::Number(text)) => Cell::Int(text.parse().ok()?),
            (Kind::Bool, Scalar::Bool(bit)) => Cell::Bool(bit),
            (Kind::DateTime, Scalar::Text(text)) => Cell::DateTime(time::parse_datetime(text)?),
            (Kind::Date, Scalar::Text(text)) => Cell::Date(time::parse_date(text)?),
            (Kind::Guid, Scalar::Text(text)) => Cell::Guid(Uuid::try_parse(text).ok()?),
            (Kind::Decimal, Scalar::Number(text)) => Cell::Decimal(Decimal::parse(text)?),
            (Kind::Double, Scalar::Number(text)) => {
                Cell::Double(text.parse().ok().filter(|number: &f64| number.is_finite())?)
            }
            _ => return None,
        })
    }
}

/// Chosen options as the column keeps them: in rising order, each once, parted by commas. Empty when none is chosen,
/// `None` when the text is no such list.
pub(super) fn choices(text: &str) -> Option<String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let chosen = parts.map(|part| part.parse::<i32>().ok()).collect::<Option<Vec<i32>>>()?;
    let chosen = ordered::set(chosen);
    Some(chosen.iter().map(i32::to_string).collect::<Vec<_>>().join(","))
}
