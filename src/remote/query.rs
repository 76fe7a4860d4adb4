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

/// What stands in the path of every API root, before its version.
const API_PATH: &str = "/api/data/v";

/// Where a link that the server gave is followed: its path and query as they are, at the origin of the root. Behind a proxy a
/// server names a host that is not to be reached from here, or must not learn who is calling. Where the path is not below the
/// root's, what stands behind the API root in it is; a relative link is relative to the root.
pub(super) fn link_url(root: &str, link: &str) -> String {
    let (origin, root_path) = split_origin(root);
    let (named, path) = split_origin(link);
    if named.is_empty() && !path.starts_with('/') {
        return format!("{root}{path}");
    }
    if path.starts_with(root_path) {
        return format!("{origin}{path}");
    }
    let only_path = path.split(['?', '#']).next().unwrap_or_default();
    let rest = only_path.find(API_PATH).and_then(|at| {
        let version = at + API_PATH.len();
        path.get(version + path.get(version..)?.find('/')? + 1..)
    });
    rest.map_or_else(|| format!("{origin}{path}"), |rest| format!("{root}{rest}"))
}

/// Scheme and host of a URL, if it has any (RFC 3986, 4.2), and what follows them.
fn split_origin(url: &str) -> (&str, &str) {
    let head = url.find(['/', '?', '#']).unwrap_or(url.len());
    let host = match url.get(head..) {
        Some(rest) if rest.starts_with("//") && (head == 0 || url[..head].ends_with(':')) => head + 2,
        Some(_) | None => return ("", url),
    };
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
    url.split_at(end)
}

/// One row.
pub fn row_url(root: &str, table: &Table, id: Uuid) -> String {
    format!("{root}{}({id})", table.set_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_followed_at_the_root_whatever_host_it_names() {
        let near = "/api/data/v9.2/";
        let far = "https://proxy.example/crm/api/data/v9.2/";
        for (root, link, url) in [
            (near, "https://crm/api/data/v9.2/a?$skiptoken=%3c1%20", "/api/data/v9.2/a?$skiptoken=%3c1%20"),
            (near, "http://crm:5555/org/api/data/v9.1/a?x=/b/", "/api/data/v9.2/a?x=/b/"),
            (near, "/api/data/v9.2/a?$deltatoken=1", "/api/data/v9.2/a?$deltatoken=1"),
            (near, "//crm/api/data/v9.2/a", "/api/data/v9.2/a"),
            (near, "a?u=http://crm/x", "/api/data/v9.2/a?u=http://crm/x"),
            (near, "https://crm/odata/a?u=/api/data/v9.2/b", "/odata/a?u=/api/data/v9.2/b"),
            (far, "https://crm/api/data/v9.2/a?t=1", "https://proxy.example/crm/api/data/v9.2/a?t=1"),
            (far, "https://proxy.example/crm/api/data/v9.2/a", "https://proxy.example/crm/api/data/v9.2/a"),
            (far, "a?t=1", "https://proxy.example/crm/api/data/v9.2/a?t=1"),
            (far, "https://crm", "https://proxy.example"),
        ] {
            assert_eq!(link_url(root, link), url, "{root} {link}");
        }
    }

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
