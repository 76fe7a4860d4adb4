//! Rows that are named by a path through others: behind a lookup, within a collection, and both in turn.

use crate::world::{Ask, Known, World};

const ALL: &str = "Prefer: odata.include-annotations=\"*\"";

/// Status and path. `{l1}` is paired with `{a0}`, `{l2}` is not.
const READS: &[(u16, &str)] = &[
    (200, "accounts({a0})/primarycontactid"),
    (200, "accounts({a0})/primarycontactid?$select=fullname"),
    (200, "accounts({a0})/primarycontactid/$ref"),
    (200, "accounts({a0})/primarycontactid/lastname"),
    (200, "accounts({a0})/primarycontactid/lastname/$value"),
    (200, "accounts({a0})/primarycontactid/parentcustomerid_account"),
    (200, "accounts({a0})/primarycontactid/parentcustomerid_account/name"),
    (200, "accounts({a0})/primarycontactid/parentcustomerid_account/$ref"),
    (200, "accounts({a0})/primarycontactid/parentcustomerid_account/primarycontactid/lastname"),
    (200, "contacts({c0})/parentcustomerid_account/contact_customer_accounts?$select=fullname&$orderby=fullname"),
    (200, "contacts({c0})/parentcustomerid_account/contact_customer_accounts/$count"),
    (200, "contacts({c0})/parentcustomerid_account/contact_customer_accounts/$ref"),
    (200, "contacts({c0})/parentcustomerid_account/contact_customer_accounts({c10})?$select=fullname"),
    (200, "contacts({c0})/parentcustomerid_account/contact_customer_accounts({c10})/lastname/$value"),
    (200, "contacts({c0})/parentcustomerid_account/Account_Tasks?$select=subject&$expand=regardingobjectid_account_task($select=name)"),
    (200, "contacts({c0})/owninguser/systemuserid"),
    (200, "accounts({a0})/contact_customer_accounts({c0})"),
    (200, "accounts({a0})/contact_customer_accounts({c0})?$select=fullname&$expand=parentcustomerid_account($select=name)"),
    (200, "accounts({a0})/contact_customer_accounts({c0})/fullname"),
    (200, "accounts({a0})/contact_customer_accounts({c0})/Contact_Tasks?$select=subject"),
    (200, "accounts({a0})/account_parent_account({a7})/parentaccountid/name/$value"),
    (200, "accounts({a0})/Account_Tasks({t0})/subject"),
    (200, "accounts({a0})/accountleads_association({l1})?$select=subject"),
    (200, "leads({l1})/accountleads_association({a0})/name"),
    (200, "leads({l1})/accountleads_association({a0})/primarycontactid/fullname"),
    (204, "contacts({c0})/parentcustomerid_account/parentaccountid"),
    (204, "contacts({c0})/parentcustomerid_account/address1_line1"),
    // Nothing hangs on what is not there.
    (404, "contacts({c2})/parentcustomerid_account/name"),
    (404, "contacts({c0})/parentcustomerid_contact/lastname"),
    (404, "contacts({c3})/parentcustomerid_account/contact_customer_accounts"),
    (404, "contacts({c27})/parentcustomerid_account/name"),
    (404, "accounts({a0})/contact_customer_accounts({c2})"),
    (404, "accounts({a0})/contact_customer_accounts({c1})/lastname"),
    (404, "accounts({a0})/contact_customer_accounts({c27})"),
    (404, "accounts({a27})/contact_customer_accounts({c0})"),
    (404, "accounts({a0})/Account_Tasks({t1})"),
    (404, "accounts({a0})/accountleads_association({l2})"),
    (404, "leads({l2})/accountleads_association({a0})/name"),
];

/// What there is no way to write: verb, path, body.
const WRITES: &[(&str, &str, &str)] = &[
    ("PATCH", "contacts({c0})/parentcustomerid_account", r#"{"name":"x"}"#),
    ("PATCH", "accounts({a0})/contact_customer_accounts({c0})", r#"{"lastname":"x"}"#),
    ("DELETE", "accounts({a0})/contact_customer_accounts({c0})", ""),
    ("PUT", "contacts({c0})/parentcustomerid_account/name", r#"{"value":"x"}"#),
    ("POST", "contacts({c0})/parentcustomerid_account/contact_customer_accounts", r#"{"lastname":"x"}"#),
];

/// Edits that bend the paths: verb, path, body.
const BENDS: &[(&str, &str, &str)] = &[
    ("PATCH", "contacts({c0})", r#"{"parentcustomerid_account@odata.bind":"accounts({a1})"}"#),
    ("DELETE", "accounts({a7})", ""),
    ("DELETE", "accounts({a0})/accountleads_association({l1})/$ref", ""),
    ("POST", "accounts({a0})/accountleads_association/$ref", r#"{"@odata.id":"leads({l2})"}"#),
    ("PATCH", "accounts({a0})", r#"{"primarycontactid@odata.bind":"contacts({c10})"}"#),
];

fn fill(text: &str) -> String {
    (1..4).fold(text.to_owned(), |text, at| {
        text.replace(&format!("{{l{at}}}"), &format!("10000000-0000-4000-8000-{at:012}"))
    })
}

fn ask(method: &str, path: &str, headers: &str, body: &str) -> Ask {
    Ask::new(method, &fill(path), headers, &fill(body))
}

#[test]
fn rows_behind_others_are_read_alike() {
    for known in [Known::All, Known::Older, Known::Nothing] {
        let world = World::wide(known).loosely();
        for lead in ["{l1}", "{l2}"] {
            let body = format!(r#"{{"leadid":"{lead}","subject":"Lead","lastname":"Lead"}}"#);
            world.check(204, &ask("POST", "leads", "", &body));
        }
        let pair = r#"{"@odata.id":"leads({l1})"}"#;
        world.check(204, &ask("POST", "accounts({a0})/accountleads_association/$ref", "", pair));
        for (status, path) in READS {
            world.check(*status, &ask("GET", path, ALL, ""));
        }
        for (method, path, body) in WRITES {
            world.check(405, &ask(method, path, "", body));
        }
        for (method, path, body) in BENDS {
            world.check(204, &ask(method, path, "", body));
        }
        for (_, path) in READS {
            world.same(&ask("GET", path, "", ""));
        }
        world.agree();
    }
}
