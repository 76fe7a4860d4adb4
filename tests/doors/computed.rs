//! Columns that follow from others: at once, and as the server has them, after every kind of write.

use crate::world::{Ask, Known, World};

/// Verb, path, body; the row is read after each.
type Step = (&'static str, &'static str, &'static str);

const ALL: &str = "Prefer: odata.include-annotations=\"*\"";

/// The URL of a row, and what happens to it.
const STORIES: &[(&str, &[Step])] = &[
    (
        "contacts({c20})",
        &[
            (
                "POST",
                "contacts",
                r#"{"contactid":"{c20}","firstname":"Kari","lastname":"Nordmann","address1_line1":"Street 1","address1_city":"Oslo","address1_country":"Norway","address2_line1":"Second","address3_postalcode":"0150"}"#,
            ),
            (
                "PATCH",
                "contacts({c20})",
                r#"{"lastname":"Hansen","address1_stateorprovince":"OS","address1_postalcode":"0150"}"#,
            ),
            ("PUT", "contacts({c20})/firstname", r#"{"value":"Ola"}"#),
            ("DELETE", "contacts({c20})/address1_line1", ""),
            (
                "PATCH",
                "contacts({c20})",
                r#"{"firstname":null,"lastname":null,"address1_city":null,"address1_country":null,"address1_stateorprovince":null,"address1_postalcode":null,"address2_line1":null}"#,
            ),
            ("PATCH", "contacts({c20})", r#"{"address2_line2":"Below","address3_country":"Norway"}"#),
        ],
    ),
    (
        "leads(10000000-0000-4000-8000-000000000001)",
        &[
            (
                "POST",
                "leads",
                r#"{"leadid":"10000000-0000-4000-8000-000000000001","subject":"Lead","firstname":"A","lastname":"B","address1_line1":"x","address2_city":"y"}"#,
            ),
            (
                "PATCH",
                "leads(10000000-0000-4000-8000-000000000001)",
                r#"{"firstname":"","address1_line1":"z","revenue":100}"#,
            ),
            ("PUT", "leads(10000000-0000-4000-8000-000000000001)/lastname", r#"{"value":"C"}"#),
        ],
    ),
    (
        "annotations(20000000-0000-4000-8000-000000000001)",
        &[
            (
                "POST",
                "annotations",
                r#"{"annotationid":"20000000-0000-4000-8000-000000000001","subject":"Note","objectid_account@odata.bind":"/accounts({a0})","documentbody":"aGVsbG8gd29ybGQ=","filename":"a.txt"}"#,
            ),
            (
                "PATCH",
                "annotations(20000000-0000-4000-8000-000000000001)",
                r#"{"documentbody":"aGk=","notetext":"shorter"}"#,
            ),
            (
                "PATCH",
                "annotations(20000000-0000-4000-8000-000000000001)",
                r#"{"objectid_contact@odata.bind":"/contacts({c0})"}"#,
            ),
            ("DELETE", "annotations(20000000-0000-4000-8000-000000000001)/documentbody", ""),
        ],
    ),
    (
        "emails(e0000000-0000-4000-8000-000000000001)",
        &[
            (
                "POST",
                "emails",
                r#"{"activityid":"e0000000-0000-4000-8000-000000000001","subject":"Mail","regardingobjectid_account_email@odata.bind":"/accounts({a0})"}"#,
            ),
            ("PATCH", "emails(e0000000-0000-4000-8000-000000000001)", r#"{"statecode":1,"statuscode":2}"#),
            (
                "PATCH",
                "emails(e0000000-0000-4000-8000-000000000001)",
                r#"{"statecode":0,"description":"open again"}"#,
            ),
        ],
    ),
    (
        "appointments(e0000000-0000-4000-8000-000000000002)",
        &[
            (
                "POST",
                "appointments",
                r#"{"activityid":"e0000000-0000-4000-8000-000000000002","subject":"Meeting","scheduledstart":"2026-05-01T08:00:00Z","scheduledend":"2026-05-01T09:30:00Z"}"#,
            ),
            (
                "PATCH",
                "appointments(e0000000-0000-4000-8000-000000000002)",
                r#"{"scheduledend":"2026-05-01T10:00:00Z","location":"Here"}"#,
            ),
            (
                "PATCH",
                "appointments(e0000000-0000-4000-8000-000000000002)",
                r#"{"ownerid@odata.bind":"/systemusers({anna})"}"#,
            ),
        ],
    ),
    (
        "accounts({a20})",
        &[
            (
                "POST",
                "accounts",
                r#"{"accountid":"{a20}","name":"Of anna","ownerid@odata.bind":"/systemusers({anna})","revenue":12.5,"address1_line1":"1","address1_line2":"2","address1_line3":"3"}"#,
            ),
            ("PATCH", "accounts({a20})", r#"{"revenue":null,"address1_line2":null}"#),
            ("PATCH", "accounts({a20})", r#"{"ownerid@odata.bind":"/systemusers({ola})"}"#),
            ("PATCH", "accounts({a20})", r#"{"statecode":1}"#),
        ],
    ),
];

#[test]
fn columns_that_follow_from_others_follow_at_once() {
    for known in [Known::All, Known::Nothing] {
        let world = World::wide(known).loosely();
        for (row, steps) in STORIES {
            for (method, path, body) in *steps {
                world.check(204, &Ask::new(method, path, "", body));
                world.check(200, &Ask::get(row, ALL));
            }
        }
        world.agree();
    }
}
