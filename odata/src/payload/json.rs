//! JSON objects and lists, one level at a time: names and values unread.

use crate::error::{ODataError, Result};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashSet;

/// Most levels of objects and arrays in a body, the body itself among them.
const BODY_DEPTH_MAX: usize = 127;

/// Refuses a body that nests too deeply, before anything of it is read. Costs no stack; who reads the values later may
/// pay with his. Brackets in texts do not count; broken JSON may be taken for either.
pub(super) fn check_depth(body: &[u8]) -> Result<()> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > BODY_DEPTH_MAX {
            return Err(ODataError::bad_payload(format!(
                "The body nests deeper than {BODY_DEPTH_MAX} levels."
            )));
        }
    }
    Ok(())
}

/// The one member of an object that a resource needs; annotations beside it are ignored.
pub(super) fn member<'b>(body: &'b [u8], wanted: &str) -> Result<&'b RawValue> {
    check_depth(body)?;
    let mut found = None;
    for (name, raw) in members(body)? {
        if name == wanted {
            found = Some(raw);
        } else if !name.contains('@') {
            return Err(ODataError::bad_payload(format!("The body must hold '{wanted}' and nothing else.")));
        }
    }
    found.ok_or_else(|| ODataError::bad_payload(format!("The body must hold '{wanted}'.")))
}

/// The items of a JSON list, unread; `None` for anything else.
pub(super) fn items(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_slice(raw.get().as_bytes()).ok()
}

/// The members of a JSON object in order, values unread. Nesting costs no stack.
pub(super) fn members(body: &[u8]) -> Result<Vec<(String, &RawValue)>> {
    struct Object;
    impl<'de> Visitor<'de> for Object {
        type Value = Option<Vec<(String, &'de RawValue)>>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            let mut seen = HashSet::new();
            let mut doubled = false;
            while let Some((name, raw)) = map.next_entry::<String, &RawValue>()? {
                doubled |= !seen.insert(name.clone());
                members.push((name, raw));
            }
            Ok((!doubled).then_some(members))
        }
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = json.deserialize_map(Object).and_then(|members| json.end().map(|()| members));
    // serde's own message may quote the body: only the place is told.
    let members = read.map_err(|e| {
        ODataError::bad_payload(format!(
            "The body is not a JSON object (line {}, column {}).",
            e.line(),
            e.column()
        ))
    })?;
    members.ok_or_else(|| ODataError::bad_payload("A member occurs twice in the body."))
}
