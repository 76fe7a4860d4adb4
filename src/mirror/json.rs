//! Reads JSON from the front, without a tree and without copying: what a page of thousands of rows is decoded by.
//!
//! A general parser looks at every name and hands every value on by several calls; here the names that are expected are
//! compared as they stand ([`Json::accept`]), which is most of a page.

use super::scalar::Scalar;

/// Deepest nesting that is passed over.
const DEPTH_MAX: u32 = 128;

/// Why there is nothing to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The text ends too early.
    Cut,
    /// The text is not JSON.
    Text,
    /// It is JSON of another shape.
    Shape,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Wrong::Cut => "cut",
            Wrong::Text => "not JSON",
            Wrong::Shape => "unexpected shape",
        })
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Json<'b> {
    bytes: &'b [u8],
    at: usize,
    /// The last text that had escapes.
    unescaped: String,
}

impl<'b> Json<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Json<'b> {
        Json { bytes, at: 0, unescaped: String::new() }
    }

    /// How many bytes were read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What was read since.
    pub(super) fn since(&self, start: usize) -> &'b [u8] {
        &self.bytes[start..self.at]
    }

    /// Passes over these bytes if they come next.
    pub(super) fn accept(&mut self, wanted: &[u8]) -> bool {
        let comes = self.bytes[self.at..].starts_with(wanted);
        if comes {
            self.at += wanted.len();
        }
        comes
    }

    /// The next byte that is no space, which stays.
    fn peek(&mut self) -> Result<u8, Wrong> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return Ok(*byte),
                None => return Err(Wrong::Cut),
            }
        }
    }

    /// Begins an object or a list.
    pub(super) fn open(&mut self, bracket: u8) -> Result<(), Wrong> {
        if self.peek()? != bracket {
            return Err(Wrong::Shape);
        }
        self.at += 1;
        Ok(())
    }

    /// Whether another member or item comes; ends the object or list when none does.
    pub(super) fn more(&mut self, is_first: bool, bracket: u8) -> Result<bool, Wrong> {
        match self.peek()? {
            byte if byte == bracket => {
                self.at += 1;
                return Ok(false);
            }
            b',' if !is_first => self.at += 1,
            _ if is_first => {}
            _ => return Err(Wrong::Text),
        }
        // A comma promises something, but no bracket.
        match self.peek()? {
            byte if byte == bracket => Err(Wrong::Text),
            _ => Ok(true),
        }
    }

    /// The name of a member.
    pub(super) fn name(&mut self) -> Result<&str, Wrong> {
        let unescaped = self.pass_text()?;
        let (start, end) = unescaped.unwrap_or((0, 0));
        if self.peek()? != b':' {
            return Err(Wrong::Text);
        }
        self.at += 1;
        match unescaped {
            Some(_) => text_of(&self.bytes[start..end]),
            None => Ok(&self.unescaped),
        }
    }

    /// A text, or null.
    pub(super) fn text(&mut self) -> Result<Option<String>, Wrong> {
        match self.scalar()? {
            Scalar::Null => Ok(None),
            Scalar::Text(text) => Ok(Some(text.to_owned())),
            Scalar::Bool(_) | Scalar::Number(_) | Scalar::Other => Err(Wrong::Shape),
        }
    }

    /// One value. Objects and lists are read to their end and count as [`Scalar::Other`], so that an unexpected type is a
    /// fault of its item and not of the text.
    pub(super) fn scalar(&mut self) -> Result<Scalar<'_>, Wrong> {
        match self.peek()? {
            b'"' => match self.pass_text()? {
                Some((start, end)) => text_of(&self.bytes[start..end]).map(Scalar::Text),
                None => Ok(Scalar::Text(&self.unescaped)),
            },
            b'-' | b'0'..=b'9' => self.number().map(Scalar::Number),
            b'n' => self.word(b"null").map(|()| Scalar::Null),
            b't' => self.word(b"true").map(|()| Scalar::Bool(true)),
            b'f' => self.word(b"false").map(|()| Scalar::Bool(false)),
            _ => self.skip().map(|()| Scalar::Other),
        }
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self) -> Result<(), Wrong> {
        self.skip_at(0)
    }

    fn skip_at(&mut self, depth: u32) -> Result<(), Wrong> {
        if depth == DEPTH_MAX {
            return Err(Wrong::Text);
        }
        let mut is_first = true;
        match self.peek()? {
            b'{' => {
                self.at += 1;
                while self.more(is_first, b'}')? {
                    is_first = false;
                    self.name()?;
                    self.skip_at(depth + 1)?;
                }
                Ok(())
            }
            b'[' => {
                self.at += 1;
                while self.more(is_first, b']')? {
                    is_first = false;
                    self.skip_at(depth + 1)?;
                }
                Ok(())
            }
            b'"' | b'-' | b'0'..=b'9' | b'n' | b't' | b'f' => self.scalar().map(drop),
            _ => Err(Wrong::Text),
        }
    }

    /// Nothing may be left.
    pub(super) fn end(&mut self) -> Result<(), Wrong> {
        match self.peek() {
            Err(_) => Ok(()),
            Ok(_) => Err(Wrong::Text),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Wrong> {
        match self.accept(word) {
            true => Ok(()),
            false if word.starts_with(&self.bytes[self.at..]) => Err(Wrong::Cut),
            false => Err(Wrong::Text),
        }
    }

    /// A number as it is written.
    fn number(&mut self) -> Result<&'b str, Wrong> {
        let start = self.at;
        self.accept(b"-");
        if !self.accept(b"0") {
            self.digits()?;
        }
        if self.accept(b".") {
            self.digits()?;
        }
        if self.accept(b"e") || self.accept(b"E") {
            let _ = self.accept(b"+") || self.accept(b"-");
            self.digits()?;
        }
        text_of(self.since(start))
    }

    fn digits(&mut self) -> Result<(), Wrong> {
        let rest = &self.bytes[self.at..];
        let count = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        self.at += count;
        match count {
            0 if rest.is_empty() => Err(Wrong::Cut),
            0 => Err(Wrong::Text),
            _ => Ok(()),
        }
    }

    /// Passes over a text: gives where it stands, or `None` when it had escapes; then it is in `unescaped`.
    fn pass_text(&mut self) -> Result<Option<(usize, usize)>, Wrong> {
        if self.peek()? != b'"' {
            return Err(Wrong::Text);
        }
        self.at += 1;
        let start = self.at;
        let end = self.pass_plain()?;
        if self.bytes[end] == b'"' {
            self.at = end + 1;
            return Ok(Some((start, end)));
        }
        self.unescaped.clear();
        let (mut start, mut end) = (start, end);
        loop {
            self.unescaped.push_str(text_of(&self.bytes[start..end])?);
            self.at = end + 1;
            if self.bytes[end] == b'"' {
                return Ok(None);
            }
            let escaped = self.escape()?;
            self.unescaped.push(escaped);
            start = self.at;
            end = self.pass_plain()?;
        }
    }

    /// Where the next quote or backslash stands.
    fn pass_plain(&self) -> Result<usize, Wrong> {
        let rest = &self.bytes[self.at..];
        let special = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
        match special.map(|place| self.at + place) {
            Some(place) if self.bytes[place] < b' ' => Err(Wrong::Text),
            Some(place) => Ok(place),
            None => Err(Wrong::Cut),
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, Wrong> {
        let byte = *self.bytes.get(self.at).ok_or(Wrong::Cut)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                let second = match first {
                    // The other half of a character must follow.
                    0xd800..=0xdbff if self.accept(b"\\u") => Some(self.unit()?),
                    _ => None,
                };
                let mut units = char::decode_utf16([first].into_iter().chain(second));
                match (units.next(), units.next()) {
                    (Some(Ok(character)), None) => character,
                    _ => return Err(Wrong::Text),
                }
            }
            _ => return Err(Wrong::Text),
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u16, Wrong> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or(Wrong::Cut)?;
        self.at += 4;
        digits.iter().try_fold(0u16, |unit, digit| {
            let value = char::from(*digit).to_digit(16).and_then(|value| u16::try_from(value).ok());
            value.map(|value| unit << 4 | value).ok_or(Wrong::Text)
        })
    }
}

fn text_of(bytes: &[u8]) -> Result<&str, Wrong> {
    std::str::from_utf8(bytes).map_err(|_| Wrong::Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whether all of it is one value.
    fn reads(json: &[u8]) -> Result<(), Wrong> {
        let mut reader = Json::new(json);
        reader.skip().and_then(|()| reader.end())
    }

    #[test]
    fn what_is_json_is_read() {
        for json in [
            "null",
            " true ",
            "false",
            "0",
            "-0.5e+7",
            "1E-2",
            "10",
            "\"\"",
            "\"a\\u00e5\\n\\\"\\ud83d\\ude00\"",
            "[]",
            "{}",
            "[ 1 , [ ] , { \"a\" : [ null ] , \"a\" : \"å\" } ]",
        ] {
            assert_eq!(reads(json.as_bytes()), Ok(()), "{json}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for json in [
            "",
            " ",
            "nul",
            "nulL",
            "tru e",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "1e+",
            "+1",
            "\"",
            "\"\\",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "\"\\ud83d\\u0041\"",
            "\"\n\"",
            "[",
            "[1",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "{\"a\":1 \"b\":2}",
            "]",
            "}",
            "1 1",
            "[}",
            "{]",
            "\u{feff}1",
        ] {
            assert!(reads(json.as_bytes()).is_err(), "{json}");
        }
        assert!(reads(b"\"\xff\"").is_err() && reads(b"\"\\n\xc3\"").is_err());
    }

    #[test]
    fn nesting_ends_somewhere() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let deepest = usize::try_from(DEPTH_MAX).unwrap();
        assert_eq!(reads(nested(deepest).as_bytes()), Ok(()));
        assert_eq!(reads(nested(deepest + 1).as_bytes()), Err(Wrong::Text));
    }

    #[test]
    fn numbers_may_be_as_large_as_they_like() {
        assert!(reads(b"[1E310]").is_ok() && reads(b"1E310t").is_err());
    }

    #[test]
    fn texts_are_as_they_are_written() {
        for (json, text) in [
            ("\"\"", ""),
            ("\"å\"", "å"),
            ("\"a\\u00e5\\/\\t\\ud83d\\ude00b\"", "aå/\t😀b"),
            ("\"\\\\\"", "\\"),
        ] {
            let mut reader = Json::new(json.as_bytes());
            assert_eq!(reader.text(), Ok(Some(text.to_owned())), "{json}");
            assert_eq!(reader.end(), Ok(()));
        }
        assert_eq!(Json::new(b"7").text(), Err(Wrong::Shape));
    }

    proptest! {
        #[test]
        fn it_reads_what_the_library_reads(text in "[\\[\\]{}\",:\\\\u0-9a-f\\.eE+tru \\-]{0,24}|[\"\\\\a-fu0-9dD]{0,12}") {
            for text in [text.clone(), format!("\"{text}\""), format!("[{text}]")] {
                let library = serde_json::from_str::<serde_json::Value>(&text);
                // No limit of numbers is known here; what stands behind such a one the library does not read.
                if library.as_ref().is_err_and(|error| error.to_string().contains("out of range")) {
                    continue;
                }
                prop_assert_eq!(reads(text.as_bytes()).is_ok(), library.is_ok(), "{}", text);
            }
        }
    }
}
