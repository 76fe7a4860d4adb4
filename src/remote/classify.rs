//! What an answer of the server means for what was asked. Pure; the table of the synchronisation model in code.

use crate::model::{planted, Bug, Millis, Reason};
use crate::platform::TransportError;
use flette_odata::time::parse_http_date;
use flette_odata::Response;
use serde::Deserialize;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Anything that only reads, at a URL of our own making.
    Read,
    /// A page at a delta link or next link that the server gave.
    Link,
    /// A row by an id of our own, `If-None-Match: *`.
    Create,
    /// A row to which the server gives an id, without a condition.
    Add,
    /// Changed columns, `If-Match`.
    Update,
    /// A deletion, `If-Match`.
    Delete,
    /// A pair of rows.
    Join,
    /// A `$batch` as a whole, when the answer is not multipart.
    Batch,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was done, or needs no doing.
    Done,
    /// The answer says nothing certain: the same operation again, later. Says why, for people.
    Retry(String),
    /// The whole queue waits; no attempt is counted.
    Hold(Hold),
    /// To be settled by the engine.
    Resolve(Resolve),
    /// Refused for good: a human decides.
    Park(Reason),
}

/// What the queue waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// The same user to sign in again.
    SignedOut,
    /// Time to pass: as long as the server said, if it did.
    Busy {
        /// `Retry-After`, in milliseconds.
        retry_after_millis: Option<u64>,
    },
    /// Something between here and the server to let requests through (proxy, portal).
    Gateway,
}

/// What the engine settles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolve {
    /// The row changed on the server: read, merge, send again.
    Changed(Reason),
    /// The row is not there (any more).
    Gone(Reason),
    /// The id is taken: by our own create whose answer was lost, or by another row.
    Exists(Reason),
    /// The link is no longer good: begin anew.
    Expired,
    /// The body is too large: send less at once.
    TooLarge(Reason),
}

/// Duplicate detection found another row; sent under 500 or 412.
const DUPLICATE_FOUND: &str = "0x80040333";
/// A unique key is taken; sent under 412.
const KEY_TAKEN: &str = "0x80060892";
/// The id is taken; sent under 412.
const ID_TAKEN: &str = "0x80040237";

/// A row is not at the version that was named; sent under 412, for a whole change set too.
const VERSION_CHANGED: &str = "0x80060882";

/// Most seconds of a `Retry-After` that are believed: one day.
const RETRY_AFTER_SECONDS_MAX: u64 = 86_400;

/// Classifies an answer. `now` is server time as well as known, for a `Retry-After` that is a date.
pub fn classify(asked: Asked, answer: Result<&Response, &TransportError>, now: Millis) -> Outcome {
    let response = match answer {
        Ok(response) => response,
        Err(TransportError::Unreachable(what)) => return Outcome::Retry(format!("unreachable: {what}")),
        Err(TransportError::Timeout) => return Outcome::Retry("no answer in time".to_owned()),
        Err(TransportError::Cut(what)) => return Outcome::Retry(format!("the answer broke off: {what}")),
    };
    // Before anything is read of the body: a page of rows is long, and no error.
    if let 200..=299 = response.status {
        return success(response);
    }
    let error = ErrorBody::read(&response.body);
    match response.status {
        // A redirect leads to a sign-in page; a browser hides it as status 0.
        0 | 300..=399 | 401 => Outcome::Hold(Hold::SignedOut),
        407 => Outcome::Hold(Hold::Gateway),
        429 | 503 => Outcome::Hold(Hold::Busy { retry_after_millis: retry_after_millis(response, now) }),
        408 => Outcome::Retry("the server gave up waiting (408)".to_owned()),
        500..=599 => match error {
            Some(error) if error.is(DUPLICATE_FOUND) => Outcome::Park(error.reason(response.status)),
            Some(_) | None => Outcome::Retry(format!("the server failed ({})", response.status)),
        },
        403 if error.is_none() => Outcome::Hold(Hold::Gateway),
        400..=499 => refusal(asked, response.status, error),
        status => Outcome::Retry(format!("unknown status {status}")),
    }
}

fn success(response: &Response) -> Outcome {
    let html = response.headers.get("Content-Type").is_some_and(|kind| kind.contains("html"));
    let looks_like_html = response.body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<');
    if (html || looks_like_html) && !planted(Bug::LoginPageIsSuccess) {
        return Outcome::Retry("the answer is a page, not from the server".to_owned());
    }
    Outcome::Done
}

fn refusal(asked: Asked, status: u16, error: Option<ErrorBody>) -> Outcome {
    let foreign = error.is_none();
    let error = error.unwrap_or_default();
    let reason = || error.reason(status);
    match (asked, status) {
        (_, 413) => Outcome::Resolve(Resolve::TooLarge(reason())),
        (Asked::Link, 403) => Outcome::Park(reason()),
        (Asked::Link, _) => Outcome::Resolve(Resolve::Expired),
        // A 404 of some gateway must not pass for a deleted row.
        (_, 404) if foreign => Outcome::Retry("not found, and not in the server's words (404)".to_owned()),
        (Asked::Delete, 404) => Outcome::Done,
        // The pair is there.
        (Asked::Join, 400 | 409 | 412) if error.is(ID_TAKEN) => Outcome::Done,
        (Asked::Update | Asked::Join | Asked::Read, 404) => Outcome::Resolve(Resolve::Gone(reason())),
        (Asked::Create | Asked::Add, 412) if error.is(VERSION_CHANGED) => {
            Outcome::Resolve(Resolve::Changed(reason()))
        }
        (Asked::Create, 409 | 412) if !error.is(DUPLICATE_FOUND) && !error.is(KEY_TAKEN) => {
            Outcome::Resolve(Resolve::Exists(reason()))
        }
        (Asked::Update | Asked::Delete, 412)
            if ![DUPLICATE_FOUND, KEY_TAKEN, ID_TAKEN].iter().any(|code| error.is(code)) =>
        {
            Outcome::Resolve(Resolve::Changed(reason()))
        }
        (
            Asked::Create
            | Asked::Add
            | Asked::Update
            | Asked::Delete
            | Asked::Join
            | Asked::Read
            | Asked::Batch,
            _,
        ) => Outcome::Park(reason()),
    }
}

/// `Retry-After` in either form, bounded.
fn retry_after_millis(response: &Response, now: Millis) -> Option<u64> {
    let text = response.headers.get("Retry-After")?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds.min(RETRY_AFTER_SECONDS_MAX) * 1000);
    }
    let wait = parse_http_date(text)?.saturating_sub(now.0).max(0);
    Some(wait.unsigned_abs().min(RETRY_AFTER_SECONDS_MAX * 1000))
}

/// `{"error":{"code","message"}}`
#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl ErrorBody {
    fn read(body: &[u8]) -> Option<ErrorBody> {
        #[derive(Deserialize)]
        struct Body {
            error: ErrorBody,
        }
        flette_odata::json::read::<Body>(body).ok().map(|body| body.error)
    }

    fn is(&self, code: &str) -> bool {
        self.code.eq_ignore_ascii_case(code)
    }

    fn reason(&self, status: u16) -> Reason {
        Reason { status, code: self.code.clone(), message: self.message.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flette_odata::ODataError;

    const ASKED: [Asked; 7] =
        [Asked::Read, Asked::Link, Asked::Create, Asked::Add, Asked::Update, Asked::Delete, Asked::Batch];
    const WRITES: [Asked; 4] = [Asked::Create, Asked::Add, Asked::Update, Asked::Delete];

    fn name(outcome: &Outcome) -> String {
        match outcome {
            Outcome::Done => "done".to_owned(),
            Outcome::Retry(_) => "retry".to_owned(),
            Outcome::Hold(Hold::SignedOut) => "signed-out".to_owned(),
            Outcome::Hold(Hold::Gateway) => "gateway".to_owned(),
            Outcome::Hold(Hold::Busy { retry_after_millis }) => format!("busy {retry_after_millis:?}"),
            Outcome::Resolve(Resolve::Changed(_)) => "changed".to_owned(),
            Outcome::Resolve(Resolve::Gone(_)) => "gone".to_owned(),
            Outcome::Resolve(Resolve::Exists(_)) => "exists".to_owned(),
            Outcome::Resolve(Resolve::Expired) => "expired".to_owned(),
            Outcome::Resolve(Resolve::TooLarge(_)) => "too-large".to_owned(),
            Outcome::Park(_) => "park".to_owned(),
        }
    }

    fn check(asked: &[Asked], response: &Response, expected: &str) {
        for asked in asked {
            let outcome = classify(*asked, Ok(response), Millis(0));
            assert_eq!(name(&outcome), expected, "{asked:?} {}", response.status);
        }
    }

    fn coded(status: u16, code: &str) -> Response {
        ODataError::new(status, code, "words").to_response()
    }

    #[test]
    fn success_is_done_unless_it_is_a_page() {
        check(&ASKED, &Response::empty(204), "done");
        check(&ASKED, &Response::json(200, b"{}".to_vec()), "done");
        check(&ASKED, &Response::json(201, b"{}".to_vec()), "done");
        let page = Response {
            status: 200,
            headers: [("Content-Type", "text/html")].into_iter().collect(),
            body: vec![],
        };
        check(&ASKED, &page, "retry");
        let hidden = Response::json(200, b" <!doctype html>".to_vec());
        check(&ASKED, &hidden, "retry");
    }

    #[test]
    fn no_answer_is_tried_again() {
        for error in [
            TransportError::Unreachable("refused".to_owned()),
            TransportError::Timeout,
            TransportError::Cut("short".to_owned()),
        ] {
            assert_eq!(name(&classify(Asked::Create, Err(&error), Millis(0))), "retry");
        }
    }

    #[test]
    fn what_passes_by_itself_is_waited_for_and_never_parked() {
        for status in [408, 500, 502, 504, 501, 599] {
            check(&ASKED, &coded(status, ""), "retry");
            check(&ASKED, &Response::empty(status), "retry");
        }
        for status in [0, 301, 302, 307, 401] {
            check(&ASKED, &Response::empty(status), "signed-out");
        }
        check(&ASKED, &coded(401, "0x8004a102"), "signed-out");
        check(&ASKED, &Response::empty(407), "gateway");
        check(&ASKED, &Response::empty(403), "gateway");
        for status in [429, 503] {
            check(&ASKED, &coded(status, "0x80072322"), "busy None");
            check(&ASKED, &coded(status, "").header("Retry-After", "7"), "busy Some(7000)");
            let date = coded(status, "").header("Retry-After", "Thu, 01 Jan 1970 00:00:09 GMT");
            check(&ASKED, &date, "busy Some(9000)");
            check(&ASKED, &coded(status, "").header("Retry-After", "99999999999"), "busy Some(86400000)");
            check(&ASKED, &coded(status, "").header("Retry-After", "soon"), "busy None");
        }
        let past = coded(429, "").header("Retry-After", "Thu, 01 Jan 1970 00:00:09 GMT");
        assert_eq!(name(&classify(Asked::Read, Ok(&past), Millis(20_000))), "busy Some(0)");
    }

    #[test]
    fn refusals_are_parked_with_the_servers_words() {
        for status in [400, 403, 405, 428] {
            check(&WRITES, &coded(status, "0x80040220"), "park");
        }
        check(&[Asked::Update, Asked::Delete], &coded(409, ""), "park");
        check(&WRITES, &coded(500, "0x80040333"), "park");
        check(&WRITES, &coded(412, "0x80040333"), "park");
        check(&WRITES, &coded(412, "0x80060892"), "park");
        check(&[Asked::Create, Asked::Add], &coded(404, "0x80040217"), "park");
        // Its id is nobody's: something else is in the way.
        for (status, code) in [(409, ""), (412, ""), (412, "0x80040237")] {
            check(&[Asked::Add], &coded(status, code), "park");
        }
        let Outcome::Park(reason) = classify(Asked::Update, Ok(&coded(400, "0x80044331")), Millis(0)) else {
            unreachable!("a 400 is parked")
        };
        assert_eq!(reason, Reason { status: 400, code: "0x80044331".into(), message: "words".into() });
    }

    #[test]
    fn what_the_engine_can_settle_is_settled() {
        check(&[Asked::Create], &coded(412, "0x80040237"), "exists");
        check(&[Asked::Create], &coded(412, ""), "exists");
        check(&[Asked::Create], &coded(409, ""), "exists");
        check(&WRITES, &coded(412, "0x80060882"), "changed");
        check(&[Asked::Update, Asked::Delete], &coded(412, ""), "changed");
        check(&[Asked::Update, Asked::Read], &coded(404, "0x80040217"), "gone");
        check(&[Asked::Delete], &coded(404, ""), "done");
        check(&[Asked::Join], &coded(412, "0x80040237"), "done");
        check(&[Asked::Join], &coded(404, "0x80040217"), "gone");
        check(&[Asked::Join], &coded(403, "0x80040220"), "park");
        check(&[Asked::Update, Asked::Delete, Asked::Read], &Response::empty(404), "retry");
        check(&ASKED, &coded(413, "0x8004418a"), "too-large");
        check(&ASKED, &Response::empty(413), "too-large");
    }

    #[test]
    fn a_refused_link_begins_anew() {
        for status in [400, 404, 409, 410, 412, 422] {
            check(&[Asked::Link], &coded(status, ""), "expired");
            check(&[Asked::Link], &Response::empty(status), "expired");
        }
        check(&[Asked::Link], &coded(403, "0x80040220"), "park");
    }

    use proptest::prelude::*;

    proptest! {
        /// Any status, with any code or without the server's words.
        #[test]
        fn nothing_is_done_that_was_not_said_and_nothing_is_parked_that_passes(
            status in 0_u16..700, asked in 0_usize..8, code in 0_usize..6, words in any::<bool>()
        ) {
            let all = [ASKED.as_slice(), &[Asked::Join]].concat();
            let codes = ["", DUPLICATE_FOUND, KEY_TAKEN, ID_TAKEN, VERSION_CHANGED, "0x80040220"];
            let response = if words { coded(status, codes[code]) } else { Response::empty(status) };
            let outcome = classify(all[asked], Ok(&response), Millis(0));
            prop_assert_eq!(&outcome, &classify(all[asked], Ok(&response), Millis(0)));
            let parked = matches!(outcome, Outcome::Park(_));
            match outcome {
                Outcome::Done => prop_assert!(
                    matches!(status, 200..=299)
                        || words && all[asked] == Asked::Delete && status == 404
                        || all[asked] == Asked::Join && codes[code] == ID_TAKEN && matches!(status, 400 | 409 | 412)
                ),
                Outcome::Hold(_) => prop_assert!(matches!(status, 0 | 300..=399 | 401 | 403 | 407 | 429 | 503)),
                Outcome::Resolve(_) => prop_assert!(matches!(status, 400..=499)),
                Outcome::Retry(_) | Outcome::Park(_) => {}
            }
            let passes = matches!(status, 0 | 300..=399 | 401 | 407 | 408 | 429 | 503) || status > 599;
            prop_assert!(!(parked && passes), "{status} passes by itself");
            // What somebody on the way says settles nothing about a row.
            if !words && matches!(status, 403 | 404) && all[asked] != Asked::Link {
                prop_assert!(!parked);
            }
        }
    }
}
