//! The only merge in the code base: one field, or one group of fields that mean nothing apart, three ways.
//!
//! A pure function of base, local and server value, so the result depends neither on the order nor on the slicing of
//! pulls. `docs/merge.md` shows the table.

use crate::model::{planted, Bug, Hlc, Millis, Side};

/// What a merge of one field comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// Only the server changed it, or both to the same value: the server's value stands, the edit leaves the journal.
    Server,
    /// Only this side changed it: the edit stays, with the server's value as its base.
    Local,
    /// Both changed it, differently: this side's value stands, the other goes to the conflict log.
    Conflict(Side),
}

/// Whose value stands when both sides changed a field. `Newest` is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// The later edit.
    #[default]
    Newest,
    /// The server's.
    Server,
    /// This device's.
    Local,
}

/// Which of two edits is the newer: the local stamp against the last moment that the server's stamp can mean
/// ([`crate::model::ServerTime::end`]). A tie goes to the server; so does an edit against a row without a stamp.
pub fn newer(local_at: Hlc, server_at: Option<Millis>) -> Side {
    match server_at {
        _ if planted(Bug::ArrivalWins) => Side::Local,
        Some(server_at) if local_at.wall > server_at => Side::Local,
        Some(_) | None => Side::Server,
    }
}

/// Merges one field. `base` is the value that the local edit was made upon, `local` what it became, `server` what the
/// server says now.
///
/// Generic so that a group of fields, as a tuple or list of values, merges by the same rule as one field.
pub fn merge<V: PartialEq + ?Sized>(base: &V, local: &V, server: &V, rule: Rule, newer: Side) -> Merged {
    if server == local || base == local {
        return Merged::Server;
    }
    if server == base {
        return Merged::Local;
    }
    Merged::Conflict(match rule {
        Rule::Newest => newer,
        Rule::Server => Side::Server,
        Rule::Local => Side::Local,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ServerTime, Value};

    fn v(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn the_table_of_the_sync_model_holds() {
        let check = |base: &str, local: &str, server: &str, expected: Merged| {
            for side in [Side::Local, Side::Server] {
                let expected = match expected {
                    Merged::Conflict(_) => Merged::Conflict(side),
                    other => other,
                };
                assert_eq!(merge(&v(base), &v(local), &v(server), Rule::Newest, side), expected);
            }
        };
        check("a", "a", "b", Merged::Server);
        check("a", "b", "a", Merged::Local);
        check("a", "b", "b", Merged::Server);
        check("a", "b", "c", Merged::Conflict(Side::Local));
    }

    #[test]
    fn a_rule_overrides_time_only_in_a_conflict() {
        assert_eq!(
            merge(&v("a"), &v("b"), &v("c"), Rule::Server, Side::Local),
            Merged::Conflict(Side::Server)
        );
        assert_eq!(
            merge(&v("a"), &v("b"), &v("c"), Rule::Local, Side::Server),
            Merged::Conflict(Side::Local)
        );
        assert_eq!(merge(&v("a"), &v("b"), &v("a"), Rule::Server, Side::Server), Merged::Local);
    }

    #[test]
    fn a_whole_second_stamp_counts_to_its_end_and_a_tie_goes_to_the_server() {
        let at = |wall| Hlc { wall: Millis(wall), ..Hlc::default() };
        let end = |at| Some(ServerTime(at).end());
        assert_eq!(newer(at(5999), end(5000)), Side::Server);
        assert_eq!(newer(at(6000), end(5000)), Side::Local);
        assert_eq!(newer(at(5001), end(5001)), Side::Server);
        assert_eq!(newer(at(5001), None), Side::Server);
    }
}
