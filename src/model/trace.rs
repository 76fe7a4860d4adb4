//! The trace: what happened lately between this replica and its server, for whoever looks for the reason of something.
//!
//! It names tables, operations, statuses and numbers; never a value, a row's name, id or text, a query, or the server's
//! own words. Events are kept as they are shown, since nobody here reads them again.

use super::{Millis, OpId, Side};
use flette_odata::time::format_datetime;
use serde::Serialize;
use std::cell::RefCell;
use std::collections::VecDeque;

/// Most events that are held; the oldest go first.
pub const TRACE_EVENTS_MAX: usize = 1_000;
/// Most events that outlive the engine, the newest ones.
pub const TRACE_EVENTS_KEPT_MAX: usize = 200;
/// Longest error code that is shown, in digits. What is longer is no code.
const CODE_DIGITS_MAX: usize = 16;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum TraceEvent {
    /// The engine was started: whatever ran before was cut off.
    Started,
    RoundBegan,
    /// A round ended; `why` says how.
    RoundEnded {
        why: &'static str,
        more: bool,
        pushed: u64,
        pulled: u64,
        merged: u64,
        conflicts: u64,
        parked: u64,
        millis: i64,
    },
    /// One exchange. `about`: a table, `WhoAmI`, `EntityDefinitions`, `$count` or `$batch`; `parts`: requests of a batch.
    Request {
        method: &'static str,
        about: String,
        parts: Option<usize>,
        status: Option<u16>,
        failed: Option<&'static str>,
        bytes: usize,
        millis: i64,
    },
    /// A page became durable.
    Page {
        table: String,
        rows: u32,
        gone: u32,
        shadow: bool,
    },
    /// The server has what the operation asked for.
    Accepted {
        op: OpId,
        table: String,
        kind: &'static str,
    },
    /// The server's row and the operation were merged; `left`: something of it is still to be sent.
    Merged {
        op: OpId,
        table: String,
        kind: &'static str,
        left: bool,
    },
    Conflict {
        op: OpId,
        table: String,
        kind: &'static str,
        winner: Side,
    },
    Parked {
        op: OpId,
        table: String,
        kind: &'static str,
        class: &'static str,
        status: u16,
        code: String,
    },
    /// The server does not give a table.
    Refused {
        table: String,
        status: u16,
        code: String,
    },
    Schema {
        generation: u64,
        tables: usize,
    },
    /// A table is pulled in full again, beside what is read.
    Resync {
        table: String,
    },
    /// What was pulled beside took the place of what is read.
    Swapped {
        table: String,
    },
    /// What is read was brought to the ids and etags that the server listed; so many rows went.
    Compared {
        table: String,
        gone: usize,
    },
    /// A table's place in the feed is lost: it begins anew.
    FeedLost {
        table: String,
    },
    /// The server's database is another one.
    Lineage,
    /// The queue waits for a sign-in, for time to pass, or for the way to be free.
    Hold {
        why: &'static str,
        retry_after_millis: Option<u64>,
    },
    /// A human decided about an operation.
    Decided {
        op: OpId,
        decision: &'static str,
    },
    /// Going offline or online came to this step.
    Mode {
        step: &'static str,
    },
}

/// An error code as it may be shown: `0x` and hexadecimal digits. Of anything else nothing is shown, as it may be words.
pub fn code_shown(code: &str) -> String {
    let digits = code.strip_prefix("0x").unwrap_or_default();
    let is_code = digits.len() <= CODE_DIGITS_MAX && digits.chars().all(|c| c.is_ascii_hexdigit());
    if is_code && !digits.is_empty() { code } else { "" }.to_owned()
}

/// An event as it is shown, without its number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    seq: u64,
    text: String,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<Line>,
    /// Number of the last event.
    last: u64,
    /// Number of the last event that is stored.
    kept: u64,
    /// Whether what an earlier life stored has been looked for.
    recalled: bool,
}

/// A ring of events, each with a number of its own. Numbers begin at the device's time in milliseconds, so that one that
/// was seen before a restart is not given again, even where the event itself was not stored.
#[derive(Debug, Default)]
pub struct Trace(RefCell<Ring>);

impl Trace {
    /// Adds an event.
    pub fn note(&self, at: Millis, event: &TraceEvent) {
        // An event is plain data: it always has a form in JSON.
        let Ok(text) = serde_json::to_string(event) else { return };
        let rest = text.strip_prefix('{').unwrap_or_default();
        let text = format!("\"at\":\"{}\",{rest}", format_datetime(at.0));
        let mut ring = self.0.borrow_mut();
        let first = u64::try_from(at.0).unwrap_or_default();
        let seq = if ring.last == 0 { first.max(1) } else { ring.last + 1 };
        ring.last = seq;
        ring.lines.push_back(Line { seq, text });
        ring.trim();
    }

    /// Number of the newest event; 0 when there is none.
    pub fn last(&self) -> u64 {
        self.0.borrow().last
    }

    /// Events with a number above `seq`, oldest first, as JSON objects.
    pub fn after(&self, seq: u64) -> Vec<String> {
        let ring = self.0.borrow();
        let newer = ring.lines.iter().filter(|line| line.seq > seq);
        newer.map(|line| format!("{{\"seq\":{},{}", line.seq, line.text)).collect()
    }

    /// The stored form of the newest events with the number of the last one; `None` when they are stored already, or when
    /// what is stored has not been read yet.
    pub fn to_keep(&self) -> Option<(u64, Vec<u8>)> {
        let ring = self.0.borrow();
        if !ring.recalled || ring.kept == ring.last {
            return None;
        }
        let skipped = ring.lines.len().saturating_sub(TRACE_EVENTS_KEPT_MAX);
        let lines: Vec<(u64, &str)> =
            ring.lines.iter().skip(skipped).map(|line| (line.seq, line.text.as_str())).collect();
        Some((ring.last, serde_json::to_vec(&lines).ok()?))
    }

    /// Events up to this number are stored.
    pub fn set_kept(&self, seq: u64) {
        self.0.borrow_mut().kept = seq;
    }

    /// Whether [`Trace::recall`] was called.
    pub fn is_recalled(&self) -> bool {
        self.0.borrow().recalled
    }

    /// Puts what an earlier life stored before the events of this one. What cannot be read is left out.
    pub fn recall(&self, stored: Option<&[u8]>) {
        let mut ring = self.0.borrow_mut();
        if std::mem::replace(&mut ring.recalled, true) {
            return;
        }
        let lines: Vec<(u64, String)> =
            stored.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
        let Some((newest, _)) = lines.last() else { return };
        // The clock was set back: nobody was shown these numbers yet.
        if let Some(first) = ring.lines.front().map(|line| line.seq).filter(|first| first <= newest) {
            let ahead = newest - first + 1;
            ring.lines.iter_mut().for_each(|line| line.seq += ahead);
        }
        ring.last = ring.lines.back().map_or(*newest, |line| line.seq);
        for (seq, text) in lines.into_iter().rev() {
            ring.lines.push_front(Line { seq, text });
        }
        ring.trim();
    }
}

impl Ring {
    fn trim(&mut self) {
        while self.lines.len() > TRACE_EVENTS_MAX {
            self.lines.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(trace: &Trace, after: u64) -> Vec<u64> {
        let seq = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64();
        trace.after(after).iter().filter_map(seq).collect()
    }

    fn filled(count: usize, at: i64) -> Trace {
        let trace = Trace::default();
        (0..count).for_each(|_| trace.note(Millis(at), &TraceEvent::RoundBegan));
        trace
    }

    #[test]
    fn the_oldest_event_goes_when_one_too_many_comes() {
        let full = filled(TRACE_EVENTS_MAX, 1);
        assert_eq!((numbers(&full, 0).len(), numbers(&full, 0)[0]), (TRACE_EVENTS_MAX, 1));
        full.note(Millis(2), &TraceEvent::Lineage);
        let held = numbers(&full, 0);
        assert_eq!((held.len(), held[0], full.last()), (TRACE_EVENTS_MAX, 2, 1001));
        assert_eq!(numbers(&full, 999), [1000, 1001]);
        assert!(numbers(&full, 1001).is_empty());
    }

    #[test]
    fn an_event_is_shown_flat_with_number_and_time() {
        let trace = filled(0, 0);
        let event = TraceEvent::Refused { table: "lead".to_owned(), status: 403, code: "0x1".to_owned() };
        trace.note(Millis(5_000), &event);
        let expected = r#"{"seq":5000,"at":"1970-01-01T00:00:05Z","what":"refused","table":"lead","status":403,"code":"0x1"}"#;
        assert_eq!(trace.after(0), [expected]);
    }

    #[test]
    fn the_newest_events_outlive_a_restart_and_numbers_go_on() {
        let before = filled(TRACE_EVENTS_KEPT_MAX + 1, 10);
        assert!(before.to_keep().is_none(), "what is stored was not read yet");
        before.recall(None);
        let (last, stored) = before.to_keep().unwrap();
        before.set_kept(last);
        assert!(before.to_keep().is_none());
        for (at, first_own) in [(5_000, 5_000), (11, 211)] {
            let after = filled(2, at);
            after.recall(Some(&stored));
            after.recall(Some(&stored));
            let held = numbers(&after, 0);
            assert_eq!(held.len(), TRACE_EVENTS_KEPT_MAX + 2);
            assert_eq!((held[0], held[TRACE_EVENTS_KEPT_MAX - 1]), (11, 210));
            assert_eq!(held[TRACE_EVENTS_KEPT_MAX..], [first_own, first_own + 1]);
            assert_eq!(after.last(), first_own + 1);
        }
        let damaged = filled(1, 7);
        damaged.recall(Some(b"[[1"));
        assert_eq!(numbers(&damaged, 0), [7]);
    }

    #[test]
    fn what_is_no_code_is_not_shown() {
        assert_eq!(code_shown("0x80040333"), "0x80040333");
        let of = |digits: usize| format!("0x{}", "0".repeat(digits));
        for words in ["Jane", "0xJane", "jane@example.com", "0x", &of(CODE_DIGITS_MAX + 1)] {
            assert_eq!(code_shown(words), "");
        }
        assert_eq!(code_shown(&of(CODE_DIGITS_MAX)), of(CODE_DIGITS_MAX));
    }
}
