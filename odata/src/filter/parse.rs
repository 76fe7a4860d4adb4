//! Recursive descent over the `$filter` grammar (OData 4.0 Part 2 §5.1.1, ABNF `boolCommonExpr`).

use super::literal::Literal;
use super::place::{bool_column, Operand};
use super::token::{Lexer, Token};
use super::{Filter, TextOp, FILTER_DEPTH_MAX, FILTER_NODES_MAX};
use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};

/// Texts of the parameter aliases (`@p1=…`), by name without `@`.
pub(crate) type Aliases<'a> = dyn Fn(&str) -> Option<&'a str> + 'a;

/// Levels of a negation and what it negates.
pub(super) const NEGATION_LEVELS: usize = 2;

/// Where names are looked up.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) table: &'a Table,
    /// Inside `any` and `all`: the range variable that every name must begin with.
    pub(super) range: Option<&'a str>,
}

/// See [`super::parse_filter`]; an alias that is not assigned is null.
pub(crate) fn parse<'a>(
    text: &'a str,
    table: &'a Table,
    schema: &'a Schema,
    aliases: &Aliases<'a>,
) -> Result<Filter> {
    let mut parser = Parser::new(text, table, schema, aliases)?;
    let operand = parser.disjunction()?;
    // A text that goes on is told so, rather than that its beginning is no condition.
    parser.finish()?;
    parser.settle(operand)
}

/// Reads conditions and names of columns, of one text.
pub(crate) struct Parser<'a, 'b> {
    pub(crate) lexer: Lexer<'a>,
    pub(super) schema: &'a Schema,
    pub(super) scope: Scope<'a>,
    aliases: &'b Aliases<'a>,
    /// Open parentheses, functions and `not`s.
    depth: usize,
    nodes: usize,
}

impl<'a, 'b> Parser<'a, 'b> {
    pub(crate) fn new(
        text: &'a str,
        table: &'a Table,
        schema: &'a Schema,
        aliases: &'b Aliases<'a>,
    ) -> Result<Parser<'a, 'b>> {
        let scope = Scope { table, range: None };
        Ok(Parser { lexer: Lexer::new(text)?, schema, scope, aliases, depth: 0, nodes: 0 })
    }

    /// Nothing may follow.
    pub(crate) fn finish(&self) -> Result<()> {
        match self.lexer.peek() {
            Token::End => Ok(()),
            _ => Err(self.lexer.syntax_error()),
        }
    }

    /// A whole condition, up to what cannot belong to it.
    pub(crate) fn condition(&mut self) -> Result<Filter> {
        let operand = self.disjunction()?;
        self.settle(operand)
    }

    /// An operand where a condition must stand.
    fn settle(&mut self, operand: Operand<'a>) -> Result<Filter> {
        match operand {
            Operand::Condition(filter) => Ok(filter),
            Operand::Literal(Literal::Bool(value)) => Ok(Filter::Always(value)),
            Operand::Literal(Literal::Null) => Ok(Filter::Always(false)),
            Operand::Place(place) => {
                // A comparison with `true` that was left out.
                self.count_node()?;
                self.count_node()?;
                bool_column(place)
            }
            Operand::Literal(_) => Err(not_boolean()),
        }
    }

    fn disjunction(&mut self) -> Result<Operand<'a>> {
        let first = self.conjunction()?;
        if self.lexer.peek() != Token::Word("or") {
            return Ok(first);
        }
        let mut items = vec![self.settle(first)?];
        while self.lexer.accept(Token::Word("or"))? {
            let item = self.conjunction()?;
            items.push(self.settle(item)?);
        }
        Ok(Operand::Condition(Filter::Or(items)))
    }

    fn conjunction(&mut self) -> Result<Operand<'a>> {
        let first = self.negation()?;
        if self.lexer.peek() != Token::Word("and") {
            return Ok(first);
        }
        let mut items = vec![self.settle(first)?];
        while self.lexer.accept(Token::Word("and"))? {
            let item = self.negation()?;
            items.push(self.settle(item)?);
        }
        Ok(Operand::Condition(Filter::And(items)))
    }

    /// `not` takes the whole comparison after it: `not name eq 'x'` means `not (name eq 'x')`. By the letter
    /// of the standard it would bind to `name`, which is no condition and therefore never meant.
    fn negation(&mut self) -> Result<Operand<'a>> {
        if !self.lexer.accept(Token::Word("not"))? {
            return self.comparison();
        }
        self.enter(1)?;
        let inner = self.negation()?;
        let inner = self.settle(inner)?;
        self.leave(1);
        Ok(Operand::Condition(Filter::Not(Box::new(inner))))
    }

    fn comparison(&mut self) -> Result<Operand<'a>> {
        let mut left = self.operand()?;
        let mut levels = 0;
        while let Some(op) = operator(self.lexer.peek()) {
            self.lexer.advance()?;
            if matches!(left, Operand::Condition(_)) {
                // `… eq false eq false` nests: each is the negation of what stands before.
                levels += NEGATION_LEVELS;
                self.enter(NEGATION_LEVELS)?;
            }
            let right = self.operand()?;
            self.count_node()?;
            left = Operand::Condition(left.compare(op, right)?);
        }
        self.leave(levels);
        Ok(left)
    }

    pub(super) fn operand(&mut self) -> Result<Operand<'a>> {
        self.count_node()?;
        let token = self.lexer.peek();
        if let Some(literal) = Literal::read(token) {
            self.lexer.advance()?;
            return Ok(Operand::Literal(literal));
        }
        match token {
            Token::Open => {
                self.enter(1)?;
                self.lexer.advance()?;
                let inner = self.disjunction()?;
                self.lexer.expect(Token::Close)?;
                self.leave(1);
                Ok(inner)
            }
            Token::Alias(name) => {
                self.lexer.advance()?;
                self.alias(name).map(Operand::Literal)
            }
            Token::Word(word) if is_name(word) => {
                self.lexer.advance()?;
                match self.lexer.peek() {
                    Token::Open => self.function(word).map(Operand::Condition),
                    _ => self.path(word),
                }
            }
            _ => Err(self.lexer.syntax_error()),
        }
    }

    fn alias(&self, name: &str) -> Result<Literal<'a>> {
        let Some(text) = self.assigned(name) else { return Ok(Literal::Null) };
        let mut lexer = Lexer::new(text)?;
        match Literal::read(lexer.advance()?) {
            Some(literal) if lexer.peek() == Token::End => Ok(literal),
            _ => Err(ODataError::bad_request(format!("The parameter alias '@{name}' is not a literal."))),
        }
    }

    /// The text that a parameter alias stands for.
    pub(super) fn assigned(&self, name: &str) -> Option<&'a str> {
        (self.aliases)(name)
    }

    /// A function that begins no path: of texts, or a query function on the table in scope.
    fn function(&mut self, name: &'a str) -> Result<Filter> {
        let op = match name {
            "contains" => TextOp::Contains,
            "startswith" => TextOp::StartsWith,
            "endswith" => TextOp::EndsWith,
            _ => return self.query_function(self.scope.table, name),
        };
        self.enter(1)?;
        self.lexer.expect(Token::Open)?;
        let left = self.operand()?;
        self.lexer.expect(Token::Comma)?;
        let right = self.operand()?;
        self.lexer.expect(Token::Close)?;
        self.leave(1);
        match (left, right) {
            (Operand::Place(place), Operand::Literal(Literal::Text(pattern))) if place.is_text() => {
                let column = place.column.logical_name.clone();
                Ok(place.through(Filter::Text { column, op, pattern: pattern.into_owned() }))
            }
            _ => Err(ODataError::bad_request(format!(
                "No function signature for the function with name '{name}' matches the specified arguments."
            ))),
        }
    }

    /// Goes some levels deeper. Levels are counted as [`super::print_filter`] would write them, so that it never
    /// writes what cannot be read.
    pub(super) fn enter(&mut self, levels: usize) -> Result<()> {
        self.depth += levels;
        if self.depth > FILTER_DEPTH_MAX {
            return Err(ODataError::bad_request(format!(
                "The expression is nested deeper than {FILTER_DEPTH_MAX} levels."
            )));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self, levels: usize) {
        self.depth -= levels;
    }

    pub(super) fn count_node(&mut self) -> Result<()> {
        self.nodes += 1;
        if self.nodes > FILTER_NODES_MAX {
            return Err(ODataError::bad_request(format!(
                "The expression has more than {FILTER_NODES_MAX} nodes."
            )));
        }
        Ok(())
    }
}

/// A column by its name on the wire.
///
/// # Errors
/// 400 in the words of the service when there is none.
pub(crate) fn column<'a>(table: &'a Table, property: &str) -> Result<&'a crate::Column> {
    table.column_by_property(property).ok_or_else(|| column_not_found(table, property))
}

/// 400 in the words of the service.
pub(crate) fn column_not_found(table: &Table, property: &str) -> ODataError {
    let shown: String = property.chars().take(100).collect();
    ODataError::bad_request(format!(
        "Could not find a property named '{shown}' on type 'Microsoft.Dynamics.CRM.{}'.",
        table.logical_name
    ))
}

fn operator(token: Token<'_>) -> Option<super::CompareOp> {
    match token {
        Token::Word(word) => super::CompareOp::ALL.into_iter().find(|op| op.keyword() == word),
        _ => None,
    }
}

pub(super) fn is_name(word: &str) -> bool {
    let letters = word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'));
    letters && !word.starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

/// 400 for what is no condition.
pub(super) fn not_boolean() -> ODataError {
    ODataError::bad_request("The $filter expression must evaluate to a single boolean value.")
}
