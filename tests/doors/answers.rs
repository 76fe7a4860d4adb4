//! Answers in the form in which the two doors are compared.

use flette_odata::Response;
use serde_json::Value;
use std::fmt::Write;

/// Headers that must agree, value by value.
const HEADERS: [&str; 5] =
    ["OData-Version", "Content-Type", "Preference-Applied", "OData-EntityId", "Location"];

/// What a client sees of an answer.
pub struct Seen {
    /// Status and headers, then the body, a member a line.
    text: String,
    /// The body as it came, where etags must agree.
    bytes: Option<String>,
    /// Where the list goes on.
    pub next: Option<String>,
    /// Where expanded collections go on.
    pub inner: Vec<String>,
}

impl Seen {
    /// `exact`: etags and stamps too; else only that they are there. `name` puts placeholders for ids that a door chose.
    pub fn of(response: &Response, exact: bool, name: &dyn Fn(String) -> String) -> Seen {
        let mut text = format!("status {}\n", response.status);
        for header in HEADERS {
            let values: Vec<_> =
                response.headers.all(header).map(|v| without_ids(&name(v.to_owned()))).collect();
            writeln!(text, "{header}: {values:?}").unwrap();
        }
        let etag = response.headers.get("ETag");
        let etag = if exact { etag.map(str::to_owned) } else { etag.map(shape) };
        writeln!(text, "ETag: {etag:?}").unwrap();
        let body = without_version(&name(String::from_utf8(response.body.clone()).unwrap()));
        let (mut next, mut inner) = (None, Vec::new());
        let kind = response.headers.get("Content-Type").unwrap_or_default();
        let mut bytes = None;
        if kind.starts_with("application/json") {
            let mut json: Value = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"));
            next = json["@odata.nextLink"].as_str().map(str::to_owned);
            inner_links(&json["value"], &mut inner);
            mask(&mut json, exact);
            text.push_str(&serde_json::to_string_pretty(&json).unwrap());
            bytes = (exact && next.is_none()).then_some(body);
        } else if kind.starts_with("multipart/") {
            text.push_str(&parts(&body));
        } else {
            text.push_str(&body);
        }
        Seen { text, bytes, next, inner }
    }

    /// What is compared, with other names in it; the links stay as they are.
    pub fn renamed(self, rename: &dyn Fn(String) -> String) -> Seen {
        Seen { text: rename(self.text), bytes: self.bytes.map(rename), ..self }
    }

    /// The first lines that are not the same.
    pub fn difference(&self, other: &Seen) -> Option<String> {
        let (a, b): (Vec<_>, Vec<_>) = (self.text.lines().collect(), other.text.lines().collect());
        if a == b {
            return match (&self.bytes, &other.bytes) {
                (Some(a), Some(b)) if a != b => {
                    let at = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
                    let around = |text: &str| -> String {
                        text.chars().skip(at.saturating_sub(60)).take(120).collect()
                    };
                    Some(format!("  server bytes {}\n  engine bytes {}", around(a), around(b)))
                }
                _ => None,
            };
        }
        let same_at_start = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
        let (a, b) = (&a[same_at_start..], &b[same_at_start..]);
        let same_at_end = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
        let print = |side: &str, lines: &[&str]| -> String {
            let lines = lines[..lines.len() - same_at_end].iter().take(14);
            lines.map(|line| format!("  {side} {line}\n")).collect()
        };
        Some(print("server", a) + &print("engine", b))
    }
}

/// Without the version of the definitions, which only the server tells: whoever does not find it reads them again.
fn without_version(body: &str) -> String {
    const MEMBER: &str = ",\"@Microsoft.Dynamics.CRM.globalmetadataversion\":\"";
    let mut parts = body.split(MEMBER);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|part| kept.push_str(part.split_once('"').map_or(part, |(_, rest)| rest)));
    kept
}

fn inner_links(json: &Value, links: &mut Vec<String>) {
    match json {
        Value::Array(items) => items.iter().for_each(|item| inner_links(item, links)),
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(link) if name.ends_with("@odata.nextLink") => links.push(link.clone()),
                    value => inner_links(value, links),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn shape(etag: &str) -> String {
    let is_etag = etag.starts_with("W/\"") && etag.ends_with('"') && etag.len() > 4;
    if is_etag { "an etag" } else { etag }.to_owned()
}

/// Boundaries are made anew for every answer.
fn without_ids(text: &str) -> String {
    let mut text = text.to_owned();
    for start in ["batchresponse_", "changesetresponse_"] {
        let mut from = 0;
        while let Some(at) = text[from..].find(start).map(|at| from + at + start.len()) {
            let id = text[at..].chars().take_while(|c| c.is_ascii_hexdigit() || *c == '-').count();
            // The end of a multipart is told by two dashes.
            text.replace_range(at..at + id.min(36), "");
            from = at;
        }
    }
    text
}

/// Takes away what the doors cannot agree on.
fn mask(json: &mut Value, exact: bool) {
    match json {
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, exact)),
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                let stamp =
                    ["createdon", "modifiedon"].iter().any(|stamp| name.split('@').next() == Some(stamp));
                match value {
                    Value::String(text) if name.ends_with("@odata.nextLink") => {
                        let end = text.find("$skiptoken=").unwrap_or(text.len());
                        text.truncate(end);
                    }
                    Value::String(text) if name == "@odata.etag" && !exact => *text = shape(text),
                    Value::String(text) if stamp && !exact => *text = "a stamp".to_owned(),
                    other => mask(other, exact),
                }
            }
            if !exact {
                // A version is the server's to give.
                members.retain(|name, _| !name.starts_with("versionnumber"));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A multipart body with the JSON in it masked.
fn parts(body: &str) -> String {
    let mut out = String::new();
    for line in body.split("\r\n") {
        if line.starts_with("Flette-Lineage: ") || line.starts_with("Flette-Extensions: ") {
            // Said by the server alone, to engines.
            continue;
        }
        if line.starts_with("REQ_ID: ") {
            out.push_str("REQ_ID");
        } else if let Some(etag) = line.strip_prefix("ETag: ") {
            out.push_str(&shape(etag));
        } else if let Ok(mut json) = serde_json::from_str::<Value>(line) {
            mask(&mut json, false);
            out.push_str(&serde_json::to_string_pretty(&json).unwrap());
        } else {
            out.push_str(&without_ids(line));
        }
        out.push('\n');
    }
    out
}
