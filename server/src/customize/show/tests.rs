use super::*;
use crate::schema::schema;

#[test]
fn every_table_but_pairs_has_a_form_and_each_kind_of_view() {
    for table in &schema().tables {
        let all = shown(table);
        if table.intersect {
            assert!(all.is_empty(), "{}", table.logical_name);
            continue;
        }
        let kinds: Vec<&Value> = all
            .iter()
            .flat_map(|one| &one.values)
            .filter(|(name, _)| *name == "querytype")
            .map(|(_, value)| value)
            .collect();
        for kind in [PUBLIC, ASSOCIATED, QUICK_FIND, LOOKUP] {
            assert!(kinds.contains(&&Value::Int(kind)), "{} has no view of type {kind}", table.logical_name);
        }
        assert_eq!(kinds.contains(&&Value::Int(OFFLINE)), table.owned, "{}", table.logical_name);
        assert_eq!(all.iter().filter(|one| one.table == "systemform").count(), 1);
        let mut ids: Vec<Uuid> = all.iter().map(|one| one.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all.len());
    }
}

#[test]
fn what_forms_and_views_name_are_columns_of_their_table() {
    for table in &schema().tables {
        for (_, value) in shown(table).iter().flat_map(|one| &one.values) {
            let Some(xml) = value.as_text() else { continue };
            for mark in ["datafieldname=\"", "<attribute name=\"", "<cell name=\"", "attribute=\""] {
                for part in xml.split(mark).skip(1) {
                    let column = part.split('"').next().unwrap_or_default();
                    assert!(table.column(column).is_some(), "{}.{column}", table.logical_name);
                }
            }
        }
    }
}

#[test]
fn a_dropped_column_leaves_every_place_where_it_stands() {
    fn check(xml: &str, expected: &str) {
        assert_eq!(without(xml, "b"), expected, "{xml}");
    }
    check(
        "<entity><attribute name=\"a\"/><attribute name='b' /></entity>",
        "<entity><attribute name=\"a\"/></entity>",
    );
    check(
        "<row name=\"r\" id=\"i\"><cell name=\"a\"/><cell name='b' width='1'/></row>",
        "<row name=\"r\" id=\"i\"><cell name=\"a\"/></row>",
    );
    check("<order attribute=\"b\"/><order attribute=\"bb\"/>", "<order attribute=\"bb\"/>");
    check(
        "<filter><condition attribute=\"b\" operator=\"in\"><value>1</value></condition></filter>",
        "<filter></filter>",
    );
    check(
        "<condition attribute=\"a\" operator=\"eq\" value=\"b\"/>",
        "<condition attribute=\"a\" operator=\"eq\" value=\"b\"/>",
    );
    check(
        "<rows><row><cell id=\"1\"><control id=\"a\" datafieldname=\"a\"/></cell></row>\
         <row><cell id=\"2\"><control id=\"b\" datafieldname=\"b\"/></cell></row></rows>",
        "<rows><row><cell id=\"1\"><control id=\"a\" datafieldname=\"a\"/></cell></row></rows>",
    );
    check("<attribute name=\"b\"", "");
    check("no xml", "no xml");
}
