//! Half characters in JSON: escapes such as `\ud83d` without their other half. A service that keeps UTF-16 can hold and
//! send them; neither UTF-8 nor the parser can, and one of them must not keep a whole table from being pulled.

/// Length of an escape such as `\ud83d`.
const ESCAPE: usize = 6;
/// What stands for half a character: U+FFFD, as long as what it replaces.
const REPLACEMENT: &[u8; ESCAPE] = b"\\ufffd";

/// The same JSON with U+FFFD for each lone surrogate; `None` when it has none.
pub(super) fn without_lone_surrogates(json: &[u8]) -> Option<Vec<u8>> {
    let mut mended: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(next) = memchr::memchr(b'\\', json.get(at..).unwrap_or_default()).map(|found| at + found) {
        at = match unit(json, next) {
            Some(0xd800..=0xdbff) if matches!(unit(json, next + ESCAPE), Some(0xdc00..=0xdfff)) => {
                next + 2 * ESCAPE
            }
            Some(0xd800..=0xdfff) => {
                let mended = mended.get_or_insert_with(|| json.to_vec());
                mended[next..next + ESCAPE].copy_from_slice(REPLACEMENT);
                next + ESCAPE
            }
            Some(_) => next + ESCAPE,
            // An escape of two bytes: what it escapes is no beginning of another.
            None => next + 2,
        };
    }
    mended
}

/// The UTF-16 unit that is escaped at `at`.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let escape = json.get(at..at.checked_add(ESCAPE)?)?;
    let digits = escape.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u16::from_str_radix(digits, 16).ok()
}
