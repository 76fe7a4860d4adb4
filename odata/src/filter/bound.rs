//! Literals finer or larger than a column's values: `numberofemployees gt 11.5` means `numberofemployees gt
//! 11`.
//!
//! Rewritten while parsing, so that whoever evaluates a filter (scan, SQL) meets values of the column's own
//! type only.

use super::{CompareOp, Filter};
use crate::decimal::{Decimal, DECIMAL_DIGITS_MAX, DECIMAL_SCALE_MAX};
use crate::time::DAY_MILLIS;
use crate::value::Value;

/// Where a literal stands among the values that a column can hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bound {
    /// It is one of them, or null.
    At(Value),
    /// It lies between this one and the next.
    JustAbove(Value),
    /// Below all of them.
    Below,
    /// Above all of them.
    Above,
}

impl Bound {
    /// The same condition on values of the column's type. Two-valued, as in [`super::matches`]: what no row
    /// can fulfil is `false`, what every value fulfils still needs a value.
    pub(super) fn compare(self, column: &str, op: CompareOp) -> Filter {
        use CompareOp::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        let compare = |op, value| Filter::Compare { column: column.to_owned(), op, value };
        match (self, op) {
            (Bound::At(value), op) => compare(op, value),
            (Bound::JustAbove(_) | Bound::Above | Bound::Below, Equal) => Filter::Always(false),
            (Bound::JustAbove(_) | Bound::Above | Bound::Below, NotEqual) => Filter::Always(true),
            (Bound::JustAbove(value), Greater | GreaterOrEqual) => compare(Greater, value),
            (Bound::JustAbove(value), Less | LessOrEqual) => compare(LessOrEqual, value),
            (Bound::Above, Greater | GreaterOrEqual) | (Bound::Below, Less | LessOrEqual) => {
                Filter::Always(false)
            }
            (Bound::Above, Less | LessOrEqual) | (Bound::Below, Greater | GreaterOrEqual) => {
                compare(NotEqual, Value::Null)
            }
        }
    }

    /// A number among whole numbers; `text` is well formed.
    pub(super) fn whole(text: &str) -> Bound {
        match text.parse() {
            Ok(number) => Bound::At(Value::Int(number)),
            Err(_) => Bound::floor(text, 0, |floor| i64::try_from(floor).ok().map(Value::Int)),
        }
    }

    /// A number among exact decimals; `text` is well formed.
    pub(super) fn decimal(text: &str) -> Bound {
        let scale = DECIMAL_SCALE_MAX;
        match Decimal::parse(text) {
            Some(number) => Bound::At(Value::Decimal(number)),
            None => Bound::floor(text, scale, |floor| Decimal::new(floor, scale).map(Value::Decimal)),
        }
    }

    /// An instant among dates.
    pub(super) fn date(millis: i64) -> Bound {
        match i32::try_from(millis.div_euclid(DAY_MILLIS)).map(Value::Date) {
            Ok(date) if millis.rem_euclid(DAY_MILLIS) == 0 => Bound::At(date),
            Ok(date) => Bound::JustAbove(date),
            Err(_) if millis < 0 => Bound::Below,
            Err(_) => Bound::Above,
        }
    }

    /// Rounds towards negative infinity to `scale` digits after the point.
    fn floor(text: &str, scale: u8, value: impl Fn(i128) -> Option<Value>) -> Bound {
        let (negative, text) = match text.strip_prefix(['+', '-']) {
            Some(rest) => (text.starts_with('-'), rest),
            None => (false, text),
        };
        let out_of_range = if negative { Bound::Below } else { Bound::Above };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let whole = whole.trim_start_matches('0');
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if digits.iter().all(|digit| *digit == b'0') {
            return value(0).map_or(out_of_range, Bound::At);
        }
        // An exponent that does not fit here moves the point beyond every limit, one way or the other.
        let far = if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
        let point = i64::try_from(whole.len()).unwrap_or(i64::MAX / 4);
        let kept = point.saturating_add(exponent.parse().unwrap_or(far)).saturating_add(i64::from(scale));
        let kept = usize::try_from(kept.max(0)).unwrap_or(usize::MAX);
        // Leading zeros of a fraction (`0.000…1`) are digits too, but do not count against the limit.
        let leading = digits.iter().take_while(|digit| **digit == b'0').count();
        if kept.saturating_sub(leading) > DECIMAL_DIGITS_MAX {
            return out_of_range;
        }
        let mut floor: i128 = 0;
        for at in leading..kept {
            floor = floor * 10 + i128::from(digits.get(at).map_or(0, |digit| digit - b'0'));
        }
        let exact = digits.iter().skip(kept).all(|digit| *digit == b'0');
        let floor = if negative { -floor - i128::from(!exact) } else { floor };
        match value(floor) {
            Some(value) if exact => Bound::At(value),
            Some(value) => Bound::JustAbove(value),
            None => out_of_range,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_find_their_place() {
        fn check(text: &str, expected: Bound) {
            assert_eq!(Bound::whole(text), expected, "{text}");
        }
        let at = |number| Bound::At(Value::Int(number));
        let above = |number| Bound::JustAbove(Value::Int(number));
        check("12", at(12));
        check("+12", at(12));
        check("-0", at(0));
        check("12.0", at(12));
        check("12.5", above(12));
        check("-12.5", above(-13));
        check("-0.1", above(-1));
        check("0.1", above(0));
        check("1.5e1", at(15));
        check("1e-1", above(0));
        check("0e999999999999999999999", at(0));
        check("0.0", at(0));
        check("000000000000000000000000000000000000000000012", at(12));
        check("0.00000000000000000000000000000000000000001e41", at(1));
        check("1e999999999999999999999", Bound::Above);
        check("-1e999999999999999999999", Bound::Below);
        check("1e-999999999999999999999", above(0));
        check("-1e-999999999999999999999", above(-1));
        check("9223372036854775807", at(i64::MAX));
        check("9223372036854775807.5", above(i64::MAX));
        check("9223372036854775808", Bound::Above);
        check("-9223372036854775808.5", Bound::Below);
        check("99999999999999999999999999999999999999", Bound::Above);
    }

    #[test]
    fn decimals_and_dates_find_their_place() {
        let decimal = |text| Value::Decimal(Decimal::parse(text).unwrap());
        assert_eq!(Bound::decimal("5000000.0001"), Bound::At(decimal("5000000.0001")));
        assert_eq!(Bound::decimal("0.1234567890123"), Bound::JustAbove(decimal("0.123456789012")));
        assert_eq!(Bound::decimal("-0.1234567890123"), Bound::JustAbove(decimal("-0.123456789013")));
        assert_eq!(Bound::decimal("1e40"), Bound::Above);
        assert_eq!(Bound::decimal("-1e40"), Bound::Below);
        assert_eq!(Bound::date(DAY_MILLIS), Bound::At(Value::Date(1)));
        assert_eq!(Bound::date(DAY_MILLIS + 1), Bound::JustAbove(Value::Date(1)));
        assert_eq!(Bound::date(-1), Bound::JustAbove(Value::Date(-1)));
    }

    #[test]
    fn what_lies_between_or_beyond_becomes_a_plain_condition() {
        fn check(bound: Bound, expected: [&str; 6]) {
            let (table, schema) = (crate::fixture::account(), crate::fixture::schema());
            let found = CompareOp::ALL.map(|op| {
                let filter = bound.clone().compare("numberofemployees", op);
                super::super::print_filter(&filter, &table, &schema).replace("numberofemployees", "x")
            });
            assert_eq!(found, expected, "{bound:?}");
        }
        let five = || Value::Int(5);
        check(Bound::At(five()), ["x eq 5", "x ne 5", "x gt 5", "x ge 5", "x lt 5", "x le 5"]);
        check(Bound::JustAbove(five()), ["false", "true", "x gt 5", "x gt 5", "x le 5", "x le 5"]);
        check(Bound::Above, ["false", "true", "false", "false", "x ne null", "x ne null"]);
        check(Bound::Below, ["false", "true", "x ne null", "x ne null", "false", "false"]);
    }

    proptest! {
        #[test]
        fn the_floor_is_that_of_the_number(number: i32, thousandths in 1..1000_i64, whole: i64) {
            let millis = i64::from(number) * 1000 + thousandths;
            let text = format!("{}", Decimal::new(i128::from(millis), 3).unwrap());
            prop_assert_eq!(
                Bound::whole(&text),
                match millis % 1000 {
                    0 => Bound::At(Value::Int(millis / 1000)),
                    _ => Bound::JustAbove(Value::Int(millis.div_euclid(1000))),
                }
            );
            prop_assert_eq!(Bound::whole(&format!("{whole}.00")), Bound::At(Value::Int(whole)));
        }
    }
}
