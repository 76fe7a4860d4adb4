//! What the server last said, in immutable packed columns.
//!
//! A pulled page streams from bytes into a [`SegmentBuilder`]; sealed, it is one [`Segment`]. A [`MirrorTable`] is the
//! segments of one table: newer ones supersede older rows by id, tombstones remove them. Queries run column by column.
//! Pure over bytes: no I/O, no async, no clock; nothing local is ever written here.

mod alone;
mod bits;
mod budget;
mod builder;
mod bytes;
mod cells;
mod column;
mod compaction;
mod condition;
mod format;
mod ids;
mod item;
mod json;
mod lookup;
mod number;
mod order;
mod page;
mod scalar;
mod scan;
mod segment;
mod surrogates;
mod table;
mod tally;
mod text;
mod unpacked;

#[cfg(test)]
mod tests;

pub use budget::{keep_within, unpacked_bytes_max, UNPACKED_BYTES_MIN};
pub use builder::{SegmentBuilder, WrongType};
pub use cells::{Cells, Code};
pub use compaction::{
    Merge, Merged, Sliced, SEGMENT_ROWS_TARGET, SLICE_CELLS_MAX, SMALL_BYTES_MAX, SMALL_ROWS_MAX,
    SMALL_SEGMENTS_MIN,
};
pub use condition::Condition;
pub use format::SegmentError;
pub use ids::IdSet;
pub use page::{decode_page, decode_row, next_link_ahead, Item, Page, PageError};
pub use segment::Segment;
pub use table::{MirrorTable, RowAt};
pub use tally::Alike;
pub use text::Mixer;
