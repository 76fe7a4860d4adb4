//! The `Prefer` header: what a client would like, never what it may insist on (RFC 7240, OData 4.0 Part 1
//! §8.2.8).
//!
//! Preferences that are unknown or malformed are ignored, as the RFC demands; `Preference-Applied` tells what
//! counted.

use crate::changes_only;
use crate::http::Headers;
use crate::known_versions::{self, KnownVersions};

/// What the client prefers. Defaults are those of a request without the header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefer {
    /// `return=representation`: answer a write with the row.
    pub representation: bool,
    /// `flette.changes-only`: of the row only what differs from the version that an update named; see
    /// [`crate::changes_only`]. Told by who applies it, not by [`Prefer::applied`].
    pub changes_only: bool,
    /// `flette.known-versions`: rows of changes that need not be told of; see [`crate::known_versions`].
    pub known_versions: KnownVersions,
    /// `odata.maxpagesize`: most rows in one page, at least 1. The service's own limit is not applied here.
    pub page_size_max: Option<u32>,
    /// `odata.track-changes`: answer with a delta link.
    pub track_changes: bool,
    /// `odata.include-annotations`: which annotations to write.
    pub annotations: Annotations,
    /// `odata.continue-on-error`: go on after a failed part of a batch.
    pub continue_on_error: bool,
}

/// Which annotations a client wants: names, or patterns such as `*` and `OData.Community.Display.V1.*`; a
/// leading `-` takes one out. The most specific pattern that fits decides (OData 4.0 Part 1 §8.2.8.4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    patterns: Vec<String>,
}

/// Preferences read from one request at most; more are ignored.
pub const PREFERENCES_MAX: usize = 64;

impl Annotations {
    /// No annotation but those that are always sent (`@odata.etag`, context, links).
    pub fn none() -> Annotations {
        Annotations::default()
    }

    /// Every annotation.
    pub fn all() -> Annotations {
        Annotations { patterns: vec!["*".to_owned()] }
    }

    /// Reads a comma list of patterns, quotes already removed; what is no name is left out.
    pub fn parse(list: &str) -> Annotations {
        // They are echoed in a header, so nothing goes through that could end one.
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'*' | b'#');
        let patterns = list.split(',').map(str::trim).filter(|p| !p.is_empty() && p.bytes().all(plain));
        Annotations { patterns: patterns.take(PREFERENCES_MAX).map(str::to_owned).collect() }
    }

    /// Whether no annotation is wanted.
    pub fn is_none(&self) -> bool {
        self.patterns.iter().all(|p| p.starts_with('-'))
    }

    /// Whether an annotation is wanted, by its name without `@`
    /// (`OData.Community.Display.V1.FormattedValue`). Case counts.
    pub fn includes(&self, name: &str) -> bool {
        let mut best = None;
        for pattern in &self.patterns {
            let (wanted, pattern) = match pattern.strip_prefix('-') {
                Some(rest) => (false, rest),
                None => (true, pattern.as_str()),
            };
            if let Some(weight) = specificity(pattern, name) {
                if best.is_none_or(|(most, _)| weight >= most) {
                    best = Some((weight, wanted));
                }
            }
        }
        best.is_some_and(|(_, wanted)| wanted)
    }
}

impl Annotations {
    /// Whether an annotation is wanted by a pattern that says more than `*`: for annotations that only those who know
    /// of them shall see.
    pub fn names(&self, name: &str) -> bool {
        let known = self.patterns.iter().filter(|pattern| pattern.trim_start_matches('-') != "*");
        let known = Annotations { patterns: known.cloned().collect() };
        known.includes(name)
    }
}

/// How closely a pattern fits a name: `None` when it does not, else more for a longer prefix, most for the
/// name itself.
fn specificity(pattern: &str, name: &str) -> Option<usize> {
    if pattern == name {
        return Some(usize::MAX);
    }
    let prefix = pattern.strip_suffix('*')?;
    let whole_part = prefix.is_empty() || prefix.ends_with('.');
    (whole_part && name.starts_with(prefix)).then_some(prefix.len())
}

impl Prefer {
    /// Reads every `Prefer` header of a request. Of a preference given twice the first counts.
    pub fn parse(headers: &Headers) -> Prefer {
        let mut prefer = Prefer::default();
        let mut seen: Vec<String> = Vec::new();
        for preference in headers.all("Prefer").flat_map(split_list).take(PREFERENCES_MAX) {
            let (name, value) = name_and_value(preference);
            if name.is_empty() || seen.contains(&name) {
                continue;
            }
            prefer.set(&name, &value);
            seen.push(name);
        }
        prefer
    }

    fn set(&mut self, name: &str, value: &str) {
        let switched_on = !value.eq_ignore_ascii_case("false");
        match name.strip_prefix("odata.").unwrap_or(name) {
            "return" => self.representation = value.eq_ignore_ascii_case("representation"),
            "maxpagesize" => self.page_size_max = value.parse().ok().filter(|size| *size > 0),
            "track-changes" => self.track_changes = switched_on,
            "continue-on-error" => self.continue_on_error = switched_on,
            changes_only::PREFERENCE => self.changes_only = switched_on,
            known_versions::PREFERENCE => self.known_versions = KnownVersions::parse(value),
            "include-annotations" => self.annotations = Annotations::parse(value),
            _ => {}
        }
    }

    /// The value of `Preference-Applied`; `None` when nothing was preferred. Callers that did not apply one
    /// of them clear it first.
    pub fn applied(&self) -> Option<String> {
        let mut applied = Vec::new();
        if self.representation {
            applied.push("return=representation".to_owned());
        }
        if self.track_changes {
            applied.push("odata.track-changes".to_owned());
        }
        if let Some(size) = self.page_size_max {
            applied.push(format!("odata.maxpagesize={size}"));
        }
        if !self.annotations.patterns.is_empty() {
            applied.push(format!("odata.include-annotations=\"{}\"", self.annotations.patterns.join(",")));
        }
        if self.continue_on_error {
            applied.push("odata.continue-on-error".to_owned());
        }
        (!applied.is_empty()).then(|| applied.join(","))
    }
}

/// Splits at commas outside quotes. An unclosed quote runs to the end.
pub(crate) fn split_list(header: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(header);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut quoted = false;
        let mut escaped = false;
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b',' if !quoted => {
                    rest = Some(&text[at + 1..]);
                    return Some(&text[..at]);
                }
                _ => {}
            }
        }
        rest = None;
        Some(text)
    })
}

/// `name=value; parameters` as lower-case name and value without quotes; parameters mean nothing to this
/// service.
pub(crate) fn name_and_value(preference: &str) -> (String, String) {
    let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
    let name = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let value = value.trim();
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default(),
        None => value.split(';').next().unwrap_or_default().trim(),
    };
    (name, value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(values: &[&str]) -> Prefer {
        Prefer::parse(&values.iter().map(|v| ("prefer", *v)).collect())
    }

    #[test]
    fn preferences_are_read_from_every_form_clients_send() {
        fn check(values: &[&str], applied: &str) {
            assert_eq!(parse(values).applied().unwrap_or_default(), applied, "{values:?}");
        }
        check(&[], "");
        check(&[""], "");
        check(&["return=representation"], "return=representation");
        check(&["Return = Representation"], "return=representation");
        check(&["return=minimal"], "");
        check(&["return=minimal,return=representation"], "");
        check(&["odata.maxpagesize=3"], "odata.maxpagesize=3");
        check(&["odata.maxpagesize=0"], "");
        check(&["odata.maxpagesize=-1"], "");
        check(&["odata.maxpagesize=99999999999"], "");
        check(&["odata.track-changes,odata.maxpagesize=1000"], "odata.track-changes,odata.maxpagesize=1000");
        check(&["odata.track-changes", "odata.maxpagesize=5"], "odata.track-changes,odata.maxpagesize=5");
        check(&["odata.continue-on-error"], "odata.continue-on-error");
        check(&["odata.continue-on-error=false"], "");
        check(&["odata.include-annotations=\"*\""], "odata.include-annotations=\"*\"");
        check(&["odata.include-annotations=*"], "odata.include-annotations=\"*\"");
        check(
            &["odata.include-annotations=\"a.b,c.*\", return=representation"],
            "return=representation,odata.include-annotations=\"a.b,c.*\"",
        );
        check(&["wait=100, respond-async; x=\"a,b\", return=representation"], "return=representation");
        check(
            &["odata.include-annotations=\"unclosed, return=representation"],
            "odata.include-annotations=\"unclosed\"",
        );
        check(&["odata.include-annotations=\"a\rb,é,c d\""], "");
    }

    #[test]
    fn the_most_specific_pattern_decides() {
        fn check(list: &str, name: &str, expected: bool) {
            assert_eq!(Annotations::parse(list).includes(name), expected, "{list} {name}");
        }
        let formatted = "OData.Community.Display.V1.FormattedValue";
        check("", formatted, false);
        check("*", formatted, true);
        check(formatted, formatted, true);
        check("OData.Community.Display.V1.*", formatted, true);
        check("OData.*", formatted, true);
        check("OData.Comm*", formatted, false);
        check("Microsoft.Dynamics.CRM.*", formatted, false);
        check("*,-OData.*", formatted, false);
        check("OData.*,-OData.*", formatted, false);
        check("-OData.*,OData.*", formatted, true);
        check("*,-OData.*", "Microsoft.Dynamics.CRM.lookuplogicalname", true);
        check(&format!("-*,{formatted}"), formatted, true);
        check(&format!("{formatted},-*"), formatted, true);
        for (list, named) in [
            ("*", false),
            ("", false),
            ("*,-Flette.*", false),
            ("Flette.*", true),
            ("Flette.ModifiedOn", true),
            ("*,Flette.ModifiedOn", true),
            ("Flette.*,-Flette.ModifiedOn", false),
            ("-*,Flette.ModifiedOn", true),
        ] {
            assert_eq!(Annotations::parse(list).names("Flette.ModifiedOn"), named, "{list}");
        }
        assert!(Annotations::none().is_none());
        assert!(Annotations::parse("-*").is_none());
        assert!(!Annotations::all().is_none());
    }

    proptest::proptest! {
        #[test]
        fn what_was_applied_reads_the_same_in_a_safe_header(any in "\\PC{0,60}", list in "[ -~\r\n]{0,20}") {
            for value in [any, format!("odata.include-annotations=\"{list}\",return=representation")] {
                let prefer = parse(&[&value]);
                let applied = prefer.applied().unwrap_or_default();
                proptest::prop_assert!(applied.bytes().all(|b| (b' '..=b'~').contains(&b)));
                proptest::prop_assert_eq!(parse(&[&applied]), prefer);
            }
        }
    }
}
