//! Where the pull of one table stands. Committed together with the rows it covers.

use crate::model::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

/// How changes of a table are learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Feed {
    /// Change tracking with delta links.
    #[default]
    Delta,
    /// `modifiedon` watermark and a periodic compare of ids, where change tracking is refused.
    Sweep,
}

/// Position of a table's pull.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// Which feed the server offers.
    pub feed: Feed,
    /// Next page of a pull under way: verbatim, as the server gave it.
    pub next_link: Option<String>,
    /// Where the next pull begins: verbatim, as the server gave it.
    pub delta_link: Option<String>,
    /// Server time when the read under way began, or the last one: up to here everything has been told, or is yet to be told by
    /// `next_link`. Up to an hour too early.
    #[serde(default)]
    pub asked_at: Option<Millis>,
    /// Highest `modifiedon` seen by sweeps.
    pub watermark: Option<Millis>,
    /// Watermark to take over when the sweep under way is through.
    pub watermark_next: Option<Millis>,
    /// Sweeps since the last full pull.
    #[serde(default)]
    pub sweeps: u32,
    /// Whether the user lacked the right to change tracking when it was asked for last: it may come back.
    #[serde(default)]
    pub denied: bool,
    /// Whether a first pull (or the resync into the shadow) came to its end.
    pub complete: bool,
    /// Generation of segments that is read.
    pub live: u32,
    /// Generation being filled by a full resync; it becomes the live one at its end.
    pub shadow: Option<u32>,
    /// Number of the next segment, over all generations.
    pub next_segment: u64,
    /// Columns the delta link was asked for; another set needs a new first call.
    pub columns: Vec<String>,
    /// Filter it was asked for; another one needs a new first call, too.
    #[serde(default)]
    pub filter: Option<String>,
    /// Whether what is read lacks rows, or columns, of those that the server would tell.
    #[serde(default)]
    pub narrow: bool,
    /// Whether the last read of all rows came in several pages: what was changed meanwhile may be in none of them, and is
    /// told by the next delta only.
    #[serde(default)]
    pub behind: bool,
    /// Whether what is read is from another database than the server's: its etags mean nothing there.
    #[serde(default)]
    pub foreign: bool,
    /// Whether the shadow holds ids and etags only: what is read is compared with it, and never replaced by it.
    #[serde(default)]
    pub listing: bool,
    /// Whether rows of other tables, by which the filter goes, have changed since all of its rows were asked for.
    #[serde(default)]
    pub stirred: bool,
    /// Rows that are here although the filter leaves them out: changes of them wait.
    #[serde(default)]
    pub outside: BTreeSet<Uuid>,
}

impl Cursor {
    /// Whether what is read is all that the server would tell.
    pub fn holds_all(&self) -> bool {
        self.complete && !self.narrow
    }

    /// Whether rows are here, be it not all of them: they are shown while others are pulled, or pulled again.
    pub fn has_begun(&self) -> bool {
        self.complete || self.next_link.is_some() || self.next_segment > 0
    }
}
