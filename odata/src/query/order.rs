//! `$orderby`: columns, perhaps at the end of paths.

use super::{invalid, OrderBy, ORDER_KEYS_MAX};
use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};
use crate::filter::parse::Parser;
use crate::filter::token::Token;

/// `name asc,primarycontactid/fullname desc`
pub(super) fn parse(list: &str, table: &Table, schema: &Schema) -> Result<Vec<OrderBy>> {
    let mut keys = Vec::new();
    if list.trim().is_empty() {
        return Ok(keys);
    }
    for key in list.split(',') {
        if keys.len() == ORDER_KEYS_MAX {
            return Err(ODataError::bad_request(format!("$orderby has more than {ORDER_KEYS_MAX} keys.")));
        }
        keys.push(one(key, table, schema)?);
    }
    Ok(keys)
}

fn one(key: &str, table: &Table, schema: &Schema) -> Result<OrderBy> {
    let malformed = || invalid("$orderby");
    let mut parser = Parser::new(key, table, schema, &|_| None).map_err(|_| malformed())?;
    if !matches!(parser.lexer.peek(), Token::Word(_)) {
        return Err(malformed());
    }
    let place = parser.place()?;
    let descending = match parser.lexer.peek() {
        Token::End => false,
        Token::Word("asc") => false,
        Token::Word("desc") => true,
        _ => return Err(malformed()),
    };
    parser.lexer.advance()?;
    parser.finish().map_err(|_| malformed())?;
    let path = place.path.iter().map(|name| (*name).to_owned()).collect();
    Ok(OrderBy { path, column: place.column.logical_name.clone(), descending })
}
