//! Versions of rows that a reader of changes has already. An extension that Dataverse does not have.
//!
//! Whoever changes rows and then asks what changed is told of his own changes, though the answers to them have told him all
//! of it. A server that announces [`NAME`] in [`crate::stamps::EXTENSIONS_HEADER`] leaves out of a delta rows that stand at
//! a version which the request names in [`PREFERENCE`]. A version is the number in a row's etag (`W/"17"`); no two states
//! of rows share one. It is a wish like any other: a server may tell of such a row all the same.

use crate::ordered;
use std::cmp::Reverse;
use std::ops::RangeInclusive;

/// The extension.
pub const NAME: &str = "known-versions";
/// What names the versions: `flette.known-versions="1201-1300,1305"`.
pub const PREFERENCE: &str = "flette.known-versions";
/// Most ranges that are named or read: a header must stay short.
pub const RANGES_MAX: usize = 100;

/// Versions, as ranges of numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownVersions {
    /// In rising order, with gaps between them.
    ranges: Vec<(i64, i64)>,
}

impl KnownVersions {
    /// None.
    pub const fn none() -> KnownVersions {
        KnownVersions { ranges: Vec::new() }
    }

    /// Those of a rising list, as far as [`RANGES_MAX`] ranges hold them: the widest ones.
    pub fn new(rising: impl IntoIterator<Item = i64>) -> KnownVersions {
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        for version in rising {
            match ranges.last_mut() {
                Some((_, last)) if version.checked_sub(1) == Some(*last) => *last = version,
                Some((_, last)) if version <= *last => {}
                _ => ranges.push((version, version)),
            }
        }
        if ranges.len() > RANGES_MAX {
            ranges = ordered::list_by_key(ranges, |(first, last)| Reverse(last.saturating_sub(*first)));
            ranges.truncate(RANGES_MAX);
            ranges = ordered::list_by_key(ranges, |(first, _)| *first);
        }
        KnownVersions { ranges }
    }

    /// Reads what [`KnownVersions::to_text`] writes. What is malformed, or longer than it may be, names none.
    pub fn parse(text: &str) -> KnownVersions {
        let number = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten()
        };
        let range = |text: &str| match text.split_once('-') {
            Some((first, last)) => Some((number(first)?, number(last)?)),
            None => number(text).map(|only| (only, only)),
        };
        let ranges: Option<Vec<(i64, i64)>> = text.split(',').take(RANGES_MAX + 1).map(range).collect();
        let in_order = |ranges: &Vec<(i64, i64)>| {
            ranges.len() <= RANGES_MAX
                && ranges.iter().all(|(first, last)| first <= last)
                && ranges.windows(2).all(|pair| pair[0].1 < pair[1].0)
        };
        KnownVersions { ranges: ranges.filter(in_order).unwrap_or_default() }
    }

    /// The ranges, parted by commas; empty where none is known.
    pub fn to_text(&self) -> String {
        let text = |(first, last): &(i64, i64)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        };
        self.ranges.iter().map(text).collect::<Vec<_>>().join(",")
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether a version is among them.
    pub fn contains(&self, version: i64) -> bool {
        let after = self.ranges.partition_point(|(first, _)| *first <= version);
        after.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|(_, last)| version <= *last)
    }

    /// The widest range, the first of those.
    pub fn widest(&self) -> Option<RangeInclusive<i64>> {
        let widths = self.ranges.iter().map(|(first, last)| last.saturating_sub(*first));
        let most = widths.clone().max()?;
        let at = widths.into_iter().position(|width| width == most)?;
        self.ranges.get(at).map(|(first, last)| *first..=*last)
    }
}

/// The version in an etag of a server that announces the extension.
pub fn version_of(etag: &str) -> Option<i64> {
    etag.strip_prefix("W/\"")?.strip_suffix('"')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_a_row_are_one_range() {
        fn check(versions: &[i64], text: &str) {
            let known = KnownVersions::new(versions.iter().copied());
            assert_eq!(known.to_text(), text, "{versions:?}");
            assert_eq!(KnownVersions::parse(text), known, "{text}");
            let around = versions.iter().flat_map(|version| [version - 1, *version, version + 1]);
            around.for_each(|version| assert_eq!(known.contains(version), versions.contains(&version)));
        }
        check(&[], "");
        check(&[7], "7");
        check(&[7, 7], "7");
        check(&[1, 2, 3, 7, 9, 10], "1-3,7,9-10");
    }

    #[test]
    fn of_too_many_ranges_the_widest_are_kept() {
        let many = (0..300).flat_map(|n| if n % 3 == 0 { vec![n * 10, n * 10 + 1] } else { vec![n * 10] });
        let known = KnownVersions::new(many);
        assert_eq!(known.to_text().split(',').count(), RANGES_MAX);
        assert!(known.contains(31) && known.contains(2970) && !known.contains(10) && !known.contains(32));
        assert_eq!(known.widest(), Some(0..=1));
        assert_eq!(KnownVersions::new([1, 5, 6, 7, 9]).widest(), Some(5..=7));
        assert_eq!(KnownVersions::default().widest(), None);
    }

    #[test]
    fn what_is_malformed_names_nothing() {
        let many = (0..=RANGES_MAX).map(|n| (n * 2).to_string()).collect::<Vec<_>>().join(",");
        for text in
            ["", "a", "1-", "-1", "3-2", "1,1", "2,1", "1-5,4", "1, 2", "+1", "99999999999999999999", &many]
        {
            assert!(KnownVersions::parse(text).is_empty(), "{text}");
        }
        assert!(!KnownVersions::parse("1-5,6").contains(7));
    }

    #[test]
    fn only_etags_of_a_number_have_a_version() {
        for (etag, version) in [
            ("W/\"17\"", Some(17)),
            ("W/\"local-1\"", None),
            ("\"17\"", None),
            ("W/\"17", None),
            ("", None),
            ("W/\"\"", None),
        ] {
            assert_eq!(version_of(etag), version, "{etag}");
        }
    }
}
