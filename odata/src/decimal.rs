//! Exact decimal numbers: money and decimal columns never pass through a float.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;

/// `mantissa * 10^-scale`, exact. Dataverse decimals need 12 digits before and up to 10 after the point.
/// Equality and order are numeric (`1.50 == 1.5`); the text keeps the scale it was read with.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    mantissa: i128,
    scale: u8,
}

/// Most digits after the point that are kept.
pub const DECIMAL_SCALE_MAX: u8 = 12;
/// Most digits in all.
pub const DECIMAL_DIGITS_MAX: usize = 30;

impl Decimal {
    /// `mantissa * 10^-scale`; `None` when it has more digits than [`DECIMAL_DIGITS_MAX`] or [`DECIMAL_SCALE_MAX`].
    pub fn new(mantissa: i128, scale: u8) -> Option<Decimal> {
        let limit = 10u128.pow(30);
        (scale <= DECIMAL_SCALE_MAX && mantissa.unsigned_abs() < limit).then_some(Decimal { mantissa, scale })
    }

    /// Digits of the number without its point, signed.
    pub fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// Digits after the point, `0..=12`.
    pub fn scale(self) -> u8 {
        self.scale
    }

    /// Reads a JSON number or the same text with a leading `+`. Exponents are understood. `None` when it is no number,
    /// or cannot be held exactly within the limits.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (digits, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, digits) = match digits.as_bytes().first()? {
            b'-' => (true, &digits[1..]),
            b'+' => (false, &digits[1..]),
            _ => (false, digits),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() || digits.ends_with('.') {
            return None;
        }
        let mut mantissa: i128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
        }
        let mut scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        if mantissa == 0 {
            // Zero stays zero however often it is multiplied or divided, so that no loop below would end soon.
            scale = scale.clamp(0, i32::from(DECIMAL_SCALE_MAX));
        }
        while scale < 0 {
            mantissa = mantissa.checked_mul(10)?;
            scale += 1;
        }
        while scale > i32::from(DECIMAL_SCALE_MAX) && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Decimal::new(if negative { -mantissa } else { mantissa }, u8::try_from(scale).ok()?)
    }

    /// The sum, exact, with as many digits after the point as the finer of the two; `None` when it has more
    /// digits than [`DECIMAL_DIGITS_MAX`].
    pub fn plus(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale.max(other.scale);
        let widen = |d: Decimal| d.mantissa.checked_mul(10i128.pow(u32::from(scale - d.scale)));
        Decimal::new(widen(self)?.checked_add(widen(other)?)?, scale)
    }

    /// The same number with exactly `scale` digits after the point, rounded half away from zero where digits are cut.
    pub fn rescale(self, scale: u8) -> Decimal {
        let scale = scale.min(DECIMAL_SCALE_MAX);
        let mut mantissa = self.mantissa;
        if scale >= self.scale {
            mantissa = mantissa.saturating_mul(10i128.pow(u32::from(scale - self.scale)));
        } else {
            let unit = 10i128.pow(u32::from(self.scale - scale));
            let half = if mantissa < 0 { -unit / 2 } else { unit / 2 };
            mantissa = (mantissa + half) / unit;
        }
        Decimal { mantissa, scale }
    }

    /// The same number without zeros at the end.
    pub fn normalized(self) -> Decimal {
        let Decimal { mut mantissa, mut scale } = self;
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Decimal { mantissa, scale }
    }

    /// The quotient with exactly `scale` digits after the point, rounded half away from zero; `None` by zero, or when
    /// it does not fit.
    pub fn divided_by(self, divisor: Decimal, scale: u8) -> Option<Decimal> {
        let up = u32::from(scale) + u32::from(divisor.scale);
        let dividend = self.mantissa.checked_mul(10i128.checked_pow(up)?)?;
        let divisor = divisor.mantissa.checked_mul(10i128.checked_pow(u32::from(self.scale))?)?;
        let (quotient, rest) = (dividend.checked_div(divisor)?, dividend.checked_rem(divisor)?);
        let away = if (dividend < 0) == (divisor < 0) { 1 } else { -1 };
        let rounds = rest.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2);
        Decimal::new(if rounds { quotient.checked_add(away)? } else { quotient }, scale)
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Decimal {
        Decimal { mantissa: i128::from(number), scale: 0 }
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let scale = usize::from(self.scale);
        let digits = format!("{:0>width$}", self.mantissa.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        match fraction {
            "" => write!(f, "{sign}{whole}"),
            _ => write!(f, "{sign}{whole}.{fraction}"),
        }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let scale = self.scale.max(other.scale);
        let widen = |d: &Decimal| d.mantissa.saturating_mul(10i128.pow(u32::from(scale - d.scale)));
        // Mantissas stay below 10^30 and scales below 13, so the product cannot pass 10^42 > i128: saturation keeps
        // the order for the few numbers that reach it, since both sides then differ in their leading digits.
        match (self.mantissa.signum(), other.mantissa.signum()) {
            (a, b) if a != b => a.cmp(&b),
            _ => widen(self).cmp(&widen(other)).then_with(|| {
                let whole = |d: &Decimal| d.mantissa / 10i128.pow(u32::from(d.scale));
                whole(self).cmp(&whole(other))
            }),
        }
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Decimal::parse(&text).ok_or_else(|| serde::de::Error::custom("not a decimal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_within_the_limits() {
        let decimal = |text: &str| Decimal::parse(text).unwrap();
        assert_eq!(decimal("0.1").plus(decimal("0.25")).unwrap().to_string(), "0.35");
        assert_eq!(decimal("-1").plus(decimal("1.000")).unwrap().to_string(), "0.000");
        let most = Decimal::new(10i128.pow(30) - 1, 0).unwrap();
        assert!(most.plus(decimal("0")).is_some());
        assert!(most.plus(decimal("1")).is_none() && most.plus(decimal("0.1")).is_none());
    }

    #[test]
    fn text_survives_a_round_trip_with_its_scale() {
        for text in
            ["0", "-0.5", "5000000.0000", "12345678901.0123456789", "-99999999999.9999999999", "0.0001"]
        {
            assert_eq!(Decimal::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Decimal::parse("1e3").unwrap().to_string(), "1000");
        assert_eq!(Decimal::parse("1.5E-2").unwrap().to_string(), "0.015");
    }

    #[test]
    fn zero_is_read_at_once_whatever_its_exponent() {
        let zero = |text: &str| Decimal::parse(text).map(|zero| zero.to_string());
        assert_eq!(zero("0e2147483647").as_deref(), Some("0"));
        assert_eq!(zero("-0.0e-2147483646").as_deref(), Some("0.000000000000"));
        assert_eq!(zero("0e-2147483647").as_deref(), Some("0.000000000000"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".", "1.", "1e", "0x1", "1e400", "NaN", "١", "1 "] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn quotients_are_rounded_half_away_from_zero() {
        for (dividend, divisor, quotient) in [
            ("10", "4", Some("2.5000")),
            ("1", "3", Some("0.3333")),
            ("2", "3", Some("0.6667")),
            ("-2", "3", Some("-0.6667")),
            ("0.0001", "2", Some("0.0001")),
            ("-0.0001", "2", Some("-0.0001")),
            ("0.0001", "2.0001", Some("0.0000")),
            ("100", "9.4700000000", Some("10.5597")),
            ("1", "0", None),
            ("999999999999999999999999999999", "0.0000000001", None),
        ] {
            let [a, b] = [dividend, divisor].map(|text| Decimal::parse(text).unwrap());
            assert_eq!(
                a.divided_by(b, 4).map(|q| q.to_string()).as_deref(),
                quotient,
                "{dividend}/{divisor}"
            );
        }
    }

    #[test]
    fn a_number_beyond_the_limits_is_refused_at_either_end() {
        let largest = 10i128.pow(30) - 1;
        for (mantissa, scale, held) in [
            (largest, 12, true),
            (-largest, 12, true),
            (largest + 1, 0, false),
            (-largest - 1, 0, false),
            (i128::MAX, 0, false),
            (i128::MIN, 0, false),
            (0, 13, false),
        ] {
            assert_eq!(Decimal::new(mantissa, scale).is_some(), held, "{mantissa} {scale}");
        }
    }

    #[test]
    fn order_is_numeric_whatever_the_scale() {
        let d = |t: &str| Decimal::parse(t).unwrap();
        assert_eq!(d("1.50"), d("1.5"));
        assert!(d("-2") < d("-1.999"));
        assert!(d("100000000000000000000") > d("0.000000000001"));
        assert_eq!(d("1.005").rescale(2).to_string(), "1.01");
        assert_eq!(d("-1.005").rescale(2).to_string(), "-1.01");
    }
}
