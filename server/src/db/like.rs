//! Patterns of Transact-SQL's `LIKE` as regular expressions of PostgreSQL ("Regular Expression Details",
//! advanced ones), so that they mean what `flette_odata::collate::like` means.

/// No text matches it.
const NOTHING: &str = "(?=a)b";

/// The expression that fits the texts which the pattern fits. Every character stands as its number: none has
/// a meaning of its own.
pub(super) fn expression(pattern: &str) -> String {
    let pattern: Vec<char> = pattern.chars().collect();
    let mut rest = &pattern[..];
    let mut out = String::from("^");
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            // A closing bracket right after the opening one ends nothing.
            '[' => match after.iter().position(|c| *c == ']').filter(|at| *at > 0) {
                Some(end) => {
                    set(&mut out, &after[..end]);
                    rest = &after[end + 1..];
                }
                None => character(&mut out, '['),
            },
            other => character(&mut out, *other),
        }
    }
    out.push('$');
    out
}

fn character(out: &mut String, c: char) {
    out.push_str(&format!("\\U{:08X}", u32::from(c)));
}

fn set(out: &mut String, set: &[char]) {
    let (negated, mut rest) = match set.split_first() {
        Some(('^', inner)) if !inner.is_empty() => (true, inner),
        _ => (false, set),
    };
    let mut items = String::new();
    while let Some((first, after)) = rest.split_first() {
        match after {
            ['-', last, ..] => {
                // A range that ends before it begins holds nothing; PostgreSQL would refuse it.
                if first <= last {
                    character(&mut items, *first);
                    items.push('-');
                    character(&mut items, *last);
                }
                rest = &after[2..];
            }
            _ => {
                character(&mut items, *first);
                rest = after;
            }
        }
    }
    match (items.is_empty(), negated) {
        (false, false) => out.push_str(&format!("[{items}]")),
        (false, true) => out.push_str(&format!("[^{items}]")),
        (true, false) => out.push_str(NOTHING),
        (true, true) => out.push('.'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_become_expressions_and_characters_numbers() {
        fn check(pattern: &str, expected: &str) {
            assert_eq!(expression(pattern), expected, "{pattern}");
        }
        check("", "^$");
        check("%_", "^.*.$");
        check("a", "^\\U00000061$");
        check("$", "^\\U00000024$");
        check("[a-c]", "^[\\U00000061-\\U00000063]$");
        check("[^a]", "^[^\\U00000061]$");
        check("[^]", "^[\\U0000005E]$");
        check("[c-a]", "^(?=a)b$");
        check("[^c-a]", "^.$");
        check("[]", "^\\U0000005B\\U0000005D$");
    }
}
