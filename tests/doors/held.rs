//! Rows that others hold at both doors: parties of activities, pairs of rows; and what can be read afterwards.

use crate::batches::batch;
use crate::world::{Ask, Known, Side, World};

/// Status, verb, path, headers, body.
type Case = (u16, &'static str, &'static str, &'static str, &'static str);

const ALL: &str = "Prefer: odata.include-annotations=\"*\"";

/// `{m1}` and `{p1}` stand for an activity and a party.
const PARTIES: &[Case] = &[
    (
        204,
        "POST",
        "emails",
        "",
        r#"{"activityid":"{m1}","subject":"Mail","email_activity_parties":[{"activitypartyid":"{p1}","partyid_systemuser@odata.bind":"/systemusers({demo})","participationtypemask":1},{"activitypartyid":"{p2}","partyid_contact@odata.bind":"/contacts({c0})","participationtypemask":2},{"activitypartyid":"{p3}","addressused":"x@example.org","participationtypemask":3}]}"#,
    ),
    (200, "GET", "activityparties?$filter=_activityid_value eq {m1}&$orderby=activitypartyid", ALL, ""),
    (204, "POST", "emails", "", r#"{"activityid":"{m2}","subject":"Nobody's"}"#),
    (
        204,
        "PUT",
        "emails({m2})/email_activity_parties",
        "",
        r#"{"value":[{"activitypartyid":"{p4}","partyid_account@odata.bind":"/accounts({a0})","participationtypemask":2}]}"#,
    ),
    (
        204,
        "PUT",
        "emails({m1})/email_activity_parties",
        "If-Match: *",
        r#"{"value":[{"activitypartyid":"{p5}","partyid_contact@odata.bind":"/contacts({c1})","participationtypemask":2},{"activitypartyid":"{p6}","partyid_systemuser@odata.bind":"/systemusers({demo})","participationtypemask":1}]}"#,
    ),
    (200, "GET", "activityparties?$filter=_activityid_value eq {m1}&$orderby=activitypartyid", ALL, ""),
    (412, "PUT", "emails({m1})/email_activity_parties", "If-Match: W/\"1\"", r#"{"value":[]}"#),
    (
        204,
        "PUT",
        "emails({m1})/email_activity_parties",
        "If-Match: {etag:emails({m1})}",
        r#"{"value":[{"activitypartyid":"{p7}","addressused":"y@example.org","participationtypemask":2}]}"#,
    ),
    (404, "PUT", "emails({m9})/email_activity_parties", "", r#"{"value":[]}"#),
    (
        404,
        "PUT",
        "emails({m1})/email_activity_parties",
        "",
        r#"{"value":[{"partyid_contact@odata.bind":"/contacts({c27})","participationtypemask":2}]}"#,
    ),
    (400, "PUT", "emails({m1})/email_activity_parties", "", r#"{"value":[{"nothing":1}]}"#),
    (400, "PUT", "emails({m1})/email_activity_parties", "", r#"{"value":[{"participationtypemask":99}]}"#),
    (400, "PUT", "emails({m1})/email_activity_parties", "", r#"{"value":5}"#),
    (405, "PATCH", "activityparties({p7})", "", r#"{"participationtypemask":3}"#),
    (405, "DELETE", "activityparties({p7})", "", ""),
    (405, "POST", "activityparties", "", r#"{"participationtypemask":3}"#),
    (400, "PATCH", "emails({m1})", "", r#"{"email_activity_parties":[{"participationtypemask":2}]}"#),
    (200, "GET", "activityparties?$filter=_activityid_value eq {m1}&$orderby=activitypartyid", ALL, ""),
    (
        204,
        "POST",
        "appointments",
        "",
        r#"{"activityid":"{m3}","subject":"Meeting","scheduledstart":"2026-05-01T08:00:00Z","scheduledend":"2026-05-01T09:00:00Z","appointment_activity_parties":[{"activitypartyid":"{p8}","partyid_contact@odata.bind":"/contacts({c2})","participationtypemask":5}]}"#,
    ),
    (204, "DELETE", "emails({m2})", "", ""),
    (200, "GET", "activityparties/$count?$filter=_activityid_value eq {m2}", "", ""),
    (204, "DELETE", "contacts({c2})", "", ""),
    (200, "GET", "activityparties({p8})?$select=_partyid_value,participationtypemask", "", ""),
    (204, "PUT", "emails({m1})/email_activity_parties", "", r#"{"value":[]}"#),
];

/// `{l1}` stands for a lead.
const PAIRS: &[Case] = &[
    (204, "POST", "leads", "", r#"{"leadid":"{l1}","subject":"One","lastname":"First"}"#),
    (204, "POST", "leads", "", r#"{"leadid":"{l2}","subject":"Two","lastname":"Second"}"#),
    (204, "POST", "accounts({a0})/accountleads_association/$ref", "", r#"{"@odata.id":"leads({l1})"}"#),
    (204, "POST", "accounts({a0})/accountleads_association/$ref", "", r#"{"@odata.id":"{root}leads({l1})"}"#),
    (204, "POST", "leads({l1})/accountleads_association/$ref", "", r#"{"@odata.id":"accounts({a0})"}"#),
    (204, "POST", "leads({l1})/accountleads_association/$ref", "", r#"{"@odata.id":"accounts({a1})"}"#),
    (204, "POST", "accounts({a1})/accountleads_association/$ref", "", r#"{"@odata.id":"leads({l2})"}"#),
    (200, "GET", "accounts?$select=name&$expand=accountleads_association($select=lastname)", ALL, ""),
    (200, "GET", "accounts?$select=name&$expand=accountleads_association($top=1;$count=true)", "", ""),
    (200, "GET", "accounts({a0})/accountleads_association?$select=lastname&$orderby=leadid desc", "", ""),
    (200, "GET", "accounts({a0})/accountleads_association/$count", "", ""),
    (200, "GET", "accounts({a0})/accountleads_association/$ref", "", ""),
    (200, "GET", "accounts?$select=name&$filter=accountleads_association/any(l:l/leadid ne null)", "", ""),
    (200, "GET", "leads?$select=lastname&$filter=not accountleads_association/any()", "", ""),
    (
        200,
        "GET",
        "accounts?fetchXml=<fetch><entity name='account'><attribute name='name'/><link-entity name='accountleads' from='accountid' to='accountid' intersect='true'><link-entity name='lead' from='leadid' to='leadid' alias='l'><attribute name='lastname'/><order attribute='lastname'/></link-entity></link-entity></entity></fetch>",
        ALL,
        "",
    ),
    (200, "GET", "accountleadscollection/$count", "", ""),
    (200, "GET", "accountleadscollection/$count?$filter=accountid eq {a0}", "", ""),
    (204, "DELETE", "accounts({a1})/accountleads_association({l2})/$ref", "", ""),
    (204, "DELETE", "accounts({a1})/accountleads_association({l2})/$ref", "", ""),
    (204, "DELETE", "accounts({a2})/accountleads_association/$ref?$id=leads({l1})", "", ""),
    (204, "DELETE", "leads({l1})/accountleads_association/$ref?$id={root}accounts({a1})", "", ""),
    (200, "GET", "accountleadscollection/$count", "", ""),
    (404, "POST", "accounts({a0})/accountleads_association/$ref", "", r#"{"@odata.id":"leads({l9})"}"#),
    (404, "POST", "accounts({a27})/accountleads_association/$ref", "", r#"{"@odata.id":"leads({l1})"}"#),
    (404, "DELETE", "accounts({a27})/accountleads_association({l1})/$ref", "", ""),
    (400, "POST", "accounts({a0})/accountleads_association/$ref", "", r#"{"@odata.id":"contacts({c0})"}"#),
    (400, "DELETE", "accounts({a0})/accountleads_association/$ref", "", ""),
    (405, "POST", "accountleadscollection", "", r#"{"accountid":"{a0}","leadid":"{l2}"}"#),
    (
        204,
        "POST",
        "accounts",
        "",
        r#"{"accountid":"{a20}","name":"With leads","accountleads_association":[{"leadid":"{l3}","subject":"Three","lastname":"Third"}],"accountleads_association@odata.bind":["leads({l1})","leads({l2})"]}"#,
    ),
    (200, "GET", "accountleadscollection/$count?$filter=accountid eq {a20}", "", ""),
    (
        204,
        "POST",
        "accounts({a3})/accountleads_association",
        "",
        r#"{"leadid":"{l4}","subject":"Four","lastname":"Fourth"}"#,
    ),
    (200, "GET", "accountleadscollection/$count?$filter=leadid eq {l4}", "", ""),
    // Pairs go with either row.
    (204, "DELETE", "leads({l1})", "", ""),
    (200, "GET", "accountleadscollection/$count", "", ""),
    (204, "DELETE", "accounts({a20})", "", ""),
    (200, "GET", "accountleadscollection/$count", "", ""),
    (204, "POST", "contacts({c0})/contactleads_association/$ref", "", r#"{"@odata.id":"leads({l2})"}"#),
    (204, "POST", "contacts({c0})/contactleads_association/$ref", "", r#"{"@odata.id":"leads({l3})"}"#),
    (204, "DELETE", "contacts({c0})", "", ""),
    (200, "GET", "contactleadscollection/$count", "", ""),
];

/// Change sets that speak of rows by `Content-ID`.
const SETS: &[(u16, &str)] = &[
    (
        200,
        "[POST emails\n\n{\"activityid\":\"{m1}\",\"subject\":\"In a set\"} ~~ POST contacts\n\n{\"contactid\":\"{c20}\",\"lastname\":\"New\"} ~~ PUT $1/email_activity_parties\n\n{\"value\":[{\"activitypartyid\":\"{p1}\",\"partyid_contact@odata.bind\":\"$2\",\"participationtypemask\":2}]} ~~ POST leads\n\n{\"leadid\":\"{l1}\",\"subject\":\"x\",\"lastname\":\"x\"} ~~ POST accounts({a0})/accountleads_association/$ref\n\n{\"@odata.id\":\"$4\"} ~~ PATCH $2\n\n{\"jobtitle\":\"Patched\"}",
    ),
    (200, "GET activityparties?$filter=_activityid_value eq {m1} ~~~ GET accountleadscollection/$count"),
    (
        404,
        "[PUT emails({m1})/email_activity_parties\n\n{\"value\":[]} ~~ POST accounts({a1})/accountleads_association/$ref\n\n{\"@odata.id\":\"leads({l1})\"} ~~ DELETE accounts({a27})",
    ),
    (200, "GET activityparties?$filter=_activityid_value eq {m1} ~~~ GET accountleadscollection/$count"),
    (
        200,
        "[POST accounts\n\n{\"accountid\":\"{a20}\",\"name\":\"Deep in a set\",\"contact_customer_accounts\":[{\"contactid\":\"{c21}\",\"lastname\":\"Child\"}]} ~~ POST $1/accountleads_association\n\n{\"leadid\":\"{l2}\",\"subject\":\"y\",\"lastname\":\"y\"} ~~ DELETE accounts({a0})/accountleads_association({l1})/$ref ~~ PATCH accounts(tickersymbol='SET')\n\n{\"accountid\":\"{a21}\",\"name\":\"Keyed\"} ~~ POST contacts\n\n{\"contactid\":\"{c22}\",\"lastname\":\"Z\",\"parentcustomerid_account@odata.bind\":\"accounts(tickersymbol='set')\"} ~~ POST accounts/Microsoft.Dynamics.CRM.UpdateMultiple\n\n{\"Targets\":[{\"@odata.type\":\"Microsoft.Dynamics.CRM.account\",\"accountid\":\"{a20}\",\"telephone1\":\"1\"}]}",
    ),
    (200, "GET accountleadscollection/$count ~~~ GET contacts({c22})?$select=_parentcustomerid_value ~~~ GET accounts({a20})?$select=telephone1"),
    (
        412,
        "[PATCH accounts(tickersymbol='NEW')\n\n{\"name\":\"never\"} ~~ POST accounts\n\n{\"name\":\"never\",\"tickersymbol\":\"new\"}",
    ),
    (404, "GET accounts(tickersymbol='NEW')"),
    (412, "[POST accounts\nMSCRM.SuppressDuplicateDetection: false\n\n{\"name\":\"Zebra\"}"),
    (200, "[POST accounts\nMSCRM.SuppressDuplicateDetection: true\n\n{\"accountid\":\"{a22}\",\"name\":\"Zebra\"}"),
];

fn fill(text: &str) -> String {
    let mut text = text.to_owned();
    for (letter, digits) in [('m', "e0"), ('p', "b0"), ('l', "10")] {
        for at in 0..10 {
            let id = format!("{digits}000000-0000-4000-8000-{at:012}");
            text = text.replace(&format!("{{{letter}{at}}}"), &id);
        }
    }
    text
}

fn read_back(world: &World) {
    world.read_back();
    for path in
        ["emails?$orderby=activityid", "activityparties?$orderby=activitypartyid", "leads?$orderby=leadid"]
    {
        world.check(200, &Ask::get(path, ALL));
    }
}

fn check_all(cases: &[Case]) {
    for known in [Known::All, Known::Older, Known::Nothing] {
        let world = World::wide(known).loosely();
        for (status, method, path, headers, body) in cases {
            world.check(*status, &Ask::new(method, &fill(path), &fill(headers), &fill(body)));
        }
        read_back(&world);
        world.agree();
    }
}

#[test]
fn parties_come_and_go_alike() {
    check_all(PARTIES);
}

#[test]
fn pairs_come_and_go_alike() {
    check_all(PAIRS);
}

#[test]
fn sets_of_changes_speak_of_held_rows_alike() {
    for known in [Known::All, Known::Nothing] {
        let world = World::wide(known).loosely();
        for (status, items) in SETS {
            world.check(*status, &batch(&fill(items), ""));
        }
        read_back(&world);
        world.agree();
    }
}

#[test]
fn a_set_gives_its_activity_another_version() {
    let world = World::wide(Known::All).loosely();
    let ask = |status: u16, method: &str, path: &str, headers: &str, body: &str| {
        world.check(status, &Ask::new(method, &fill(path), &fill(headers), &fill(body)));
    };
    ask(204, "POST", "emails", "", r#"{"activityid":"{m1}","subject":"Mail"}"#);
    let etag = |side| {
        let answer = world.ask(side, &Ask::get(&fill("emails({m1})"), ""));
        answer.headers.get("ETag").unwrap().to_owned()
    };
    let before = [Side::Server, Side::Engine].map(etag);
    ask(
        204,
        "PUT",
        "emails({m1})/email_activity_parties",
        "",
        r#"{"value":[{"activitypartyid":"{p1}","addressused":"x@example.org","participationtypemask":2}]}"#,
    );
    let after = [Side::Server, Side::Engine].map(etag);
    assert!(before[0] != after[0] && before[1] != after[1], "{before:?} {after:?}");
    world.agree();
}
