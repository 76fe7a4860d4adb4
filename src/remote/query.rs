//! URLs of what is pulled.

use crate::model::Millis;
use flette_odata::edm::Table;
use flette_odata::time::format_datetime;
use uuid::Uuid;

/// All rows of a table that pass a filter, with these properties.
pub fn collection_url(root: &str, table: &Table, columns: &[String], filter: Option<&str>) -> String {
    let filter = filter.map(|filter| format!("&$filter={}", encoded(filter))).unwrap_or_default();
    format!("{root}{}?$select={}{filter}", table.set_name, columns.join(","))
}

/// The ids of those rows; their etags come along.
pub fn listing_url(root: &str, table: &Table, filter: Option<&str>) -> String {
    collection_url(root, table, std::slice::from_ref(&table.primary_id), filter)
}

/// Those of them that have one of these ids, below the root.
pub fn rows_url(table: &Table, columns: &[String], filter: Option<&str>, ids: &[Uuid]) -> String {
    let one_of: Vec<String> = ids.iter().map(|id| format!("{} eq {id}", table.primary_id)).collect();
    let one_of = one_of.join(" or ");
    let filter = filter.map_or_else(|| one_of.clone(), |filter| format!("({one_of}) and ({filter})"));
    collection_url("", table, columns, Some(&filter))
}

/// Those of them that were changed at `since` or later, in an order that stands still while pages are read.
pub fn sweep_url(
    root: &str,
    table: &Table,
    columns: &[String],
    filter: Option<&str>,
    since: Millis,
) -> String {
    let since = format!("modifiedon ge {}", format_datetime(since.0));
    let filter = filter.map_or_else(|| since.clone(), |filter| format!("{since} and ({filter})"));
    format!(
        "{}&$orderby=modifiedon%20asc,{}%20asc",
        collection_url(root, table, columns, Some(&filter)),
        table.primary_id
    )
}

/// The text of a filter as it stands in a URL (RFC 3986, 3.4): whatever could end it is escaped.
pub(super) fn encoded(filter: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~'(),$:@/*=".contains(&byte);
    let mut url = String::with_capacity(filter.len());
    for byte in filter.bytes() {
        match is_plain(byte) {
            true => url.push(char::from(byte)),
            false => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

/// One row.
pub fn row_url(root: &str, table: &Table, id: Uuid) -> String {
    format!("{root}{}({id})", table.set_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_stands_in_the_url_as_it_was_meant() {
        let table = flette_server::schema::schema().table("account").cloned().unwrap();
        let columns = ["name".to_owned()];
        let url = |filter| collection_url("/r/", &table, &columns, filter);
        assert_eq!(url(None), "/r/accounts?$select=name");
        let filter = "name eq 'A&B #1+2 å' or Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')";
        assert_eq!(
            url(Some(filter)),
            "/r/accounts?$select=name&$filter=name%20eq%20'A%26B%20%231%2B2%20%C3%A5'%20or%20\
             Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')"
        );
        assert_eq!(
            sweep_url("/r/", &table, &columns, Some("a eq 1 or b eq 2"), Millis(7000)),
            "/r/accounts?$select=name&$filter=modifiedon%20ge%201970-01-01T00:00:07Z%20and%20(a%20eq%201%20or%20b%20eq%202)\
             &$orderby=modifiedon%20asc,accountid%20asc"
        );
    }
}
