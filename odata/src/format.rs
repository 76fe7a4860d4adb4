//! Formatted values: what people read (`OData.Community.Display.V1.FormattedValue`).
//!
//! Dataverse formats by the settings of the calling user. Here there is one format, that of a new English
//! (1033) organisation in UTC: `1,234`, `$1,234.00`, `-$1.50`, `1/15/2026`, `1/15/2026 10:02 AM`.

use crate::decimal::Decimal;
use crate::edm::{Column, ColumnKind, OptionItem};
use crate::render::Cell;
use crate::value::Value;
use chrono::{DateTime, Datelike, NaiveDate, Timelike};
use std::borrow::Cow;

/// The formatted text of a value; `None` where Dataverse sends no annotation (null, text, ids, an option
/// without a label) and for lookups, whose text is the name of the target row.
pub fn formatted(column: &Column, value: &Value) -> Option<String> {
    formatted_cell(column, Cell::from(value)).map(Cow::into_owned)
}

/// The same as [`formatted`] for a borrowed value.
pub fn formatted_cell<'t>(column: &'t Column, cell: Cell<'_>) -> Option<Cow<'t, str>> {
    match (cell, &column.kind) {
        (Cell::Bool(value), ColumnKind::Boolean { label_false, label_true, .. }) => {
            Some(Cow::Borrowed(if value { label_true } else { label_false }))
        }
        (Cell::Int(number), kind) => match option_label(kind, number) {
            Options::None => Some(separated(&number.to_string()).into()),
            Options::Label(label) => label.map(Cow::Borrowed),
        },
        (Cell::Decimal(number), ColumnKind::Money { precision, .. }) => {
            Some(money(number, *precision).into())
        }
        (Cell::Decimal(number), ColumnKind::Decimal { precision, .. }) => {
            Some(separated(&number.rescale(*precision).to_string()).into())
        }
        (Cell::Double(number), ColumnKind::Double { precision, .. }) => {
            let precision = usize::from(*precision);
            Some(separated(&format!("{number:.precision$}")).into())
        }
        (Cell::DateTime(at), _) => DateTime::from_timestamp_millis(at).map(|at| {
            let (afternoon, hour) = at.hour12();
            let half = if afternoon { "PM" } else { "AM" };
            format!("{} {hour}:{:02} {half}", date(at.date_naive()), at.minute()).into()
        }),
        (Cell::Date(days), _) => {
            let day = NaiveDate::default().checked_add_signed(chrono::Duration::days(i64::from(days)))?;
            Some(date(day).into())
        }
        (Cell::Text(chosen), ColumnKind::MultiPicklist { options }) => {
            labels(chosen, options).map(Cow::Owned)
        }
        (Cell::Null | Cell::Text(_) | Cell::Guid(_) | Cell::Lookup { .. }, _) => None,
        (Cell::Bool(_) | Cell::Decimal(_) | Cell::Double(_), _) => None,
    }
}

/// Whether a column has options, and if so the label of this one.
enum Options<'t> {
    None,
    Label(Option<&'t str>),
}

fn option_label(kind: &ColumnKind, number: i64) -> Options<'_> {
    let is = |value: i32| i64::from(value) == number;
    Options::Label(match kind {
        ColumnKind::Picklist { options, .. } => {
            options.iter().find(|o| is(o.value)).map(|o| o.label.as_str())
        }
        ColumnKind::State { options } => options.iter().find(|o| is(o.value)).map(|o| o.label.as_str()),
        ColumnKind::Status { options } => options.iter().find(|o| is(o.value)).map(|o| o.label.as_str()),
        _ => return Options::None,
    })
}

/// `1,3` as `First; Third`.
fn labels(chosen: &str, options: &[OptionItem]) -> Option<String> {
    let label = |number: &str| {
        let number: i32 = number.parse().ok()?;
        options.iter().find(|option| option.value == number).map(|option| option.label.as_str())
    };
    let labels: Vec<&str> = chosen.split(',').filter_map(label).collect();
    (!labels.is_empty()).then(|| labels.join("; "))
}

fn date(date: NaiveDate) -> String {
    format!("{}/{}/{}", date.month(), date.day(), date.year())
}

fn money(number: Decimal, precision: u8) -> String {
    let text = separated(&number.rescale(precision).to_string());
    match text.strip_prefix('-') {
        Some(rest) => format!("-${rest}"),
        None => format!("${text}"),
    }
}

/// Commas between groups of three digits before the point.
pub fn separated(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = digits.find('.').map_or((digits, ""), |at| digits.split_at(at));
    let mut out = String::with_capacity(number.len() + whole.len() / 3 + 1);
    out.push_str(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(fraction);
    out
}
