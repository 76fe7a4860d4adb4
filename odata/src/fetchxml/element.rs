//! XML elements: their children and attributes, and what is wrong with them.

use crate::error::{ODataError, Result};
use roxmltree::{Document, Node, ParsingOptions};

/// Most XML nodes in one text; more than what the other limits let through.
const NODES_MAX: u32 = 60_000;

/// Reads a text as XML. Document types are refused, so there are no entities to expand.
pub(super) fn document(text: &str) -> Result<Document<'_>> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    Document::parse_with_options(text, options)
        .map_err(|_| error("0x80041101", "The XML of the query cannot be read.".to_owned()))
}

/// 400 with a code of the query builder.
pub(super) fn error(code: &str, message: String) -> ODataError {
    ODataError::new(400, code, message)
}

/// An element that does not belong where it stands.
pub(super) fn invalid_node(node: Node) -> ODataError {
    let (name, parent) = (node.tag_name().name(), node.parent_element());
    let parent = parent.map(|parent| parent.tag_name().name()).unwrap_or_default();
    error("0x8004111c", format!("Element '{}' does not belong into '{}'.", shown(name), shown(parent)))
}

/// 400 `0x80041139`: an attribute has a value it cannot have.
pub(super) fn invalid_attribute(node: Node, attribute: &str) -> ODataError {
    let element = shown(node.tag_name().name());
    error("0x80041139", format!("Attribute '{attribute}' of element '{element}' has an invalid value."))
}

/// A name from outside, short enough to repeat.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(100).collect()
}

/// The elements inside an element.
///
/// # Errors
/// 400 `0x8004111c` when text stands between them.
pub(super) fn elements<'a, 'x>(node: Node<'a, 'x>) -> Result<Vec<Node<'a, 'x>>> {
    let mut elements = Vec::new();
    for child in node.children() {
        if child.is_element() {
            elements.push(child);
        } else if child.is_text() && child.text().is_some_and(|text| !text.trim().is_empty()) {
            let name = shown(node.tag_name().name());
            return Err(error("0x8004111c", format!("Element '{name}' holds text.")));
        }
    }
    Ok(elements)
}

/// An attribute that must be there and not empty.
pub(super) fn required<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str> {
    node.attribute(name).filter(|value| !value.is_empty()).ok_or_else(|| {
        let element = shown(node.tag_name().name());
        error("0x80041123", format!("Element '{element}' needs attribute '{name}'."))
    })
}

/// An attribute that says yes or no; no when it is absent. `code` is that of a wrong value.
pub(super) fn flag(node: Node, name: &str, code: &str) -> Result<bool> {
    match node.attribute(name) {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(_) => Err(error(
            code,
            format!("The only valid values for {name} attribute are 'true', 'false', '1', and '0'."),
        )),
    }
}

/// A whole number.
///
/// # Errors
/// 400 `0x80041139` when it is none.
pub(super) fn number(node: Node, name: &str) -> Result<Option<u32>> {
    let Some(text) = node.attribute(name) else { return Ok(None) };
    text.trim().parse().map(Some).map_err(|_| invalid_attribute(node, name))
}

/// A name that the answer may carry.
///
/// # Errors
/// 400 `0x80041109` when it has other characters than letters, digits and `_`.
pub(super) fn alias<'a>(node: Node<'a, '_>) -> Result<Option<&'a str>> {
    let Some(alias) = node.attribute("alias") else { return Ok(None) };
    let good = alias.len() <= ALIAS_LENGTH_MAX
        && alias.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && alias.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if !good {
        return Err(error(
            "0x80041109",
            "Invalid character specified for alias. Only characters within the ranges [A-Z], [a-z] or [0-9] or _ \
             are allowed. The first character may only be in the ranges [A-Z], [a-z] or _."
                .to_owned(),
        ));
    }
    Ok(Some(alias))
}

/// Longest alias, bytes.
pub(super) const ALIAS_LENGTH_MAX: usize = 128;
