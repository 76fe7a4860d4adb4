//! Literals, and which of them fit which column.

use super::bound::Bound;
use super::token::{unescape, Token};
use super::CompareOp;
use crate::decimal::Decimal;
use crate::edm::{Column, ColumnKind};
use crate::error::{ODataError, Result};
use crate::time::{parse_date, parse_datetime, DAY_MILLIS};
use crate::value::Value;
use std::borrow::Cow;
use uuid::Uuid;

/// A literal as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal<'a> {
    Null,
    Bool(bool),
    Text(Cow<'a, str>),
    /// Text of a well-formed number.
    Number(&'a str),
    Guid(Uuid),
    Date(i32),
    DateTime(i64),
}

impl<'a> Literal<'a> {
    /// The literal a token is; `None` when it is none (a name, a sign).
    pub(super) fn read(token: Token<'a>) -> Option<Literal<'a>> {
        let word = match token {
            Token::Text(quoted) => return Some(Literal::Text(unescape(quoted))),
            Token::Word(word) => word,
            Token::Json(_) | Token::Alias(_) | Token::End => return None,
            Token::Open | Token::Close | Token::OpenList | Token::CloseList => return None,
            Token::Comma | Token::Slash | Token::Colon | Token::Assign => return None,
        };
        Literal::read_word(word)
    }

    /// The literal that a text without quotes is.
    fn read_word(word: &'a str) -> Option<Literal<'a>> {
        match word {
            "null" => Some(Literal::Null),
            "true" => Some(Literal::Bool(true)),
            "false" => Some(Literal::Bool(false)),
            _ => parse_guid(word)
                .map(Literal::Guid)
                .or_else(|| parse_date(word).map(Literal::Date))
                .or_else(|| parse_datetime(word).map(Literal::DateTime))
                .or_else(|| is_number(word).then_some(Literal::Number(word))),
        }
    }

    /// The value on its own, without a column to give it a type.
    pub(super) fn value(&self) -> Value {
        match self {
            Literal::Null => Value::Null,
            Literal::Bool(value) => Value::Bool(*value),
            Literal::Text(text) => Value::Text(text.clone().into_owned()),
            Literal::Number(text) => number(text),
            Literal::Guid(id) => Value::Guid(*id),
            Literal::Date(days) => Value::Date(*days),
            Literal::DateTime(millis) => Value::DateTime(*millis),
        }
    }

    /// Where the literal stands among the column's values.
    ///
    /// # Errors
    /// 400 when the types have nothing in common.
    pub(super) fn bound(&self, column: &Column, op: CompareOp) -> Result<Bound> {
        let bound = match (&column.kind, self) {
            (_, Literal::Null) => Some(Bound::At(Value::Null)),
            (
                ColumnKind::Text { .. } | ColumnKind::Memo { .. } | ColumnKind::MultiPicklist { .. },
                Literal::Text(_),
            )
            | (ColumnKind::Id | ColumnKind::Guid | ColumnKind::Lookup { .. }, Literal::Guid(_))
            | (ColumnKind::Boolean { .. }, Literal::Bool(_))
            | (ColumnKind::DateTime, Literal::DateTime(_))
            | (ColumnKind::Date, Literal::Date(_)) => Some(Bound::At(self.value())),
            // Quoted ids occur in published samples and are taken by the service.
            (ColumnKind::Id | ColumnKind::Guid | ColumnKind::Lookup { .. }, Literal::Text(text)) => {
                parse_guid(text).map(|id| Bound::At(Value::Guid(id)))
            }
            (
                ColumnKind::Integer { .. }
                | ColumnKind::BigInt
                | ColumnKind::Picklist { .. }
                | ColumnKind::State { .. }
                | ColumnKind::Status { .. },
                Literal::Number(text),
            ) => Some(Bound::whole(text)),
            (ColumnKind::Decimal { .. } | ColumnKind::Money { .. }, Literal::Number(text)) => {
                Some(Bound::decimal(text))
            }
            (ColumnKind::Double { .. }, Literal::Number(text)) => {
                Some(Bound::At(Value::Double(nearest_double(text))))
            }
            (ColumnKind::DateTime, Literal::Date(days)) => {
                Some(Bound::At(Value::DateTime(i64::from(*days) * DAY_MILLIS)))
            }
            (ColumnKind::Date, Literal::DateTime(millis)) => Some(Bound::date(*millis)),
            _ => None,
        };
        bound.ok_or_else(|| incompatible(edm_type(column), self.edm_type(), op))
    }

    fn edm_type(&self) -> &'static str {
        match self {
            Literal::Null => "Edm.Null",
            Literal::Bool(_) => "Edm.Boolean",
            Literal::Text(_) => "Edm.String",
            Literal::Number(text) if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') => "Edm.Int32",
            Literal::Number(_) => "Edm.Decimal",
            Literal::Guid(_) => "Edm.Guid",
            Literal::Date(_) => "Edm.Date",
            Literal::DateTime(_) => "Edm.DateTimeOffset",
        }
    }
}

/// Type of a column's property on the wire.
pub(super) fn edm_type(column: &Column) -> &'static str {
    match &column.kind {
        ColumnKind::Id | ColumnKind::Guid | ColumnKind::Lookup { .. } => "Edm.Guid",
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } | ColumnKind::MultiPicklist { .. } => "Edm.String",
        ColumnKind::Integer { .. }
        | ColumnKind::Picklist { .. }
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => "Edm.Int32",
        ColumnKind::BigInt => "Edm.Int64",
        ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => "Edm.Decimal",
        ColumnKind::Double { .. } => "Edm.Double",
        ColumnKind::Boolean { .. } => "Edm.Boolean",
        ColumnKind::DateTime => "Edm.DateTimeOffset",
        ColumnKind::Date => "Edm.Date",
    }
}

/// Whether values of two columns can be compared.
pub(crate) fn comparable(left: &Column, right: &Column) -> bool {
    let class = |column| match edm_type(column) {
        "Edm.Int32" | "Edm.Int64" | "Edm.Decimal" | "Edm.Double" => "number",
        "Edm.DateTimeOffset" | "Edm.Date" => "time",
        other => other,
    };
    class(left) == class(right)
}

/// 400 in the words of the service.
pub(super) fn incompatible(left: &str, right: &str, op: CompareOp) -> ODataError {
    let kind = match op {
        CompareOp::Equal => "Equal",
        CompareOp::NotEqual => "NotEqual",
        CompareOp::Greater => "GreaterThan",
        CompareOp::GreaterOrEqual => "GreaterThanOrEqual",
        CompareOp::Less => "LessThan",
        CompareOp::LessOrEqual => "LessThanOrEqual",
    };
    ODataError::bad_request(format!(
        "A binary operator with incompatible types was detected. Found operand types '{left}' and '{right}' \
         for operator kind '{kind}'."
    ))
}

/// A GUID with hyphens, in any case, without braces.
pub(crate) fn parse_guid(text: &str) -> Option<Uuid> {
    // 36 characters leave only the hyphenated form of those that the library reads.
    if text.len() != 36 {
        return None;
    }
    Uuid::try_parse(text).ok()
}

/// `[+-]digits[.digits][e[+-]digits]`
pub(super) fn is_number(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = |text: &'_ str| text.strip_prefix(['+', '-']).unwrap_or(text).to_owned();
    let (mantissa, exponent) = match word.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (word, None),
    };
    let mantissa = unsigned(mantissa);
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa.as_str(), None),
    };
    digits(whole) && fraction.is_none_or(digits) && exponent.is_none_or(|e| digits(&unsigned(e)))
}

/// A well-formed number: whole if it fits, else exact, else the nearest floating point number.
fn number(text: &str) -> Value {
    if let Ok(whole) = text.parse() {
        return Value::Int(whole);
    }
    match Decimal::parse(text) {
        Some(exact) => Value::Decimal(exact),
        None => Value::Double(nearest_double(text)),
    }
}

/// Finite, since no column holds anything else: what is too large becomes the largest there is.
fn nearest_double(text: &str) -> f64 {
    text.parse().unwrap_or(0.0_f64).clamp(f64::MIN, f64::MAX)
}
