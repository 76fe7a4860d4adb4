//! Which activities are known with their parties: an activity may be here at a newer version than its set, which came with another
//! page. To replace a set at that version would take away, unseen, what others made of it.

use super::held::{set_list, Split};
use super::wave::was_sent;
use crate::model::{Change, ETag, Key};
use crate::replica::Draft;
use std::collections::BTreeMap;

/// Versions of activities that were read in this pass before their sets were: no set is older than its activity.
#[derive(Default)]
pub(super) struct Sets {
    read: BTreeMap<Key, ETag>,
    /// What was sent goes again as it was, before anything is heard of it.
    as_sent: bool,
}

impl Sets {
    /// Of a pass that asks once more for what was sent.
    pub(super) fn as_sent() -> Sets {
        Sets { as_sent: true, ..Sets::default() }
    }

    /// These activities were read at these versions, and then their sets.
    pub(super) fn extend(&mut self, read: Vec<(Key, ETag)>) {
        self.read.extend(read);
    }

    /// Whether an activity has to be read, with its set, before that can be replaced. What is out of scope cannot be.
    pub(super) fn is_unseen(&self, draft: &Draft, activity: &Key, split: &Split) -> bool {
        let own = split.own.iter().find(|request| request.key == *activity);
        let is_new = own.is_some_and(|request| matches!(request.change, Change::Create(_)));
        if is_new || set_list(&draft.schema(), activity).is_none() {
            return false;
        }
        let set = split.sets.get(activity).into_iter().flatten();
        let again = self.as_sent && set.chain(own).any(|request| was_sent(draft, request));
        let known = draft.state().mirror_etag(&draft.resolve(activity));
        known.is_none_or(|known| !again && self.read.get(activity) != Some(&known))
    }
}
