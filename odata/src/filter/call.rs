//! Query functions: `Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=3)`.

use super::operator::Named;
use super::parse::{column_not_found, Parser, NEGATION_LEVELS};
use super::path::step;
use super::place::Place;
use super::token::{unescape, Lexer, Token};
use super::Filter;
use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};
use std::borrow::Cow;

/// What stands before the name of a query function.
pub(super) const FUNCTION_PREFIX: &str = "Microsoft.Dynamics.CRM.";

/// The arguments of a call, by their names.
#[derive(Default)]
struct Arguments<'a> {
    property: Option<Cow<'a, str>>,
    /// `PropertyValue`, `PropertyValues`, or `PropertyValue1` and `PropertyValue2`.
    values: Option<Vec<Cow<'a, str>>>,
}

impl<'a> Parser<'a, '_> {
    /// A query function on a row of a table; its name has been read, its parenthesis comes next.
    pub(super) fn query_function(&mut self, table: &'a Table, name: &str) -> Result<Filter> {
        let function = name.strip_prefix(FUNCTION_PREFIX).and_then(Named::find).ok_or_else(|| {
            ODataError::bad_request(format!("An unknown function with name '{name}' was found."))
        })?;
        // A list becomes a group of conditions, or the negation of one.
        self.enter(NEGATION_LEVELS)?;
        self.lexer.expect(Token::Open)?;
        let mut arguments = Arguments::default();
        loop {
            self.argument(&mut arguments)?;
            if !self.lexer.accept(Token::Comma)? {
                break;
            }
        }
        self.lexer.expect(Token::Close)?;
        self.leave(NEGATION_LEVELS);
        let property = arguments.property.ok_or_else(|| missing(name))?;
        let place = property_place(self.schema, table, &property)?;
        let values: Vec<String> = arguments.values.into_iter().flatten().map(Cow::into_owned).collect();
        let filter = function.condition(place.column, &values)?;
        Ok(place.through(filter))
    }

    fn argument(&mut self, arguments: &mut Arguments<'a>) -> Result<()> {
        let name = self.name()?;
        self.lexer.expect(Token::Assign)?;
        let mut values = match self.lexer.peek() {
            Token::Alias(alias) => {
                self.lexer.advance()?;
                let mut lexer = Lexer::new(self.assigned(alias).unwrap_or_default())?;
                let values = self.values(&mut lexer)?;
                if lexer.peek() != Token::End {
                    return Err(ODataError::bad_request(format!(
                        "The parameter alias '@{alias}' is no value and no list of values."
                    )));
                }
                values
            }
            _ => {
                // Out and back again: the lexer belongs to the parser, and so does the count of nodes.
                let mut lexer = self.lexer.clone();
                let values = self.values(&mut lexer)?;
                self.lexer = lexer;
                values
            }
        };
        let twice = || ODataError::bad_request(format!("The argument '{name}' does not fit or comes twice."));
        match (name, values.as_mut_slice()) {
            ("PropertyName", [value]) if arguments.property.is_none() => {
                arguments.property = Some(std::mem::take(value));
            }
            ("PropertyValue" | "PropertyValue1", [_]) | ("PropertyValues", _)
                if arguments.values.is_none() =>
            {
                arguments.values = Some(values);
            }
            ("PropertyValue2", [value]) => match &mut arguments.values {
                Some(first) if first.len() == 1 => first.push(std::mem::take(value)),
                _ => return Err(twice()),
            },
            _ => return Err(twice()),
        }
        Ok(())
    }

    /// A value, or a list of them in brackets, as texts without quotes.
    fn values(&mut self, lexer: &mut Lexer<'a>) -> Result<Vec<Cow<'a, str>>> {
        if !lexer.accept(Token::OpenList)? {
            return Ok(vec![self.value(lexer)?]);
        }
        let mut values = Vec::new();
        while !lexer.accept(Token::CloseList)? {
            if !values.is_empty() {
                lexer.expect(Token::Comma)?;
            }
            values.push(self.value(lexer)?);
        }
        Ok(values)
    }

    fn value(&mut self, lexer: &mut Lexer<'a>) -> Result<Cow<'a, str>> {
        // Each becomes a comparison: column, literal, and itself.
        for _ in 0..3 {
            self.count_node()?;
        }
        let value = match lexer.peek() {
            Token::Text(quoted) => unescape(quoted),
            Token::Json(quoted) => {
                Cow::Owned(serde_json::from_slice(quoted.as_bytes()).map_err(|_| lexer.syntax_error())?)
            }
            Token::Word(word) if word != "null" => Cow::Borrowed(word),
            _ => return Err(lexer.syntax_error()),
        };
        lexer.advance()?;
        Ok(value)
    }
}

/// The column that a `PropertyName` means: a property or a column's logical name, perhaps at the end of a path.
fn property_place<'a>(schema: &'a Schema, table: &'a Table, text: &str) -> Result<Place<'a>> {
    let (mut table, mut path) = (table, Vec::new());
    let mut segments = text.split('/');
    let last = segments.next_back().unwrap_or_default();
    for segment in segments {
        // The schema's own name outlives the text.
        let (_, targets) = table.navigation(segment).ok_or_else(|| column_not_found(table, segment))?;
        let name = targets.first().map(|target| target.navigation.as_str()).unwrap_or_default();
        table = step(schema, table, name, &mut path)?;
    }
    let column = table.column_by_property(last).or_else(|| table.column(last));
    Ok(Place { path, column: column.ok_or_else(|| column_not_found(table, last))? })
}

fn missing(name: &str) -> ODataError {
    ODataError::bad_request(format!("The function '{name}' needs the argument 'PropertyName'."))
}
