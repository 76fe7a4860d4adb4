//! Values the whole engine speaks in: ids, stamps, rows and edits. No I/O, no async, no clock.

mod columns;
mod conflict;
mod definition_stamp;
mod hlc;
mod ids;
mod offset;
mod page_rows;
mod patch;
mod patience;
mod profile;
mod time;
mod trace;
mod unanswered;
mod wanted;

pub use columns::{OPEN, OWNER, STATE};
pub use conflict::{Clash, Conflict, Side};
pub use definition_stamp::DefinitionStamp;
pub use flette_odata::batch::BATCH_PARTS_MAX;
pub use flette_odata::path::PARTY_TABLE;
pub use flette_odata::planted::{planted, Bug};
pub use flette_odata::{json, ordered, EntityRef, Row, Value};
pub use hlc::{Hlc, HlcClock, COUNTER_MAX};
pub use ids::{ChangeSetId, DeviceId, ETag, Key, OpId, Seq};
pub use offset::{Heard, Offset};
pub use page_rows::PageRows;
pub use patch::{Change, FieldEdit, Reason};
pub use patience::{Patience, PATIENCE_MILLIS_MAX};
pub use profile::{
    is_fixed, Direction, FieldProfile, LeftOut, Profile, RowsOf, Rule, TableProfile, ViewOf, ME,
    MY_BUSINESS_UNIT,
};
pub use time::{Millis, ServerTime};
pub use trace::{code_shown, Trace, TraceEvent, TRACE_EVENTS_KEPT_MAX, TRACE_EVENTS_MAX};
pub use unanswered::{Batch, Unanswered};
pub use wanted::Wanted;
