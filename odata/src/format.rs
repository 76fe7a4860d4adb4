//! Formatted values: what people read (`OData.Community.Display.V1.FormattedValue`).

use crate::edm::Column;
use crate::render::Cell;
use crate::value::Value;
use std::borrow::Cow;

/// The formatted text of a value; `None` where Dataverse sends no annotation (null, text, ids) and for lookups, whose
/// text is the name of the target row.
pub fn formatted(column: &Column, value: &Value) -> Option<String> {
    formatted_cell(column, Cell::from(value)).map(Cow::into_owned)
}

/// The same as [`formatted`] for a borrowed value.
pub fn formatted_cell<'t>(_column: &'t Column, _cell: Cell<'_>) -> Option<Cow<'t, str>> {
    None
}
