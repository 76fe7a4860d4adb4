//! Paths through navigation properties, and the lambdas at their ends.

use super::parse::{column, column_not_found, is_name, Parser, Scope, NEGATION_LEVELS};
use super::place::{through, Operand, Place};
use super::token::Token;
use super::{Filter, PATH_DEPTH_MAX};
use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};
use crate::navigation::{navigation, single_target, Navigation};

impl<'a> Parser<'a, '_> {
    /// What a name in an expression leads to; its first word has been read.
    pub(super) fn path(&mut self, first: &'a str) -> Result<Operand<'a>> {
        let mut segment = first;
        if let Some(range) = self.scope.range {
            // The names in sight are those of the row that the range variable stands for. Names without it would
            // be of the outer row; a condition over two rows has no place in Dataverse.
            if segment != range || self.lexer.peek() != Token::Slash {
                return Err(ODataError::bad_request(format!(
                    "Inside 'any' and 'all' the range variable '{range}' must lead to every property."
                )));
            }
            self.lexer.advance()?;
            segment = self.name()?;
        }
        let (mut table, mut path) = (self.scope.table, Vec::new());
        loop {
            match self.lexer.peek() {
                Token::Slash => {
                    self.lexer.advance()?;
                    match navigation(self.schema, table, segment) {
                        Some(Navigation::ToMany { table, .. } | Navigation::ManyToMany { table, .. }) => {
                            let any = self.lambda(segment, table)?;
                            return Ok(Operand::Condition(through(&path, any)));
                        }
                        Some(Navigation::ToOne { .. }) => {
                            table = step(self.schema, table, segment, &mut path)?
                        }
                        None => return Err(column_not_found(table, segment)),
                    }
                    segment = self.name()?;
                }
                Token::Open => {
                    let function = self.query_function(table, segment)?;
                    return Ok(Operand::Condition(through(&path, function)));
                }
                _ => return Ok(Operand::Place(Place { path, column: column(table, segment)? })),
            }
        }
    }

    /// A column, perhaps at the end of a path, where no condition can stand.
    pub(crate) fn place(&mut self) -> Result<Place<'a>> {
        let (mut table, mut path) = (self.scope.table, Vec::new());
        let mut segment = self.name()?;
        while self.lexer.accept(Token::Slash)? {
            table = step(self.schema, table, segment, &mut path)?;
            segment = self.name()?;
        }
        Ok(Place { path, column: column(table, segment)? })
    }

    /// A word that can be a name.
    pub(crate) fn name(&mut self) -> Result<&'a str> {
        match self.lexer.peek() {
            Token::Word(word) if is_name(word) => {
                self.lexer.advance()?;
                Ok(word)
            }
            _ => Err(self.lexer.syntax_error()),
        }
    }

    /// `any(x:…)`, `all(x:…)` or `any()`, on the rows of a collection of that table.
    fn lambda(&mut self, collection: &str, table: &'a Table) -> Result<Filter> {
        let all = match self.name()? {
            "any" => false,
            "all" => true,
            _ => {
                return Err(ODataError::bad_request(format!(
                    "Only 'any' and 'all' can follow the collection '{collection}' in an expression."
                )))
            }
        };
        if self.scope.range.is_some() {
            return Err(ODataError::bad_request("'any' and 'all' cannot be nested."));
        }
        // `all` is written as the negation of an `any` of a negation.
        let levels = if all { 1 + 2 * NEGATION_LEVELS } else { 1 };
        self.enter(levels)?;
        self.lexer.expect(Token::Open)?;
        let collection = collection.to_owned();
        if !all && self.lexer.accept(Token::Close)? {
            self.leave(levels);
            return Ok(Filter::Any { collection, filter: Box::new(Filter::Always(true)) });
        }
        let range = self.name()?;
        self.lexer.expect(Token::Colon)?;
        let outer = std::mem::replace(&mut self.scope, Scope { table, range: Some(range) });
        let filter = self.condition()?;
        self.scope = outer;
        self.lexer.expect(Token::Close)?;
        self.leave(levels);
        let any = |filter| Filter::Any { collection, filter: Box::new(filter) };
        Ok(match all {
            false => any(filter),
            true => Filter::Not(Box::new(any(Filter::Not(Box::new(filter))))),
        })
    }
}

/// Follows one single-valued navigation property.
pub(super) fn step<'a>(
    schema: &'a Schema,
    table: &'a Table,
    navigation: &'a str,
    path: &mut Vec<&'a str>,
) -> Result<&'a Table> {
    if path.len() == PATH_DEPTH_MAX {
        return Err(ODataError::bad_request(format!(
            "A path follows more than {PATH_DEPTH_MAX} navigation properties."
        )));
    }
    let target = single_target(schema, table, navigation)?;
    path.push(navigation);
    Ok(target)
}
