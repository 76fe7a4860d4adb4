//! Feeds that have not been asked for too long: what was deleted since may not be told any more. Pure.
//!
//! Dataverse keeps changes for `organization.ExpireChangeTrackingInDays`, seven unless an administrator chose otherwise. What it
//! does with an older link is not documented: it refuses it, or tells all rows and no deletion. Servers that name their database's
//! lineage refuse it.

use super::pull;
use crate::model::Millis;
use crate::replica::{Cursor, Draft};

/// A link is not trusted when it is older than this, milliseconds: seven days.
const HORIZON_MILLIS: i64 = 7 * 24 * 60 * 60 * 1000;
/// The time of a read is not written anew until it is this much later, milliseconds: most rounds bring nothing.
const PRECISION_MILLIS: i64 = 60 * 60 * 1000;

/// A read begins.
pub(super) fn begin(cursor: &mut Cursor, now: Millis) {
    let is_near = |Millis(at): Millis| (0..PRECISION_MILLIS).contains(&now.0.saturating_sub(at));
    if !cursor.asked_at.is_some_and(is_near) {
        cursor.asked_at = Some(now);
    }
}

/// Tables whose links are too old are pulled in full.
pub(super) fn forget_older(draft: &mut Draft, tables: &[String]) {
    let now = draft.corrected_now();
    for name in tables {
        if is_beyond(&draft.cursor(name), now) {
            pull::forget(draft, name, None);
        }
    }
}

/// Whether what a link would tell may lack deletions.
fn is_beyond(cursor: &Cursor, now: Millis) -> bool {
    let goes_by_links = cursor.delta_link.is_some() || cursor.next_link.is_some();
    let is_old = |Millis(at): Millis| now.0.saturating_sub(at) > HORIZON_MILLIS;
    goes_by_links && cursor.asked_at.is_some_and(is_old)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn asked(at: i64) -> Cursor {
        let mut cursor = Cursor { delta_link: Some("link".to_owned()), ..Cursor::default() };
        begin(&mut cursor, Millis(at));
        cursor
    }

    #[test]
    fn links_are_trusted_for_seven_days() {
        assert!(!is_beyond(&asked(DAY), Millis(8 * DAY)));
        assert!(is_beyond(&asked(DAY), Millis(8 * DAY + 1)));
        let under_way = Cursor { next_link: asked(DAY).delta_link, delta_link: None, ..asked(DAY) };
        assert!(is_beyond(&under_way, Millis(9 * DAY)));
        // Sweeps go by the time itself, and what is not known is not too old.
        assert!(!is_beyond(&Cursor { delta_link: None, ..asked(DAY) }, Millis(99 * DAY)));
        assert!(!is_beyond(&Cursor { asked_at: None, ..asked(DAY) }, Millis(99 * DAY)));
    }

    #[test]
    fn the_time_of_a_read_is_written_once_an_hour_and_goes_back_with_the_clock() {
        let after = |later: i64| {
            let mut cursor = asked(DAY);
            begin(&mut cursor, Millis(DAY + later));
            cursor.asked_at
        };
        assert_eq!(after(PRECISION_MILLIS - 1), Some(Millis(DAY)));
        assert_eq!(after(PRECISION_MILLIS), Some(Millis(DAY + PRECISION_MILLIS)));
        assert_eq!(after(-1), Some(Millis(DAY - 1)));
    }
}
