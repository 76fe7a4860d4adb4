//! Tokens of an expression: words, quoted texts, signs.

use crate::error::{ODataError, Result};
use std::borrow::Cow;

/// One token. A word is a run of letters, digits and `_ - . +`: names, keywords, numbers, ids, dates alike. One
/// that begins with a digit or sign may hold `:` too (times); one may begin with `$`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
    Slash,
    Colon,
    Assign,
    Word(&'a str),
    /// What stands between the quotes, quotes inside still doubled.
    Text(&'a str),
    /// A JSON string, with its double quotes, escapes as written.
    Json(&'a str),
    /// Name of a parameter alias, without `@`.
    Alias(&'a str),
    End,
}

/// Reads tokens with one token of lookahead.
#[derive(Clone)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// The next token and where it begins.
    next: (Token<'a>, usize),
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Result<Lexer<'a>> {
        // An odd number of quotes cannot be balanced. Said first, since the text after a stray quote
        // (`lastname eq 'O'Bryan'`) would give a message that explains nothing.
        // Not with JSON strings about, in which it means nothing.
        if !text.contains('"') && text.bytes().filter(|b| *b == b'\'').count() % 2 == 1 {
            let position = text.chars().count();
            return Err(ODataError::bad_request(format!(
                "There is an unterminated string literal at position {position} in the expression."
            )));
        }
        let mut lexer = Lexer { text, at: 0, next: (Token::End, 0) };
        lexer.advance()?;
        Ok(lexer)
    }

    /// The next token, not consumed.
    pub(crate) fn peek(&self) -> Token<'a> {
        self.next.0
    }

    /// Consumes the next token and gives it.
    pub(crate) fn advance(&mut self) -> Result<Token<'a>> {
        let consumed = self.next.0;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let start = self.at + (rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len());
        let (token, length) = match self.text.as_bytes().get(start) {
            None => (Token::End, 0),
            Some(b'(') => (Token::Open, 1),
            Some(b')') => (Token::Close, 1),
            Some(b',') => (Token::Comma, 1),
            Some(b'/') => (Token::Slash, 1),
            Some(b'[') => (Token::OpenList, 1),
            Some(b']') => (Token::CloseList, 1),
            Some(b':') => (Token::Colon, 1),
            Some(b'=') => (Token::Assign, 1),
            Some(b'\'') => self.quoted(start)?,
            Some(b'"') => self.json(start)?,
            Some(b'@') => {
                let name = self.run(start + 1);
                (Token::Alias(name), 1 + name.len())
            }
            Some(_) => {
                let word = self.run(start);
                if word.is_empty() {
                    return Err(self.syntax_error_at(start));
                }
                (Token::Word(word), word.len())
            }
        };
        self.next = (token, start);
        self.at = start + length;
        Ok(consumed)
    }

    /// Consumes the next token if it is this one.
    pub(crate) fn accept(&mut self, token: Token<'_>) -> Result<bool> {
        let found = self.peek() == token;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Consumes the next token, which must be this one.
    pub(crate) fn expect(&mut self, token: Token<'_>) -> Result<()> {
        match self.accept(token)? {
            true => Ok(()),
            false => Err(self.syntax_error()),
        }
    }

    /// 400 that points at the next token. The text itself is left out: it may hold personal data.
    pub(crate) fn syntax_error(&self) -> ODataError {
        self.syntax_error_at(self.next.1)
    }

    fn syntax_error_at(&self, at: usize) -> ODataError {
        let position = self.text.get(..at).unwrap_or_default().chars().count();
        ODataError::bad_request(format!("Syntax error at position {position} in the expression."))
    }

    fn run(&self, start: usize) -> &'a str {
        let rest = self.text.get(start..).unwrap_or_default();
        let numeric = rest.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+'));
        let in_word = |(at, b): (usize, u8)| match b {
            b'$' => at == 0,
            b':' => numeric,
            b => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'+'),
        };
        let length = rest.bytes().enumerate().position(|byte| !in_word(byte)).unwrap_or(rest.len());
        &rest[..length]
    }

    fn json(&self, start: usize) -> Result<(Token<'a>, usize)> {
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => {
                    let whole = self.text.get(start..=at).unwrap_or_default();
                    return Ok((Token::Json(whole), whole.len()));
                }
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        Err(self.syntax_error_at(start))
    }

    fn quoted(&self, start: usize) -> Result<(Token<'a>, usize)> {
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        while let Some(byte) = bytes.get(at) {
            if *byte == b'\'' {
                if bytes.get(at + 1) != Some(&b'\'') {
                    let inner = self.text.get(start + 1..at).unwrap_or_default();
                    return Ok((Token::Text(inner), at + 1 - start));
                }
                at += 1;
            }
            at += 1;
        }
        Err(self.syntax_error_at(start))
    }
}

/// A quoted text with its doubled quotes made single.
pub(crate) fn unescape(quoted: &str) -> Cow<'_, str> {
    match quoted.contains("''") {
        true => Cow::Owned(quoted.replace("''", "'")),
        false => Cow::Borrowed(quoted),
    }
}
