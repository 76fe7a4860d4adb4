//! Comparison of texts and values: the one rule of both sides, so that a filter or an order gives the same
//! rows offline and online.
//!
//! Texts are compared without case: every character is replaced by its lower case (Unicode), on its own, and
//! then code points are compared. No locale, no accents folded, no normalisation.

use crate::render::Cell;
use crate::value::Value;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// The text in lower case. Character by character, unlike `str::to_lowercase`, which looks at what stands
/// around a sigma: a part of a text must fold as it does inside the whole. The final sigma `ς` therefore
/// folds to `σ`.
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    Cow::Owned(folded_chars(text).collect())
}

/// Order of two texts without case; `Equal` exactly when their folds are equal.
pub fn compare(left: &str, right: &str) -> Ordering {
    if left.is_ascii() && right.is_ascii() {
        // Most pairs differ early: compare byte by byte without building anything.
        for (a, b) in left.bytes().zip(right.bytes()) {
            match a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
        }
        return left.len().cmp(&right.len());
    }
    folded_chars(left).cmp(folded_chars(right))
}

/// Whether the text holds the pattern somewhere. The empty pattern is in every text.
pub fn contains(text: &str, pattern: &str) -> bool {
    fold(text).contains(&*fold(pattern))
}

/// Whether the text begins with the pattern.
pub fn starts_with(text: &str, pattern: &str) -> bool {
    let mut text = folded_chars(text);
    folded_chars(pattern).all(|wanted| text.next() == Some(wanted))
}

/// Whether the text ends with the pattern.
pub fn ends_with(text: &str, pattern: &str) -> bool {
    fold(text).ends_with(&*fold(pattern))
}

/// Whether the whole text fits a pattern of `LIKE` (Transact-SQL): `%` is any text, `_` one character, `[abc]` and
/// `[a-c]` one of a set, `[^a-c]` one outside it; a bracket that is not closed is an ordinary character. Without
/// case. Takes time of the order of both lengths multiplied.
pub fn like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = folded_chars(text).collect();
    let pattern: Vec<char> = folded_chars(pattern).collect();
    let (mut at, mut here) = (0, 0);
    // Where to go on when what follows the last `%` does not fit: one character further.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let fits = match pattern.get(at) {
            Some('%') => {
                retry = Some((at + 1, here));
                at += 1;
                continue;
            }
            None if here == text.len() => return true,
            None => None,
            Some(_) => text.get(here).and_then(|c| fits_one(*c, &pattern[at..])),
        };
        match (fits, retry) {
            (Some(length), _) => {
                at += length;
                here += 1;
            }
            (None, Some((after, from))) if from < text.len() => {
                retry = Some((after, from + 1));
                (at, here) = (after, from + 1);
            }
            (None, _) => return false,
        }
    }
}

/// Whether a character fits the head of a pattern, which is not `%`; how long that head is.
fn fits_one(c: char, pattern: &[char]) -> Option<usize> {
    let (first, rest) = pattern.split_first()?;
    match first {
        '_' => Some(1),
        // A closing bracket right after the opening one ends nothing: `[]` is never closed.
        '[' => match rest.iter().position(|c| *c == ']').filter(|at| *at > 0) {
            Some(end) => {
                let set = &rest[..end];
                let (negated, set) = match set.split_first() {
                    Some(('^', set)) if !set.is_empty() => (true, set),
                    _ => (false, set),
                };
                (in_set(c, set) != negated).then_some(end + 2)
            }
            None => (c == '[').then_some(1),
        },
        first => (c == *first).then_some(1),
    }
}

fn in_set(c: char, set: &[char]) -> bool {
    match set {
        [] => false,
        [from, '-', to, rest @ ..] => (*from <= c && c <= *to) || in_set(c, rest),
        [one, rest @ ..] => *one == c || in_set(c, rest),
    }
}

/// Total order of a column's values for `$orderby` ascending: no value first, then numbers by size (whatever
/// their kind), options by number, `false` before `true`, texts as in [`compare`], keys and lookups by the
/// bytes of the id, dates and instants by time.
pub fn value_order(left: &Value, right: &Value) -> Ordering {
    cell_order(Cell::from(left), Cell::from(right))
}

/// The same for borrowed values.
pub fn cell_order(left: Cell<'_>, right: Cell<'_>) -> Ordering {
    compare_cells(left, right).unwrap_or_else(|| rank(left).cmp(&rank(right)))
}

/// Order of two values that can be compared; `None` for a null, or kinds that have nothing in common.
pub fn compare_values(left: &Value, right: &Value) -> Option<Ordering> {
    compare_cells(Cell::from(left), Cell::from(right))
}

/// The same for borrowed values.
pub fn compare_cells(left: Cell<'_>, right: Cell<'_>) -> Option<Ordering> {
    use Cell::{Bool, Date, DateTime, Decimal, Double, Guid, Int, Lookup, Text};
    Some(match (left, right) {
        (Bool(a), Bool(b)) => a.cmp(&b),
        (Int(a), Int(b)) => a.cmp(&b),
        (Decimal(a), Decimal(b)) => a.cmp(&b),
        (Int(a), Decimal(b)) => crate::Decimal::from(a).cmp(&b),
        (Decimal(a), Int(b)) => a.cmp(&crate::Decimal::from(b)),
        (Double(a), Double(b)) => compare_doubles(a, b),
        (Double(a), Int(_) | Decimal(_)) => compare_doubles(a, double(right)?),
        (Int(_) | Decimal(_), Double(b)) => compare_doubles(double(left)?, b),
        (Text(a), Text(b)) => compare(a, b),
        (Guid(a) | Lookup { id: a, .. }, Guid(b) | Lookup { id: b, .. }) => a.cmp(&b),
        (DateTime(a), DateTime(b)) => a.cmp(&b),
        (Date(a), Date(b)) => a.cmp(&b),
        (Date(a), DateTime(b)) => midnight(a).cmp(&b),
        (DateTime(a), Date(b)) => a.cmp(&midnight(b)),
        _ => return None,
    })
}

/// Zeros of both signs are one number; a NaN, which no column holds, still has its place.
fn compare_doubles(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| left.total_cmp(&right))
}

/// The nearest floating point number.
fn double(cell: Cell<'_>) -> Option<f64> {
    match cell {
        Cell::Int(number) => number.to_string().parse().ok(),
        Cell::Decimal(number) => number.to_string().parse().ok(),
        Cell::Double(number) => Some(number),
        _ => None,
    }
}

fn midnight(days: i32) -> i64 {
    i64::from(days) * crate::time::DAY_MILLIS
}

/// Order between kinds; the same for kinds that can be compared.
fn rank(cell: Cell<'_>) -> u8 {
    match cell {
        Cell::Null => 0,
        Cell::Bool(_) => 1,
        Cell::Int(_) | Cell::Decimal(_) | Cell::Double(_) => 2,
        Cell::Date(_) | Cell::DateTime(_) => 3,
        Cell::Text(_) => 4,
        Cell::Guid(_) | Cell::Lookup { .. } => 5,
    }
}

/// Puts a value into a hash that is the same for values that [`cell_order`] finds equal, as far as they are of one
/// column.
pub fn hash_cell(cell: Cell<'_>, hasher: &mut impl Hasher) {
    rank(cell).hash(hasher);
    match cell {
        Cell::Null => {}
        Cell::Bool(value) => value.hash(hasher),
        Cell::Int(number) | Cell::DateTime(number) => number.hash(hasher),
        Cell::Date(days) => days.hash(hasher),
        Cell::Decimal(number) => Key::number(number).hash(hasher),
        Cell::Double(number) => (number + 0.0).to_bits().hash(hasher),
        Cell::Text(text) => hash_folded(text, hasher),
        Cell::Guid(id) | Cell::Lookup { id, .. } => id.hash(hasher),
    }
}

/// A text's fold, eight bytes at a time.
fn hash_folded(text: &str, hasher: &mut impl Hasher) {
    let folded = if text.is_ascii() { Cow::Borrowed(text) } else { fold(text) };
    for bytes in folded.as_bytes().chunks(8) {
        let mut eight = [0; 8];
        eight[..bytes.len()].copy_from_slice(bytes);
        eight.make_ascii_lowercase();
        hasher.write_u64(u64::from_le_bytes(eight));
    }
}

/// What makes values alike, to be looked up: two values that can be compared are equal exactly when their keys are.
/// (Whole numbers beyond 2^53 against floating point ones apart, which no query compares.)
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// No value.
    Null,
    /// Two options.
    Bool(bool),
    /// A number: digits without zeros at the end, and how many of them stand after the point.
    Number(i128, u8),
    /// A floating point number that is no such number.
    Real(u64),
    /// A folded text.
    Text(String),
    /// A key or lookup.
    Id(uuid::Uuid),
    /// An instant or day, milliseconds.
    Time(i64),
}

impl Key {
    /// The key of a value.
    pub fn of(cell: Cell<'_>) -> Key {
        match cell {
            Cell::Null => Key::Null,
            Cell::Bool(value) => Key::Bool(value),
            Cell::Int(number) => Key::number(crate::Decimal::from(number)),
            Cell::Decimal(number) => Key::number(number),
            Cell::Double(number) => match crate::Decimal::parse(&format!("{number}")) {
                Some(exact) => Key::number(exact),
                // Zeros of both signs are one number.
                None => Key::Real((number + 0.0).to_bits()),
            },
            Cell::Text(text) => Key::Text(fold(text).into_owned()),
            Cell::Guid(id) | Cell::Lookup { id, .. } => Key::Id(id),
            Cell::DateTime(at) => Key::Time(at),
            Cell::Date(days) => Key::Time(midnight(days)),
        }
    }

    fn number(number: crate::Decimal) -> Key {
        let number = number.normalized();
        Key::Number(number.mantissa(), number.scale())
    }
}

fn folded_chars(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::EntityRef;
    use proptest::prelude::*;
    use uuid::Uuid;

    #[test]
    fn texts_compare_without_case_and_without_locale() {
        fn check(left: &str, right: &str, expected: Ordering) {
            assert_eq!(compare(left, right), expected, "{left:?} {right:?}");
            assert_eq!(compare(right, left), expected.reverse(), "{right:?} {left:?}");
        }
        check("", "", Ordering::Equal);
        check("", "a", Ordering::Less);
        check("Sample", "sAMPLE", Ordering::Equal);
        check("a", "B", Ordering::Less);
        check("_", "A", Ordering::Less);
        check("ab", "A", Ordering::Greater);
        check("ÅSE", "åse", Ordering::Equal);
        check("ΟΔΟΣ", "οδος", Ordering::Equal);
        check("straße", "STRASSE", Ordering::Greater);
        check("e\u{301}", "é", Ordering::Less);
        check("z", "å", Ordering::Less);
        check("\u{ffff}", "\u{10000}", Ordering::Less);
    }

    #[test]
    fn patterns_are_literal_and_without_case() {
        assert!(contains("Sample Ltd", "E L"));
        assert!(contains("x", ""));
        assert!(!contains("100", "%"));
        assert!(starts_with("Ølstykke", "øL"));
        assert!(!starts_with("a", "ab"));
        assert!(ends_with("ΟΔΟΣ", "δος"));
        assert!(!ends_with("abc", "ab"));
    }

    #[test]
    fn wildcards_of_like_fit_the_whole_text() {
        fn check(text: &str, pattern: &str, expected: bool) {
            assert_eq!(like(text, pattern), expected, "{text:?} {pattern:?}");
        }
        check("", "", true);
        check("", "%", true);
        check("", "_", false);
        check("Sample Ltd", "sample%", true);
        check("Sample Ltd", "%LTD", true);
        check("Sample Ltd", "%p%e l%", true);
        check("Sample Ltd", "ample", false);
        check("Sample", "s_mp__", true);
        check("Sample", "s_mp_", false);
        check("aab", "%ab", true);
        check("abab", "%ab", true);
        check("abac", "%ab", false);
        check("100%", "100[%]", true);
        check("1000", "100[%]", false);
        check("a_b", "a[_]b", true);
        check("axb", "a[_]b", false);
        check("b", "[a-c]", true);
        check("B", "[a-c]", true);
        check("d", "[a-c]", false);
        check("d", "[^a-c]", true);
        check("b", "[^a-c]", false);
        check("-", "[a-]", true);
        check("^", "[^]", true);
        check("[x", "[x", true);
        check("[]", "[]", true);
        check("Ærø", "æ_Ø", true);
        check(&"a".repeat(2000), &format!("{}b", "%a".repeat(100)), false);
    }

    #[test]
    fn values_are_ordered_by_what_they_mean() {
        let decimal = |text: &str| Value::Decimal(crate::Decimal::parse(text).unwrap());
        let lookup = |n: u128| Value::Lookup(EntityRef { table: "x".into(), id: Uuid::from_u128(n) });
        for (less, more) in [
            (Value::Null, Value::Bool(false)),
            (Value::Bool(false), Value::Bool(true)),
            (Value::Int(-1), Value::Int(2)),
            (Value::Int(9), Value::Int(10)),
            (decimal("9.5"), decimal("10.25")),
            (Value::Int(1), decimal("1.5")),
            (Value::Double(-0.5), Value::Int(0)),
            (Value::Text("a".into()), Value::Text("B".into())),
            (Value::Date(1), Value::DateTime(crate::time::DAY_MILLIS + 1)),
            (lookup(1), lookup(2)),
            (Value::Guid(Uuid::from_u128(1)), lookup(2)),
        ] {
            assert_eq!(value_order(&less, &more), Ordering::Less, "{less:?} {more:?}");
            assert_eq!(value_order(&more, &less), Ordering::Greater, "{more:?} {less:?}");
        }
        assert_eq!(value_order(&Value::Null, &Value::Null), Ordering::Equal);
        assert_eq!(value_order(&decimal("1.50"), &decimal("1.5")), Ordering::Equal);
        assert_eq!(value_order(&Value::Double(0.0), &Value::Double(-0.0)), Ordering::Equal);
    }

    #[test]
    fn keys_are_equal_exactly_when_values_are() {
        let decimal = |text: &str| Value::Decimal(crate::Decimal::parse(text).unwrap());
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Int(1),
            Value::Int(10),
            decimal("1.00"),
            decimal("1.5"),
            decimal("10"),
            Value::Double(1.0),
            Value::Double(1.5),
            Value::Double(1e300),
            Value::Double(0.0),
            Value::Double(-0.0),
            Value::Text("Å".into()),
            Value::Text("å".into()),
            Value::Guid(Uuid::from_u128(1)),
            Value::Lookup(EntityRef { table: "x".into(), id: Uuid::from_u128(1) }),
            Value::Date(1),
            Value::DateTime(crate::time::DAY_MILLIS),
        ];
        for left in &values {
            for right in &values {
                let alike = value_order(left, right).is_eq();
                let keys = Key::of(Cell::from(left)) == Key::of(Cell::from(right));
                assert_eq!(keys, alike, "{left:?} {right:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn equal_means_equal_folds(left in "\\PC{0,8}", right in "\\PC{0,8}") {
            prop_assert_eq!(compare(&left, &right), fold(&left).cmp(&fold(&right)));
            prop_assert_eq!(compare(&left, &fold(&left)), Ordering::Equal);
            let folded = fold(&left).into_owned();
            prop_assert_eq!(&*fold(&folded), &*folded);
        }

        #[test]
        fn a_part_is_found_in_the_whole(before in "\\PC{0,5}", part in "\\PC{0,5}", after in "\\PC{0,5}") {
            let plain = format!("{before}{part}{after}");
            prop_assert!(contains(&plain, &part));
            prop_assert!(starts_with(&plain, &before) && ends_with(&plain, &after));
        }
    }
}
