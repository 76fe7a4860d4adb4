//! The only merge in the code base: one field, or one group of fields that mean nothing apart, three ways.
//!
//! A pure function of base, local and server value, so the result depends neither on the order nor on the slicing of
//! pulls. `docs/merge.md` shows the table.

pub use crate::model::Rule;
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
        Rule::Server | Rule::Manual => Side::Server,
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
        for side in [Side::Local, Side::Server] {
            let merged = merge(&v("a"), &v("b"), &v("c"), Rule::Manual, side);
            assert_eq!(merged, Merged::Conflict(Side::Server), "it stands until a human has chosen");
        }
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

    use proptest::prelude::*;

    fn rule() -> impl Strategy<Value = Rule> {
        prop_oneof![Just(Rule::Newest), Just(Rule::Server), Just(Rule::Local), Just(Rule::Manual)]
    }

    fn side(local: bool) -> Side {
        if local {
            Side::Local
        } else {
            Side::Server
        }
    }

    /// The value that stands.
    fn stands(base: u8, local: u8, server: u8, rule: Rule, newer: Side) -> u8 {
        match merge(&base, &local, &server, rule, newer) {
            Merged::Server | Merged::Conflict(Side::Server) => server,
            Merged::Local | Merged::Conflict(Side::Local) => local,
        }
    }

    proptest! {
        /// One base, changed twice: the laws of a merge, for every rule.
        #[test]
        fn who_changed_nothing_loses_nothing_and_who_agrees_has_no_conflict(
            base in 0_u8..4, local in 0_u8..4, server in 0_u8..4, rule in rule(), local_newer in any::<bool>()
        ) {
            let newer = side(local_newer);
            prop_assert_eq!(stands(base, base, server, rule, newer), server);
            prop_assert_eq!(stands(base, local, base, rule, newer), local);
            prop_assert_eq!(stands(base, local, local, rule, newer), local);
            let stands = stands(base, local, server, rule, newer);
            prop_assert!(stands == local || stands == server);
            let merged = merge(&base, &local, &server, rule, newer);
            let apart = base != local && base != server && local != server;
            prop_assert_eq!(matches!(merged, Merged::Conflict(_)), apart);
        }

        /// Seen from the other side, by the rule that both sides share, the same value stands.
        #[test]
        fn both_sides_come_to_the_same(base in 0_u8..4, here in 0_u8..4, there in 0_u8..4, here_newer in any::<bool>()) {
            let (newer, mirrored) = (side(here_newer), side(!here_newer));
            let (seen_here, seen_there) =
                (stands(base, here, there, Rule::Newest, newer), stands(base, there, here, Rule::Newest, mirrored));
            prop_assert_eq!(seen_here, seen_there);
        }

        /// What was merged and is met by the same server value again stays as it is.
        #[test]
        fn merging_again_changes_nothing(
            base in 0_u8..4, local in 0_u8..4, server in 0_u8..4, rule in rule(), local_newer in any::<bool>()
        ) {
            let newer = side(local_newer);
            let once = stands(base, local, server, rule, newer);
            prop_assert_eq!(stands(server, once, server, rule, newer), once);
            prop_assert!(!matches!(merge(&server, &once, &server, rule, newer), Merged::Conflict(_)));
        }

        /// Of two stamps one is the newer one, and a tie is the server's.
        #[test]
        fn the_newer_one_is_the_later_one(here in any::<i32>(), there in any::<i32>()) {
            let at = Hlc { wall: Millis(i64::from(here)), ..Hlc::default() };
            let newer = newer(at, Some(Millis(i64::from(there))));
            prop_assert_eq!(newer == Side::Local, here > there);
        }
    }
}
