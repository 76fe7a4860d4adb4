//! `$filter` over definitions: comparisons of members and of members within them (`CanCreateAttributes/Value`), `and`,
//! `or`, `not`, brackets, `contains`, `startswith`, `endswith`. Enumerations compare by name.

use super::shape::Object;
use super::shown;
use crate::error::{ODataError, Result};
use serde_json::Value as Json;
use std::cmp::Ordering;

/// Most comparisons and brackets in one filter.
const NODES_MAX: usize = 100;
/// Deepest nesting of brackets and `not`.
const DEPTH_MAX: usize = 20;

/// A condition on definitions.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Compare { path: Vec<String>, op: Op, literal: Json },
    Text { path: Vec<String>, op: TextOp, literal: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextOp {
    Contains,
    StartsWith,
    EndsWith,
}

impl Op {
    pub(super) fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Op::Equal => order == Some(Ordering::Equal),
            Op::NotEqual => order != Some(Ordering::Equal),
            Op::Greater => order == Some(Ordering::Greater),
            Op::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            Op::Less => order == Some(Ordering::Less),
            Op::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        }
    }
}

/// How two plain values stand to each other; `None` when they cannot be compared.
pub(super) fn order(left: &Json, right: &Json) -> Option<Ordering> {
    match (left, right) {
        (Json::Null, Json::Null) => Some(Ordering::Equal),
        (Json::Bool(left), Json::Bool(right)) => Some(left.cmp(right)),
        (Json::Number(left), Json::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        // Names of definitions are compared without case, as texts are.
        (Json::String(left), Json::String(right)) => Some(left.to_lowercase().cmp(&right.to_lowercase())),
        _ => None,
    }
}

impl Condition {
    /// Reads a filter.
    ///
    /// # Errors
    /// 400 when it is malformed or too long or deep; 501 for operators that definitions have not.
    pub(super) fn read(text: &str) -> Result<Condition> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, nodes: 0 };
        let condition = parser.any(0)?;
        match parser.peek() {
            None => Ok(condition),
            Some(_) => Err(malformed()),
        }
    }

    /// Whether a definition meets it.
    ///
    /// # Errors
    /// 400 for a member that such definitions have not.
    pub(super) fn matches(&self, object: &Object) -> Result<bool> {
        Ok(match self {
            Condition::All(parts) => {
                let results = parts.iter().map(|part| part.matches(object)).collect::<Result<Vec<bool>>>()?;
                results.iter().all(|holds| *holds)
            }
            Condition::Any(parts) => {
                let results = parts.iter().map(|part| part.matches(object)).collect::<Result<Vec<bool>>>()?;
                results.iter().any(|holds| *holds)
            }
            Condition::Not(part) => !part.matches(object)?,
            Condition::Compare { path, op, literal } => op.holds(order(&member(object, path)?, literal)),
            Condition::Text { path, op, literal } => {
                let value = member(object, path)?;
                let Json::String(text) = value else { return Ok(false) };
                let (text, part) = (text.to_lowercase(), literal.to_lowercase());
                match op {
                    TextOp::Contains => text.contains(&part),
                    TextOp::StartsWith => text.starts_with(&part),
                    TextOp::EndsWith => text.ends_with(&part),
                }
            }
        })
    }
}

fn member(object: &Object, path: &[String]) -> Result<Json> {
    let (first, rest) = path.split_first().ok_or_else(malformed)?;
    let missing = || ODataError::bad_request(format!("Could not find a property named '{}'.", shown(first)));
    let mut value = object.parsed(first).ok_or_else(missing)?;
    for name in rest {
        value = match value {
            Json::Object(mut members) => members.remove(name).ok_or_else(missing)?,
            _ => return Err(missing()),
        };
    }
    Ok(value)
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    Comma,
    Word(String),
    Text(String),
}

fn malformed() -> ODataError {
    ODataError::bad_request("$filter is malformed.")
}

fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '(' => {
                out.push(Token::Open);
                1
            }
            ')' => {
                out.push(Token::Close);
                1
            }
            ',' => {
                out.push(Token::Comma);
                1
            }
            '\'' => {
                let (text, taken) = quoted(rest)?;
                out.push(Token::Text(text));
                taken
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | '\''));
                let word = &rest[..end.unwrap_or(rest.len())];
                // `Microsoft.Dynamics.CRM.OwnershipTypes'UserOwned'`: the quote belongs to the name before it.
                if rest[word.len()..].starts_with('\'') {
                    let (text, taken) = quoted(&rest[word.len()..])?;
                    out.push(Token::Text(text));
                    word.len() + taken
                } else {
                    out.push(Token::Word(word.to_owned()));
                    word.len()
                }
            }
        };
        rest = rest[taken..].trim_start();
    }
    Ok(out)
}

/// A text in quotes at the start, and how many bytes it takes.
fn quoted(text: &str) -> Result<(String, usize)> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match (c, chars.peek()) {
            ('\'', Some((_, '\''))) => {
                chars.next();
                out.push('\'');
            }
            ('\'', _) => return Ok((out, at + 1)),
            (c, _) => out.push(c),
        }
    }
    Err(ODataError::bad_request("$filter has an open quote."))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    nodes: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<Token> {
        let token = self.tokens.get(self.at).cloned().ok_or_else(malformed)?;
        self.at += 1;
        Ok(token)
    }

    fn takes(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, token: &Token) -> Result<()> {
        if self.next()? == *token {
            Ok(())
        } else {
            Err(malformed())
        }
    }

    fn any(&mut self, depth: usize) -> Result<Condition> {
        let mut parts = vec![self.all(depth)?];
        while self.takes("or") {
            parts.push(self.all(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::Any(parts) })
    }

    fn all(&mut self, depth: usize) -> Result<Condition> {
        let mut parts = vec![self.one(depth)?];
        while self.takes("and") {
            parts.push(self.one(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::All(parts) })
    }

    fn one(&mut self, depth: usize) -> Result<Condition> {
        self.nodes += 1;
        if self.nodes > NODES_MAX || depth > DEPTH_MAX {
            return Err(ODataError::bad_request("$filter is too long or too deep."));
        }
        if self.takes("not") {
            return Ok(Condition::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.peek() == Some(&Token::Open) {
            self.at += 1;
            let condition = self.any(depth + 1)?;
            self.expect(&Token::Close)?;
            return Ok(condition);
        }
        let Token::Word(name) = self.next()? else { return Err(malformed()) };
        if self.peek() == Some(&Token::Open) {
            return self.function(&name);
        }
        let Token::Word(op) = self.next()? else { return Err(malformed()) };
        let op = match op.as_str() {
            "eq" => Op::Equal,
            "ne" => Op::NotEqual,
            "gt" => Op::Greater,
            "ge" => Op::GreaterOrEqual,
            "lt" => Op::Less,
            "le" => Op::LessOrEqual,
            _ => return Err(unsupported(&op)),
        };
        let literal = match self.next()? {
            Token::Text(text) => Json::String(text),
            Token::Word(word) => literal(&word)?,
            Token::Open | Token::Close | Token::Comma => return Err(malformed()),
        };
        Ok(Condition::Compare { path: path(&name), op, literal })
    }

    fn function(&mut self, name: &str) -> Result<Condition> {
        let op = match name {
            "contains" => TextOp::Contains,
            "startswith" => TextOp::StartsWith,
            "endswith" => TextOp::EndsWith,
            _ => return Err(unsupported(name)),
        };
        self.expect(&Token::Open)?;
        let Token::Word(name) = self.next()? else { return Err(malformed()) };
        self.expect(&Token::Comma)?;
        let Token::Text(literal) = self.next()? else { return Err(malformed()) };
        self.expect(&Token::Close)?;
        Ok(Condition::Text { path: path(&name), op, literal })
    }
}

fn unsupported(name: &str) -> ODataError {
    ODataError::not_implemented(format!("'{}' is not supported in $filter here.", shown(name)))
}

fn path(name: &str) -> Vec<String> {
    name.split('/').map(str::to_owned).collect()
}

/// A number, `true`, `false`, `null` or a GUID.
fn literal(word: &str) -> Result<Json> {
    if let Some(id) = crate::filter::parse_guid(word) {
        return Ok(Json::String(id.to_string()));
    }
    match serde_json::from_slice(word.as_bytes()) {
        Ok(value @ (Json::Null | Json::Bool(_) | Json::Number(_))) => Ok(value),
        _ => Err(malformed()),
    }
}
