//! Versions that the answers of this round have brought: where the server can leave them out of what it tells of changes, it is
//! asked to. Everything that was pushed would come back otherwise.
//!
//! A version counts once its row is in the replica. What is asked while the last answers are still being taken over names theirs,
//! too; if one of them turns out not to count, the calls differ, and it is asked once more.

use super::cursor::Kind;
use super::flight::Sent;
use super::related;
use super::step::Run;
use crate::model::ETag;
use crate::platform::Transport;
use crate::remote::Outcome;
use crate::replica::{Cursor, Target};
use crate::store::Store;
use flette_odata::known_versions::{version_of, KnownVersions};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Versions by table.
type Versions = BTreeMap<String, BTreeSet<i64>>;

/// What is known of this round's answers.
#[derive(Debug, Default)]
pub(super) struct Known {
    taken_over: RefCell<Versions>,
    expected: RefCell<Versions>,
}

fn insert(versions: &mut Versions, table: &str, etag: &ETag) {
    if let Some(version) = version_of(&etag.0) {
        versions.entry(table.to_owned()).or_default().insert(version);
    }
}

impl Known {
    /// Rows of a table are in the replica at these versions.
    pub(super) fn taken_over<'a>(&self, rows: impl IntoIterator<Item = (&'a str, &'a ETag)>) {
        let mut versions = self.taken_over.borrow_mut();
        rows.into_iter().for_each(|(table, etag)| insert(&mut versions, table, etag));
    }

    /// These answers are about to be taken over; none are, without them.
    pub(super) fn expect(&self, sent: Option<&Sent>) {
        let mut versions = Versions::new();
        for answered in
            sent.iter().flat_map(|sent| &sent.answered).filter(|answered| answered.tells_own_row())
        {
            if let Some(etag) =
                answered.answer.etag.as_ref().filter(|_| answered.answer.outcome == Outcome::Done)
            {
                insert(&mut versions, &answered.ready.request.key.table, etag);
            }
        }
        self.expected.replace(versions);
    }

    fn of(&self, table: &str) -> KnownVersions {
        let (taken_over, expected) = (self.taken_over.borrow(), self.expected.borrow());
        match (taken_over.get(table), expected.get(table)) {
            (None, None) => KnownVersions::none(),
            (Some(one), None) | (None, Some(one)) => KnownVersions::new(one.iter().copied()),
            (Some(one), Some(other)) => KnownVersions::new(one.union(other).copied()),
        }
    }
}

/// What a call for changes need not be told. Nothing is left out where it counts that a page tells of a row: under a filter, where
/// a row has to be told of, where other tables' filters look at it, where values are carried on, and while a shadow is filled.
pub(super) fn known<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    (table, cursor): (&str, &Cursor),
    (kind, target): (Kind, Target),
) -> KnownVersions {
    let matters = cursor.filter.is_some()
        || !cursor.outside.is_empty()
        || cursor.shadow.is_some()
        || run.policy.has_up(table)
        || related::is_looked_at(&run.replica.state(), table);
    match run.remote.knows_versions() && kind == Kind::Changes && target == Target::Live && !matters {
        true => run.known.of(table),
        false => KnownVersions::none(),
    }
}
