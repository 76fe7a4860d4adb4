//! What answers say that name no row: which of the requests they can be about.

use super::{Group, RowAnswer, RowCall};
use crate::model::Reason;
use crate::remote::{Outcome, Resolve};
use flette_odata::edm::Table;

/// Status of an answer about a row that is not there.
const NOT_FOUND: u16 = 404;

/// Nothing says of which row a refusal speaks, or of a deletion that it was done: should these stand in another order than the requests,
/// a deletion that was refused would be taken for one that was done. So its row is looked at.
pub(super) fn doubt_deletions(groups: &[Group<'_>], assigned: &mut [Vec<RowAnswer>]) {
    for (group, answers) in groups.iter().zip(assigned) {
        if let ([(RowCall::Delete { .. }, _)], [answer]) = (group.as_slice(), answers.as_mut_slice()) {
            if answer.outcome == Outcome::Done {
                let unsure = Reason { status: 0, code: String::new(), message: String::new() };
                answer.outcome = Outcome::Resolve(Resolve::Changed(unsure));
            }
        }
    }
}

/// A change set was refused since an id is taken: that is the id of a new row, so nothing is said of the other requests.
pub(super) fn blame_new_rows(answers: &mut [RowAnswer]) {
    let exists = |answer: &RowAnswer| matches!(answer.outcome, Outcome::Resolve(Resolve::Exists(_)));
    if !answers.iter().any(exists) {
        return;
    }
    for answer in answers {
        if let Outcome::Park(reason) = &answer.outcome {
            answer.outcome = Outcome::Resolve(Resolve::Changed(reason.clone()));
        }
    }
}

/// A change set was refused since a row is missing: that is none of its new rows, unless one goes by an id of ours where the server
/// gives ids by now, and knows none of these. One that they point to may be; then the others stand as they were when they are read.
pub(super) fn spare_new_rows(group: &Group<'_>, answers: &mut [RowAnswer]) {
    let missing = |answer: &RowAnswer| matches!(answer.outcome, Outcome::Resolve(Resolve::Gone(_)));
    if !answers.iter().any(missing) {
        return;
    }
    for ((call, table), answer) in group.iter().zip(answers) {
        let is_spared = call.is_add() || matches!(call, RowCall::Create { .. }) && !table.assigns_ids();
        if let (true, Outcome::Park(reason)) = (is_spared, &answer.outcome) {
            answer.outcome = Outcome::Resolve(Resolve::Changed(reason.clone()));
        }
    }
}

/// A change set was refused since a row is missing, and some of its new rows go by ids of ours where the server gives ids by now: it
/// knows none of these, and says nothing of the other requests.
pub(super) fn blame_rows_by_id(group: &Group<'_>, answers: &mut [RowAnswer]) {
    let missing =
        |answer: &RowAnswer| matches!(&answer.outcome, Outcome::Park(reason) if reason.status == NOT_FOUND);
    let by_id = |call: &RowCall, table: &Table| matches!(call, RowCall::Create { .. }) && table.assigns_ids();
    let told = || group.iter().zip(answers.iter());
    if !told().any(|((call, table), answer)| by_id(call, table) && missing(answer)) {
        return;
    }
    for ((call, table), answer) in group.iter().zip(answers) {
        if let (false, Outcome::Park(reason) | Outcome::Resolve(Resolve::Gone(reason))) =
            (by_id(call, table), &answer.outcome)
        {
            answer.outcome = Outcome::Resolve(Resolve::Changed(reason.clone()));
        }
    }
}
