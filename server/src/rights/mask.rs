//! Which columns a filter looks at: when one of them is masked or shown again, it has to be judged anew.

use flette_odata::filter::Filter;

/// Whether a filter looks at one of the columns that `names` holds.
pub fn looks_at(filter: &Filter, names: &dyn Fn(&str) -> bool) -> bool {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().any(|part| looks_at(part, names)),
        Filter::Not(part) => looks_at(part, names),
        Filter::Compare { column, .. }
        | Filter::Text { column, .. }
        | Filter::HasValues { column, .. }
        | Filter::Function { column, .. } => names(column),
        Filter::CompareColumns { left, right, .. } => names(left) || names(right),
        Filter::Through { .. } | Filter::Any { .. } | Filter::Always(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::schema;
    use flette_odata::filter::parse_filter;

    #[test]
    fn a_filter_looks_at_the_columns_it_names() {
        let schema = schema();
        let account = schema.table("account").unwrap();
        let check = |text: &str, expected: bool| {
            let filter = parse_filter(text, account, &schema).unwrap();
            assert_eq!(looks_at(&filter, &|column| column == "telephone1"), expected, "{text}");
        };
        check("telephone1 eq null", true);
        check("name eq 'A' and not (name eq 'B' or startswith(telephone1,'s'))", true);
        check("name eq telephone1", true);
        check("name eq 'telephone1'", false);
    }
}
