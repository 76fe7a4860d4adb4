//! Rows that are closed: won, lost, qualified, disqualified, completed, canceled.

use super::support::Server;

/// Set, what makes a row, an edit, the states that close it, the state that opens it again, and the code.
type Case = (&'static str, &'static str, &'static str, &'static [(i64, i64)], (i64, i64), &'static str);

const CASES: [Case; 6] = [
    (
        "opportunities",
        r#"{"name":"Deal"}"#,
        r#"{"name":"Edited"}"#,
        &[(1, 3), (2, 4), (2, 5)],
        (0, 1),
        "0x80040515",
    ),
    (
        "leads",
        r#"{"subject":"Fair","lastname":"Doe"}"#,
        r#"{"subject":"Edited"}"#,
        &[(1, 3), (2, 7), (2, 4)],
        (0, 1),
        "0x80040519",
    ),
    ("tasks", r#"{"subject":"Call"}"#, r#"{"subject":"Edited"}"#, &[(1, 5), (2, 6)], (0, 2), "0x8004022e"),
    (
        "emails",
        r#"{"subject":"Offer"}"#,
        r#"{"subject":"Edited"}"#,
        &[(1, 2), (1, 3), (2, 5)],
        (0, 1),
        "0x8004022e",
    ),
    (
        "phonecalls",
        r#"{"subject":"Ring"}"#,
        r#"{"subject":"Edited"}"#,
        &[(1, 2), (2, 3)],
        (0, 1),
        "0x8004022e",
    ),
    (
        "appointments",
        r#"{"subject":"Meet","scheduledstart":"2026-01-01T08:00:00Z","scheduledend":"2026-01-01T09:00:00Z"}"#,
        r#"{"subject":"Edited"}"#,
        &[(1, 3), (2, 4)],
        (3, 5),
        "0x8004022e",
    ),
];

async fn patch(server: &Server, row: &str, body: &str) -> (u16, String) {
    let answer = server.send("PATCH", row, &[("If-Match", "*")], body).await;
    (answer.status, if answer.status == 204 { String::new() } else { answer.code() })
}

#[tokio::test]
async fn closed_rows_take_no_edits_until_they_are_open_again() {
    let server = Server::empty().await;
    let pair = |(state, status): (i64, i64)| format!(r#""statecode":{state},"statuscode":{status}"#);
    let done = || (204, String::new());
    for (set, made, edit, closed, open, code) in CASES {
        let refused = || (400, code.to_owned());
        let row = format!("{set}({})", server.create(set, made).await);
        for state in closed {
            let with_edit = format!("{{{},{}", pair(*state), &edit[1..]);
            assert_eq!(patch(&server, &row, &with_edit).await, done(), "{row} {state:?}");
            let other = edit.replace("Edited", "Edited again");
            assert_eq!(patch(&server, &row, &other).await, refused(), "{row} {state:?}");
            assert_eq!(patch(&server, &row, edit).await, done(), "nothing changes: {row} {state:?}");
            let closing = format!("{{{},{}", pair(*state), &other[1..]);
            assert_eq!(patch(&server, &row, &closing).await, refused(), "{row} {state:?}");
            let opening = format!("{{{},{}", pair(open), &other[1..]);
            assert_eq!(patch(&server, &row, &opening).await, done(), "{row} {state:?}");
            assert_eq!(patch(&server, &row, edit).await, done(), "{row} {state:?}");
        }
        // From one end to the other, and away.
        assert_eq!(patch(&server, &row, &format!("{{{}}}", pair(closed[0]))).await, done());
        assert_eq!(patch(&server, &row, &format!("{{{}}}", pair(closed[closed.len() - 1]))).await, done());
        let answer = server.send("PUT", &format!("{row}/description"), &[], r#"{"value":"x"}"#).await;
        assert_eq!((answer.status, answer.code()), refused(), "{row}");
        assert_eq!(server.send("DELETE", &row, &[], "").await.status, 204, "{row}");
    }
}

#[tokio::test]
async fn inactive_rows_take_edits() {
    let server = Server::empty().await;
    for (set, made) in
        [("accounts", r#"{"name":"A","statecode":1}"#), ("contacts", r#"{"lastname":"B","statecode":1}"#)]
    {
        let row = format!("{set}({})", server.create(set, made).await);
        assert_eq!(patch(&server, &row, r#"{"telephone1":"1"}"#).await.0, 204);
    }
}

#[tokio::test]
async fn what_hangs_on_a_closed_row_is_not_the_row() {
    let server = Server::empty().await;
    let account = server.create("accounts", r#"{"name":"A"}"#).await;
    let body = format!(
        r#"{{"subject":"Call","statecode":1,"regardingobjectid_account_task@odata.bind":"accounts({account})"}}"#
    );
    let task = server.create("tasks", &body).await;
    // Links and parties are the row's own, notes are not.
    let other = server.create("accounts", r#"{"name":"B"}"#).await;
    let reference = format!("tasks({task})/regardingobjectid_account_task/$ref");
    let target = format!(r#"{{"@odata.id":"accounts({other})"}}"#);
    let answer = server.send("PUT", &reference, &[], &target).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "0x8004022e"));
    let parties = format!("tasks({task})/task_activity_parties");
    let answer = server.send("PUT", &parties, &[], r#"{"value":[]}"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "0x8004022e"));
    let note = format!(r#"{{"subject":"Note","objectid_task@odata.bind":"tasks({task})"}}"#);
    server.create("annotations", &note).await;
    let several = format!(
        r#"{{"Targets":[{{"@odata.type":"Microsoft.Dynamics.CRM.task","activityid":"{task}","subject":"x"}}]}}"#
    );
    let answer = server.send("POST", "tasks/Microsoft.Dynamics.CRM.UpdateMultiple", &[], &several).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "0x8004022e"));
    // The account goes, and the task with it or without its link; neither is an edit.
    assert_eq!(server.send("DELETE", &format!("accounts({account})"), &[], "").await.status, 204);
}

#[tokio::test]
async fn there_are_no_actions_that_win_lose_or_qualify() {
    let server = Server::empty().await;
    for action in ["WinOpportunity", "LoseOpportunity", "QualifyLead"] {
        let answer = server.send("POST", action, &[], "{}").await;
        assert_eq!(answer.status, 404, "{action}: {}", answer.body);
    }
}
