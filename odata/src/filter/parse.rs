//! Recursive descent over the `$filter` grammar (OData 4.0 Part 2 §5.1.1, ABNF `boolCommonExpr`).

use super::literal::{comparable, edm_type, incompatible, Literal};
use super::token::{Lexer, Token};
use super::{CompareOp, Filter, TextOp, FILTER_DEPTH_MAX, FILTER_NODES_MAX};
use crate::collate::compare_values;
use crate::edm::{Column, ColumnKind, Table};
use crate::error::{ODataError, Result};
use crate::value::Value;

/// What an expression can be before it is known whether it must be a condition.
enum Operand<'a> {
    Column(&'a Column),
    Literal(Literal<'a>),
    Condition(Filter),
}

/// Texts of the parameter aliases (`@p1=…`), by name without `@`.
pub(crate) type Aliases<'a> = dyn Fn(&str) -> Option<&'a str> + 'a;

/// See [`super::parse_filter`]; an alias that is not assigned is null.
pub(crate) fn parse<'a>(text: &'a str, table: &'a Table, aliases: &Aliases<'a>) -> Result<Filter> {
    let mut parser = Parser { lexer: Lexer::new(text)?, table, aliases, depth: 0, nodes: 0 };
    let operand = parser.disjunction()?;
    if parser.lexer.peek() != Token::End {
        return Err(parser.lexer.syntax_error());
    }
    condition(operand)
}

struct Parser<'a, 'b> {
    lexer: Lexer<'a>,
    table: &'a Table,
    aliases: &'b Aliases<'a>,
    /// Open parentheses, functions and `not`s.
    depth: usize,
    nodes: usize,
}

impl<'a> Parser<'a, '_> {
    fn disjunction(&mut self) -> Result<Operand<'a>> {
        let first = self.conjunction()?;
        if self.lexer.peek() != Token::Word("or") {
            return Ok(first);
        }
        let mut items = vec![condition(first)?];
        while self.lexer.accept(Token::Word("or"))? {
            items.push(condition(self.conjunction()?)?);
        }
        Ok(Operand::Condition(Filter::Or(items)))
    }

    fn conjunction(&mut self) -> Result<Operand<'a>> {
        let first = self.negation()?;
        if self.lexer.peek() != Token::Word("and") {
            return Ok(first);
        }
        let mut items = vec![condition(first)?];
        while self.lexer.accept(Token::Word("and"))? {
            items.push(condition(self.negation()?)?);
        }
        Ok(Operand::Condition(Filter::And(items)))
    }

    /// `not` takes the whole comparison after it: `not name eq 'x'` means `not (name eq 'x')`. By the letter
    /// of the standard it would bind to `name`, which is no condition and therefore never meant.
    fn negation(&mut self) -> Result<Operand<'a>> {
        if !self.lexer.accept(Token::Word("not"))? {
            return self.comparison();
        }
        self.enter()?;
        let inner = condition(self.negation()?)?;
        self.depth -= 1;
        Ok(Operand::Condition(Filter::Not(Box::new(inner))))
    }

    fn comparison(&mut self) -> Result<Operand<'a>> {
        let mut left = self.operand()?;
        while let Some(op) = operator(self.lexer.peek()) {
            self.lexer.advance()?;
            let right = self.operand()?;
            self.count_node()?;
            left = Operand::Condition(compare(left, op, right)?);
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Operand<'a>> {
        self.count_node()?;
        let token = self.lexer.peek();
        if let Some(literal) = Literal::read(token) {
            self.lexer.advance()?;
            return Ok(Operand::Literal(literal));
        }
        match token {
            Token::Open => {
                self.enter()?;
                self.lexer.advance()?;
                let inner = self.disjunction()?;
                self.lexer.expect(Token::Close)?;
                self.depth -= 1;
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
                    Token::Slash => Err(ODataError::not_implemented(format!(
                        "The path or lambda after '{word}' in the expression is not supported."
                    ))),
                    _ => column(self.table, word).map(Operand::Column),
                }
            }
            Token::Word(_) | Token::Text(_) | Token::Close | Token::Comma | Token::Slash | Token::End => {
                Err(self.lexer.syntax_error())
            }
        }
    }

    fn alias(&self, name: &str) -> Result<Literal<'a>> {
        let Some(text) = (self.aliases)(name) else { return Ok(Literal::Null) };
        let mut lexer = Lexer::new(text)?;
        match Literal::read(lexer.advance()?) {
            Some(literal) if lexer.peek() == Token::End => Ok(literal),
            _ => Err(ODataError::bad_request(format!("The parameter alias '@{name}' is not a literal."))),
        }
    }

    fn function(&mut self, name: &str) -> Result<Filter> {
        let op = match name {
            "contains" => TextOp::Contains,
            "startswith" => TextOp::StartsWith,
            "endswith" => TextOp::EndsWith,
            _ if name.starts_with("Microsoft.Dynamics.CRM.") => {
                return Err(ODataError::not_implemented(format!("The function '{name}' is not supported.")))
            }
            _ => {
                return Err(ODataError::bad_request(format!(
                    "An unknown function with name '{name}' was found."
                )))
            }
        };
        self.enter()?;
        self.lexer.expect(Token::Open)?;
        let left = self.operand()?;
        self.lexer.expect(Token::Comma)?;
        let right = self.operand()?;
        self.lexer.expect(Token::Close)?;
        self.depth -= 1;
        match (left, right) {
            (Operand::Column(column), Operand::Literal(Literal::Text(pattern))) if is_text(column) => {
                let column = column.logical_name.clone();
                Ok(Filter::Text { column, op, pattern: pattern.into_owned() })
            }
            _ => Err(ODataError::bad_request(format!(
                "No function signature for the function with name '{name}' matches the specified arguments."
            ))),
        }
    }

    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > FILTER_DEPTH_MAX {
            return Err(ODataError::bad_request(format!(
                "The expression is nested deeper than {FILTER_DEPTH_MAX} levels."
            )));
        }
        Ok(())
    }

    fn count_node(&mut self) -> Result<()> {
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
pub(crate) fn column<'a>(table: &'a Table, property: &str) -> Result<&'a Column> {
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

fn operator(token: Token<'_>) -> Option<CompareOp> {
    match token {
        Token::Word(word) => CompareOp::ALL.into_iter().find(|op| op.keyword() == word),
        _ => None,
    }
}

fn is_name(word: &str) -> bool {
    let letters = word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'));
    letters && !word.starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

fn is_text(column: &Column) -> bool {
    matches!(column.kind, ColumnKind::Text { .. } | ColumnKind::Memo { .. })
}

fn condition(operand: Operand<'_>) -> Result<Filter> {
    match operand {
        Operand::Condition(filter) => Ok(filter),
        Operand::Literal(Literal::Bool(value)) => Ok(Filter::Always(value)),
        Operand::Literal(Literal::Null) => Ok(Filter::Always(false)),
        Operand::Column(column) if matches!(column.kind, ColumnKind::Boolean { .. }) => Ok(Filter::Compare {
            column: column.logical_name.clone(),
            op: CompareOp::Equal,
            value: Value::Bool(true),
        }),
        Operand::Column(_) | Operand::Literal(_) => {
            Err(ODataError::bad_request("The $filter expression must evaluate to a single boolean value."))
        }
    }
}

fn compare(left: Operand<'_>, op: CompareOp, right: Operand<'_>) -> Result<Filter> {
    match (left, right) {
        (Operand::Column(column), Operand::Literal(literal)) => compare_column(column, op, &literal),
        (Operand::Literal(literal), Operand::Column(column)) => {
            compare_column(column, op.flipped(), &literal)
        }
        (Operand::Column(left), Operand::Column(right)) => match comparable(left, right) {
            true => Ok(Filter::CompareColumns {
                left: left.logical_name.clone(),
                op,
                right: right.logical_name.clone(),
            }),
            false => Err(incompatible(edm_type(left), edm_type(right), op)),
        },
        (Operand::Literal(left), Operand::Literal(right)) => {
            compare_literals(&left.value(), op, &right.value())
        }
        (Operand::Condition(filter), Operand::Literal(literal))
        | (Operand::Literal(literal), Operand::Condition(filter)) => compare_condition(filter, op, &literal),
        (Operand::Condition(_), Operand::Condition(_) | Operand::Column(_))
        | (Operand::Column(_), Operand::Condition(_)) => {
            Err(ODataError::bad_request("Conditions can be compared with true and false only."))
        }
    }
}

fn compare_column(column: &Column, op: CompareOp, literal: &Literal<'_>) -> Result<Filter> {
    Ok(literal.bound(column, op)?.compare(&column.logical_name, op))
}

/// Literals are compared as they stand; a null is equal to a null and to nothing else.
fn compare_literals(left: &Value, op: CompareOp, right: &Value) -> Result<Filter> {
    if left.is_null() || right.is_null() {
        let equal = left.is_null() && right.is_null();
        return Ok(Filter::Always(match op {
            CompareOp::Equal => equal,
            CompareOp::NotEqual => !equal,
            CompareOp::Greater | CompareOp::GreaterOrEqual | CompareOp::Less | CompareOp::LessOrEqual => {
                false
            }
        }));
    }
    match compare_values(left, right) {
        Some(order) => Ok(Filter::Always(op.holds(order))),
        None => Err(ODataError::bad_request(
            "A binary operator with incompatible types was detected between two literals.",
        )),
    }
}

/// `contains(name,'x') eq true`, as some query builders write it.
fn compare_condition(filter: Filter, op: CompareOp, literal: &Literal<'_>) -> Result<Filter> {
    let wanted = match (op, literal) {
        (CompareOp::Equal, Literal::Bool(value)) => *value,
        (CompareOp::NotEqual, Literal::Bool(value)) => !*value,
        _ => return Err(ODataError::bad_request("Conditions can be compared with true and false only.")),
    };
    Ok(if wanted { filter } else { Filter::Not(Box::new(filter)) })
}
