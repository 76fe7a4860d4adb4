//! From [`Fetch`] to text. What is read back is the same query.

use super::{
    Attribute, Columns, Condition, Criteria, DateGrouping, Entity, Extent, Fetch, Figure, Link, LinkKind,
    Order, OrderKey, Role, Test, AGGREGATE_ROWS_MAX,
};

/// The query as FetchXML, in one line.
pub fn print(fetch: &Fetch) -> String {
    let mut out = Writer { text: String::new() };
    out.open("fetch");
    for (name, value) in [
        ("distinct", fetch.distinct),
        ("aggregate", fetch.aggregate),
        ("returntotalrecordcount", fetch.total_record_count),
    ] {
        out.flag(name, value);
    }
    match &fetch.extent {
        Extent::Top(top) => out.attribute("top", &top.to_string()),
        Extent::Page { number, count, cookie } => {
            if *number != 1 {
                out.attribute("page", &number.to_string());
            }
            out.optional("count", count.map(|count| count.to_string()).as_deref());
            out.optional("paging-cookie", cookie.as_deref());
        }
    }
    if fetch.aggregate_rows_max != AGGREGATE_ROWS_MAX {
        out.attribute("aggregatelimit", &fetch.aggregate_rows_max.to_string());
    }
    out.inside();
    out.open("entity");
    out.attribute("name", &fetch.entity.table);
    out.inside();
    out.entity(&fetch.entity, !fetch.aggregate);
    out.close("entity");
    out.close("fetch");
    out.text
}

struct Writer {
    text: String,
}

impl Writer {
    fn open(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
    }

    fn inside(&mut self) {
        self.text.push('>');
    }

    fn end(&mut self) {
        self.text.push_str("/>");
    }

    fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.text.push(' ');
        self.text.push_str(name);
        self.text.push_str("=\"");
        escape(&mut self.text, value);
        self.text.push('"');
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.attribute(name, value);
        }
    }

    fn flag(&mut self, name: &str, value: bool) {
        if value {
            self.attribute(name, "true");
        }
    }

    /// `bare`: whether no columns at all have to be said.
    fn entity(&mut self, entity: &Entity, bare: bool) {
        match &entity.columns {
            Columns::All => {
                self.open("all-attributes");
                self.end();
            }
            Columns::Some(attributes) if attributes.is_empty() && bare => {
                self.open("no-attrs");
                self.end();
            }
            Columns::Some(attributes) => attributes.iter().for_each(|attribute| self.column(attribute)),
        }
        entity.criteria.iter().for_each(|criteria| self.criteria(criteria));
        entity.orders.iter().for_each(|order| self.order(order));
        entity.links.iter().for_each(|link| self.link(link));
    }

    fn column(&mut self, attribute: &Attribute) {
        self.open("attribute");
        self.attribute("name", &attribute.column);
        self.optional("alias", attribute.alias.as_deref());
        match attribute.role {
            Role::Plain => {}
            Role::Group(grouping) => {
                self.flag("groupby", true);
                let named = DateGrouping::ALL.into_iter().find(|(one, _)| Some(*one) == grouping);
                self.optional("dategrouping", named.map(|(_, name)| name));
            }
            Role::Aggregate(figure) => {
                let named = Figure::ALL.into_iter().find(|(one, _)| *one == figure);
                self.optional("aggregate", named.map(|(_, name)| name));
                self.flag("distinct", figure == Figure::DistinctValues);
            }
        }
        self.end();
    }

    fn criteria(&mut self, criteria: &Criteria) {
        let (kind, parts) = match criteria {
            Criteria::And(parts) => ("and", parts),
            Criteria::Or(parts) => ("or", parts),
            Criteria::Condition(condition) => return self.condition(condition),
            Criteria::Link(link) => return self.link(link),
        };
        self.open("filter");
        self.attribute("type", kind);
        self.inside();
        parts.iter().for_each(|part| self.criteria(part));
        self.close("filter");
    }

    fn condition(&mut self, condition: &Condition) {
        self.open("condition");
        self.optional("entityname", condition.entity.as_deref());
        self.attribute("attribute", &condition.column);
        match &condition.test {
            Test::Column { op, entity, column } => {
                self.attribute("operator", op.keyword());
                let entity = entity.as_deref().map(|entity| format!("{entity}.")).unwrap_or_default();
                self.attribute("valueof", &format!("{entity}{column}"));
                self.end();
            }
            Test::Values { operator, values, .. } => {
                self.attribute("operator", operator.keyword);
                self.inside();
                for value in values {
                    self.open("value");
                    self.inside();
                    escape(&mut self.text, value);
                    self.close("value");
                }
                self.close("condition");
            }
        }
    }

    fn order(&mut self, order: &Order) {
        self.open("order");
        match &order.by {
            OrderKey::Column { entity, column } => {
                self.optional("entityname", entity.as_deref());
                self.attribute("attribute", column);
            }
            OrderKey::Alias(alias) => self.attribute("alias", alias),
        }
        self.flag("descending", order.descending);
        self.end();
    }

    fn link(&mut self, link: &Link) {
        self.open("link-entity");
        self.attribute("name", &link.entity.table);
        self.attribute("from", &link.from);
        self.attribute("to", &link.to);
        let named = LinkKind::ALL.into_iter().find(|(kind, _)| *kind == link.kind);
        self.optional("link-type", named.map(|(_, name)| name));
        self.attribute("alias", &link.alias);
        self.inside();
        self.entity(&link.entity, false);
        self.close("link-entity");
    }
}

/// Text that stands in an attribute or an element. White space other than blanks as references: a reader
/// would make blanks of it.
pub(super) fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
}
