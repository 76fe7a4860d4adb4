//! One JSON value on its way into a column, borrowed from the body wherever that is possible.

use super::column::{Cell, Kind};
use flette_odata::{time, Decimal, Uuid};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A JSON value as the parser gives it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Text(&'a str),
    /// A number as written.
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
            (Kind::Int, Scalar::Int(number)) => Cell::Int(number),
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

/// A number that must be read as written, or null.
pub(super) fn raw_scalar(raw: &str) -> Scalar<'_> {
    match raw.as_bytes().first() {
        Some(b'n') => Scalar::Null,
        Some(b'-' | b'0'..=b'9') => Scalar::Number(raw),
        _ => Scalar::Other,
    }
}

/// Chosen options as the column keeps them: in rising order, each once, parted by commas. Empty when none is chosen,
/// `None` when the text is no such list.
pub(super) fn choices(text: &str) -> Option<String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let mut chosen = parts.map(|part| part.parse::<i32>().ok()).collect::<Option<Vec<i32>>>()?;
    chosen.sort_unstable();
    chosen.dedup();
    Some(chosen.iter().map(i32::to_string).collect::<Vec<_>>().join(","))
}

/// Hands one value on as a [`Scalar`]. Objects and arrays are read to their end and count as [`Scalar::Other`], so that
/// an unexpected type is a fault of its item and not of the text.
pub(super) struct ScalarSeed<F>(pub(super) F);

impl<'de, F: FnOnce(Scalar<'_>)> DeserializeSeed<'de> for ScalarSeed<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnOnce(Scalar<'_>)> Visitor<'de> for ScalarSeed<F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        (self.0)(Scalar::Null);
        Ok(())
    }

    fn visit_bool<E: Error>(self, bit: bool) -> Result<(), E> {
        (self.0)(Scalar::Bool(bit));
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        (self.0)(Scalar::Int(number));
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        (self.0)(i64::try_from(number).map_or(Scalar::Other, Scalar::Int));
        Ok(())
    }

    fn visit_f64<E: Error>(self, _number: f64) -> Result<(), E> {
        (self.0)(Scalar::Other);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        (self.0)(Scalar::Text(text));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        (self.0)(Scalar::Other);
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        (self.0)(Scalar::Other);
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
