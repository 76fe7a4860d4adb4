//! Where a table's pull goes on. Pure.

use crate::model::{planted, Bug, Millis};
use crate::remote::{collection_url, listing_url, sweep_url};
use crate::replica::{Cursor, Feed, Target};
use flette_odata::edm::Table;
use flette_odata::path::PARTY_TABLE;
use std::collections::BTreeSet;

/// After so many sweeps, which never see deletions, all rows are pulled again.
pub(super) const SWEEPS_MAX: u32 = 20;
/// After so many sweeps under a filter, ids and etags of all rows are compared: a row may have left without being changed.
const COMPARES_EVERY: u32 = 5;
/// Before the sweeps with these numbers change tracking is asked for anew by whom it was denied to.
const ASKS_AGAIN: [u32; 3] = [3, 6, 12];
/// What a sweep goes by.
const MODIFIED_ON: &str = "modifiedon";

/// The next thing to do for a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Begin {
    /// The shadow is filled: it takes the place of what is read.
    Swap,
    /// The ids and etags of all rows are in the shadow: what is read is brought to them.
    Settle,
    /// The shadow belongs to a pull that cannot go on: away with it first.
    DropShadow,
    /// Ask for a page.
    Page {
        /// A link verbatim, or a first call.
        url: String,
        /// What the call brings.
        kind: Kind,
        /// Where its rows go.
        target: Target,
        /// For a first call: the properties asked for.
        fresh: Option<Vec<String>>,
    },
}

/// What a call brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Every row.
    All,
    /// What changed.
    Changes,
    /// Ids and etags of every row.
    Listing,
}

/// Where in its feed a table stands, as far as it matters for what is asked from there: an answer may be taken over only
/// where it still stands at that place. It does not where a damaged segment was found meanwhile, another context went on, or
/// the feed was given up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place(Box<Cursor>);

impl Place {
    /// Without what rows change that come in beside the feed.
    pub(super) fn of(cursor: &Cursor) -> Place {
        let (next_segment, stirred, outside) = (0, false, BTreeSet::new());
        Place(Box::new(Cursor { next_segment, stirred, outside, ..cursor.clone() }))
    }

    /// Whether what is asked from there by a link is what changed since all rows were read, and not rows that are yet to come.
    pub(super) fn is_at_delta(&self) -> bool {
        self.0.next_link.is_none() && self.0.delta_link.is_some()
    }
}

/// A first call, and what it means for the cursor.
#[derive(Debug, Clone)]
pub(super) struct Fresh {
    /// The properties asked for.
    pub(super) columns: Vec<String>,
    /// The filter asked for.
    pub(super) filter: Option<String>,
    /// What the call brings.
    pub(super) kind: Kind,
    /// Server time at the call, less an overlap: where the next sweep begins.
    pub(super) at: Millis,
}

impl Fresh {
    /// The first page of a first call is in.
    pub(super) fn open(&self, cursor: &mut Cursor, target: Target) {
        match target {
            Target::Live => cursor.narrow = self.filter.is_some(),
            // Columns that are new in the shadow are shown, and are not in what is read until then.
            Target::Shadow => {
                let is_new = |column: &String| !cursor.columns.contains(column);
                cursor.narrow |= self.columns.iter().any(is_new) && !cursor.columns.is_empty();
            }
        }
        cursor.columns.clone_from(&self.columns);
        cursor.filter.clone_from(&self.filter);
        cursor.watermark_next = Some(self.at);
        match self.kind {
            Kind::Changes => cursor.sweeps = cursor.sweeps.saturating_add(1),
            Kind::All => (cursor.delta_link, cursor.watermark) = (None, None),
            Kind::Listing => {
                (cursor.delta_link, cursor.watermark) = (None, None);
                // It shows all that a sweep does, and not what a read of whole rows does.
                cursor.sweeps = cursor.sweeps.saturating_add(1);
            }
        }
        cursor.listing = self.kind == Kind::Listing;
        cursor.stirred &= self.kind == Kind::Changes;
        if target == Target::Shadow && cursor.shadow.is_none() {
            cursor.shadow = Some(cursor.live.wrapping_add(1));
        }
    }
}

/// Decides from the cursor alone. `filter`: which rows are wanted.
pub(super) fn begin(cursor: &Cursor, table: &Table, filter: Option<&str>, root: &str) -> Begin {
    let columns: Vec<String> = table.columns.iter().map(|column| column.property()).collect();
    let as_asked = cursor.columns == columns && cursor.filter.as_deref() == filter;
    let target = if cursor.shadow.is_some() { Target::Shadow } else { Target::Live };
    let shown = planted(Bug::ShadowShown) && cursor.shadow.is_some();
    if let (Some(link), true, false) = (&cursor.next_link, as_asked, shown) {
        let kind = if cursor.listing { Kind::Listing } else { Kind::Changes };
        return Begin::Page { url: link.clone(), kind, target, fresh: None };
    }
    if let (Some(link), true, true) = (&cursor.delta_link, as_asked, cursor.behind) {
        return Begin::Page { url: link.clone(), kind: Kind::Changes, target, fresh: None };
    }
    let drained = cursor.delta_link.is_some() || cursor.watermark.is_some();
    if cursor.shadow.is_some() {
        let whole = drained || planted(Bug::ShadowShown);
        return match (whole && as_asked, cursor.listing) {
            (true, true) => Begin::Settle,
            (true, false) => Begin::Swap,
            (false, _) => Begin::DropShadow,
        };
    }
    let all = || Begin::Page {
        url: collection_url(root, table, &columns, filter),
        kind: Kind::All,
        // Where another filter found nothing, nothing is here, and yet it is known that this is all that it wanted.
        target: if cursor.next_segment == 0 && !cursor.complete { Target::Live } else { Target::Shadow },
        fresh: Some(columns.clone()),
    };
    let list = || Begin::Page {
        url: listing_url(root, table, filter),
        kind: Kind::Listing,
        target: Target::Shadow,
        fresh: Some(columns.clone()),
    };
    if !as_asked || !cursor.complete {
        return if can_compare(cursor, &columns) { list() } else { all() };
    }
    match (cursor.feed, &cursor.delta_link, cursor.watermark) {
        (Feed::Delta, Some(link), _) => {
            Begin::Page { url: link.clone(), kind: Kind::Changes, target: Target::Live, fresh: None }
        }
        (Feed::Sweep, _, Some(_)) if can_compare(cursor, &columns) && compares(cursor, table) => list(),
        (Feed::Sweep, _, Some(since)) if !may_track(cursor) && is_swept(table) => {
            let url = sweep_url(root, table, &columns, filter, since);
            Begin::Page { url, kind: Kind::Changes, target: Target::Live, fresh: Some(columns) }
        }
        (Feed::Delta | Feed::Sweep, _, _) => all(),
    }
}

/// Whether rows that are here may be told by their etags from those that changed: they were pulled in the same columns from
/// the same database, by sweeps (change tracking begins with whole rows), and not too long ago.
fn can_compare(cursor: &Cursor, columns: &[String]) -> bool {
    let known = cursor.complete && !cursor.foreign && cursor.watermark.is_some();
    known && cursor.columns == columns && cursor.feed == Feed::Sweep && cursor.sweeps < SWEEPS_MAX
}

/// Whether it is time to look for rows that a sweep does not tell of: those that left the filter, or came into it, without
/// being changed.
fn compares(cursor: &Cursor, table: &Table) -> bool {
    let often = !is_swept(table) || cursor.sweeps % COMPARES_EVERY == COMPARES_EVERY - 1;
    cursor.filter.is_some() && (cursor.stirred || often && !may_track(cursor))
}

/// Whether a sweep tells enough of a table. Of parties it does not: a set that is replaced is gone, every time.
fn is_swept(table: &Table) -> bool {
    table.column(MODIFIED_ON).is_some() && table.logical_name != PARTY_TABLE
}

/// Whether a full pull asks for change tracking: unless it was refused, and then again after some sweeps, since rights
/// change.
pub(super) fn may_track(cursor: &Cursor) -> bool {
    cursor.feed == Feed::Delta || cursor.sweeps >= SWEEPS_MAX || asks_again(cursor)
}

/// Whether change tracking is asked for before its turn: sweeps go on when it is denied once more.
pub(super) fn asks_again(cursor: &Cursor) -> bool {
    cursor.feed == Feed::Sweep && cursor.denied && ASKS_AGAIN.contains(&cursor.sweeps)
}

#[cfg(test)]
mod tests;
