//! Instants and dates as text: OData literals (RFC 3339) and HTTP dates (RFC 9110 §5.6.7).
//!
//! Instants are milliseconds since 1970-01-01T00:00:00Z, dates are days since 1970-01-01, both in years 1 to
//! 9999.

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Weekday};

/// Milliseconds of one day.
pub const DAY_MILLIS: i64 = 86_400_000;
/// 0001-01-01T00:00:00.000Z
pub const INSTANT_MIN: i64 = -62_135_596_800_000;
/// 9999-12-31T23:59:59.999Z
pub const INSTANT_MAX: i64 = 253_402_300_799_999;
/// Most digits of a fraction that are read (OData ABNF: `fractionalSeconds`).
const FRACTION_DIGITS_MAX: usize = 12;

/// Reads `2026-01-15T10:02:11Z`, `…T10:02:11.5+01:00` or, as OData allows, `…T10:02Z`. What is finer than a
/// millisecond is cut off. `None` for anything else, leap seconds included.
pub fn parse_datetime(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if !matches!(bytes.get(10)?, b'T' | b't') {
        return None;
    }
    let days = parse_date(text.get(..10)?)?;
    let mut rest = Digits { bytes, at: 11 };
    let mut millis = rest.pair(23)? * 3_600_000;
    rest.byte(b':')?;
    millis += rest.pair(59)? * 60_000;
    if rest.byte(b':').is_some() {
        millis += rest.pair(59)? * 1000;
        if rest.byte(b'.').is_some() {
            millis += rest.fraction_millis()?;
        }
    }
    let instant = i64::from(days) * DAY_MILLIS + millis - rest.offset_millis()?;
    (rest.at == bytes.len() && (INSTANT_MIN..=INSTANT_MAX).contains(&instant)).then_some(instant)
}

/// `2026-01-15T10:02:11Z`, with `.mmm` only when the instant is not a whole second. Instants outside the
/// years 1 to 9999 are written as the nearest inside.
pub fn format_datetime(millis: i64) -> String {
    let millis = millis.clamp(INSTANT_MIN, INSTANT_MAX);
    let instant = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    let (date, time) = (instant.date_naive(), instant.time());
    let mut text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        date.year(),
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    let fraction = millis.rem_euclid(1000);
    if fraction != 0 {
        text.push_str(&format!(".{fraction:03}"));
    }
    text.push('Z');
    text
}

/// Reads `2026-01-15`.
pub fn parse_date(text: &str) -> Option<i32> {
    let mut digits = Digits { bytes: text.as_bytes(), at: 0 };
    let year = digits.pair(99)? * 100 + digits.pair(99)?;
    digits.byte(b'-')?;
    let month = digits.pair(12)?;
    digits.byte(b'-')?;
    let day = digits.pair(31)?;
    if digits.at != text.len() || year == 0 {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(year).ok()?,
        u32::try_from(month).ok()?,
        u32::try_from(day).ok()?,
    )?;
    Some(date.to_epoch_days())
}

/// `2026-01-15`. Days outside the years 1 to 9999 are written as the nearest inside.
pub fn format_date(days: i32) -> String {
    let (first, last) = (INSTANT_MIN / DAY_MILLIS, INSTANT_MAX / DAY_MILLIS);
    let millis = i64::from(days).clamp(first, last) * DAY_MILLIS;
    let mut text = format_datetime(millis);
    text.truncate(10);
    text
}

/// Reads `Thu, 15 Jan 2026 10:02:11 GMT`, the one form that senders may use today.
pub fn parse_http_date(text: &str) -> Option<i64> {
    if text.len() != HTTP_DATE_LENGTH || !text.is_ascii() {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == &text[8..11])? + 1;
    let iso = format!("{}-{month:02}-{}T{}Z", &text[12..16], &text[5..7], &text[17..25]);
    let instant = parse_datetime(&iso)?;
    // Written again it must be the same text, so that separators and the day of the week are checked too.
    (format_http_date(instant) == text).then_some(instant)
}

/// `Thu, 15 Jan 2026 10:02:11 GMT`; parts of a second are cut off.
pub fn format_http_date(millis: i64) -> String {
    let instant = DateTime::from_timestamp_millis(millis.clamp(INSTANT_MIN, INSTANT_MAX)).unwrap_or_default();
    let (date, time) = (instant.date_naive(), instant.time());
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        weekday_name(date.weekday()),
        date.day(),
        MONTHS.get(date.month0() as usize).unwrap_or(&"Jan"),
        date.year(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

const HTTP_DATE_LENGTH: usize = "Thu, 15 Jan 2026 10:02:11 GMT".len();

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn weekday_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "Mon",
        Weekday::Tue => "Tue",
        Weekday::Wed => "Wed",
        Weekday::Thu => "Thu",
        Weekday::Fri => "Fri",
        Weekday::Sat => "Sat",
        Weekday::Sun => "Sun",
    }
}

/// A cursor over ASCII digits.
struct Digits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Digits<'_> {
    fn digit(&mut self) -> Option<i64> {
        let digit = self.bytes.get(self.at).filter(|b| b.is_ascii_digit())?;
        self.at += 1;
        Some(i64::from(digit - b'0'))
    }

    fn pair(&mut self, max: i64) -> Option<i64> {
        let number = self.digit()? * 10 + self.digit()?;
        (number <= max).then_some(number)
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        (*self.bytes.get(self.at)? == byte).then(|| self.at += 1)
    }

    fn fraction_millis(&mut self) -> Option<i64> {
        let start = self.at;
        let mut millis = 0;
        let mut unit = 100;
        while let Some(digit) = self.digit() {
            millis += digit * unit;
            unit /= 10;
        }
        (1..=FRACTION_DIGITS_MAX).contains(&(self.at - start)).then_some(millis)
    }

    fn offset_millis(&mut self) -> Option<i64> {
        let sign = match self.bytes.get(self.at)? {
            b'Z' | b'z' => 0,
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.at += 1;
        if sign == 0 {
            return Some(0);
        }
        let hours = self.pair(23)?;
        self.byte(b':')?;
        Some(sign * (hours * 60 + self.pair(59)?) * 60_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn instants_are_read_in_every_form_of_the_standard() {
        fn check(text: &str, expected: Option<&str>) {
            assert_eq!(parse_datetime(text).map(format_datetime).as_deref(), expected, "{text}");
        }
        check("2026-01-15T10:02:11Z", Some("2026-01-15T10:02:11Z"));
        check("2026-01-15t10:02:11z", Some("2026-01-15T10:02:11Z"));
        check("2026-01-15T10:02Z", Some("2026-01-15T10:02:00Z"));
        check("2026-01-15T10:02:11.000Z", Some("2026-01-15T10:02:11Z"));
        check("2026-01-15T10:02:11.5Z", Some("2026-01-15T10:02:11.500Z"));
        check("2026-01-15T10:02:11.123456789012Z", Some("2026-01-15T10:02:11.123Z"));
        check("2026-01-15T10:02:11+01:00", Some("2026-01-15T09:02:11Z"));
        check("2026-01-15T22:02:11-02:30", Some("2026-01-16T00:32:11Z"));
        check("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z"));
        check("9999-12-31T23:59:59.999Z", Some("9999-12-31T23:59:59.999Z"));
        check("1969-12-31T23:59:59.999Z", Some("1969-12-31T23:59:59.999Z"));
        check("2024-02-29T00:00:00Z", Some("2024-02-29T00:00:00Z"));
        check("0001-01-01T00:00:00+00:01", None);
        check("9999-12-31T23:59:59-00:01", None);
        check("0000-01-01T00:00:00Z", None);
        check("2023-02-29T00:00:00Z", None);
        check("2026-13-01T00:00:00Z", None);
        check("2026-01-15T24:00:00Z", None);
        check("2026-01-15T10:60:00Z", None);
        check("2026-01-15T10:02:60Z", None);
        check("2026-01-15T10:02:11", None);
        check("2026-01-15T10:02:11.Z", None);
        check("2026-01-15T10:02:11.1234567890123Z", None);
        check("2026-01-15 10:02:11Z", None);
        check("2026-01-15T10:02:11Zx", None);
        check("2026-01-15T10:02:11+0100", None);
        check("2026-01-15", None);
        check("٢026-01-15T10:02:11Z", None);
        check("", None);
    }

    #[test]
    fn dates_are_read_in_one_form_only() {
        fn check(text: &str, expected: Option<i32>) {
            assert_eq!(parse_date(text), expected, "{text}");
        }
        check("1970-01-01", Some(0));
        check("2026-01-15", Some(20_468));
        check("0001-01-01", Some(-719_162));
        check("9999-12-31", Some(2_932_896));
        check("0000-12-31", None);
        check("2026-1-15", None);
        check("2026-01-32", None);
        check("2026-01-15 ", None);
        check("-026-01-15", None);
        check("2026/01/15", None);
        check("", None);
    }

    #[test]
    fn http_dates_are_read_only_when_they_are_consistent() {
        let text = "Thu, 15 Jan 2026 10:02:11 GMT";
        assert_eq!(parse_http_date(text).map(format_datetime).as_deref(), Some("2026-01-15T10:02:11Z"));
        for wrong in [
            "",
            "Fri, 15 Jan 2026 10:02:11 GMT",
            "Thu, 15 Jan 2026 10:02:11 UTC",
            "Thu, 15 jan 2026 10:02:11 GMT",
            "Thu; 15 Jan 2026 10:02:11 GMT",
            "Thu, 15 Jän 2026 10:02:11 GM",
            "Thursday, 15-Jan-26 10:02:11 GMT",
        ] {
            assert_eq!(parse_http_date(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in INSTANT_MIN..=INSTANT_MAX) {
            prop_assert_eq!(parse_datetime(&format_datetime(millis)), Some(millis));
            let seconds = millis.div_euclid(1000) * 1000;
            prop_assert_eq!(parse_http_date(&format_http_date(millis)), Some(seconds));
            let days = i32::try_from(millis.div_euclid(DAY_MILLIS)).unwrap();
            prop_assert_eq!(parse_date(&format_date(days)), Some(days));
        }

        #[test]
        fn writing_never_fails(millis: i64, days: i32) {
            prop_assert!(parse_datetime(&format_datetime(millis)).is_some());
            prop_assert!(parse_date(&format_date(days)).is_some());
        }

        #[test]
        fn reading_never_panics(text in ".{0,40}") {
            let _ = (parse_datetime(&text), parse_date(&text), parse_http_date(&text));
        }
    }
}
