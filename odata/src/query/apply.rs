//! `$apply`: `filter(…)/groupby((a,b),aggregate(x with sum as y,$count as n))`.

use super::{invalid, Aggregate, AggregateOp, Apply, GroupKey, AGGREGATES_MAX};
use crate::edm::{Column, ColumnKind, Schema, Table};
use crate::error::{ODataError, Result};
use crate::filter::parse::{Aliases, Parser};
use crate::filter::token::Token;

/// Reads the text of `$apply`.
pub(super) fn parse<'a>(
    text: &'a str,
    table: &'a Table,
    schema: &'a Schema,
    aliases: &Aliases<'a>,
) -> Result<Apply> {
    let mut parser = Parser::new(text, table, schema, aliases)?;
    let mut apply = Apply::default();
    if parser.lexer.accept(Token::Word("filter"))? {
        parser.lexer.expect(Token::Open)?;
        apply.filter = Some(parser.condition()?);
        parser.lexer.expect(Token::Close)?;
        parser.lexer.expect(Token::Slash)?;
    }
    match parser.lexer.peek() {
        Token::Word("groupby") => {
            parser.lexer.advance()?;
            groupby(&mut parser, &mut apply)?;
        }
        Token::Word("aggregate") => {
            parser.lexer.advance()?;
            aggregates(&mut parser, &mut apply)?;
        }
        Token::Word(other) => {
            let shown: String = other.chars().take(100).collect();
            return Err(ODataError::bad_request(format!("The transformation '{shown}' is not supported.")));
        }
        _ => return Err(parser.lexer.syntax_error()),
    }
    if parser.lexer.peek() == Token::Slash {
        return Err(ODataError::bad_request("Nothing can follow groupby or aggregate in $apply."));
    }
    parser.finish()?;
    Ok(apply)
}

/// `((a,b/c),aggregate(…))`
fn groupby(parser: &mut Parser<'_, '_>, apply: &mut Apply) -> Result<()> {
    parser.lexer.expect(Token::Open)?;
    parser.lexer.expect(Token::Open)?;
    loop {
        let place = parser.place()?;
        let path: Vec<String> = place.path.iter().map(|name| (*name).to_owned()).collect();
        let mut parts = path.clone();
        parts.push(place.column.property());
        let key = GroupKey { path, column: place.column.logical_name.clone(), alias: parts.join("_") };
        check_new(apply, &key.alias)?;
        apply.group.push(key);
        if !parser.lexer.accept(Token::Comma)? {
            break;
        }
    }
    parser.lexer.expect(Token::Close)?;
    if parser.lexer.accept(Token::Comma)? {
        parser.lexer.expect(Token::Word("aggregate"))?;
        aggregates(parser, apply)?;
    }
    parser.lexer.expect(Token::Close)
}

/// `(x with sum as y,$count as n)`
fn aggregates(parser: &mut Parser<'_, '_>, apply: &mut Apply) -> Result<()> {
    parser.lexer.expect(Token::Open)?;
    loop {
        let aggregate = aggregate(parser)?;
        check_new(apply, &aggregate.alias)?;
        apply.aggregates.push(aggregate);
        if !parser.lexer.accept(Token::Comma)? {
            break;
        }
    }
    parser.lexer.expect(Token::Close)
}

fn aggregate(parser: &mut Parser<'_, '_>) -> Result<Aggregate> {
    let (op, column) = match parser.lexer.accept(Token::Word("$count"))? {
        true => (AggregateOp::Count, None),
        false => {
            let place = parser.place()?;
            parser.lexer.expect(Token::Word("with"))?;
            let op = match parser.name()? {
                "sum" => AggregateOp::Sum,
                "average" => AggregateOp::Average,
                "min" => AggregateOp::Min,
                "max" => AggregateOp::Max,
                "countdistinct" => AggregateOp::CountDistinct,
                _ => {
                    return Err(ODataError::bad_request("An aggregation method in $apply is not supported."))
                }
            };
            check_type(op, place.column)?;
            let path = place.path.iter().map(|name| (*name).to_owned()).collect();
            (op, Some((path, place.column.logical_name.clone())))
        }
    };
    parser.lexer.expect(Token::Word("as"))?;
    let alias = parser.name()?;
    match alias.contains('.') {
        true => Err(parser.lexer.syntax_error()),
        false => Ok(Aggregate { op, column, alias: alias.to_owned() }),
    }
}

/// Names in the answer must differ, and there are only so many.
fn check_new(apply: &Apply, alias: &str) -> Result<()> {
    let mut names = apply.group.iter().map(|key| &key.alias).chain(apply.aggregates.iter().map(|a| &a.alias));
    if names.any(|name| name == alias) {
        return Err(ODataError::bad_request("A name in the answer of $apply comes twice."));
    }
    if apply.group.len() == AGGREGATES_MAX || apply.aggregates.len() == AGGREGATES_MAX {
        return Err(invalid("$apply"));
    }
    Ok(())
}

/// Sums and averages are of numbers; the least and the greatest of what people would order by size.
fn check_type(op: AggregateOp, column: &Column) -> Result<()> {
    let number = matches!(
        column.kind,
        ColumnKind::Integer { .. }
            | ColumnKind::Decimal { .. }
            | ColumnKind::Money { .. }
            | ColumnKind::Double { .. }
    );
    let suitable = match op {
        AggregateOp::Sum | AggregateOp::Average => number,
        AggregateOp::Min | AggregateOp::Max => {
            number || matches!(column.kind, ColumnKind::BigInt | ColumnKind::DateTime | ColumnKind::Date)
        }
        AggregateOp::Count | AggregateOp::CountDistinct => true,
    };
    match suitable {
        true => Ok(()),
        false => Err(ODataError::bad_request(format!(
            "The column '{}' cannot be aggregated in this way.",
            column.logical_name
        ))),
    }
}
