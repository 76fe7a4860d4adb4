//! How large a query may be. What the service says no number for is far above what people and builders write.

/// Longest text, bytes: what a URL inside a batch can hold.
pub const FETCH_LENGTH_MAX: usize = 65_536;
/// Deepest nesting of elements.
pub const FETCH_DEPTH_MAX: usize = 24;
/// Most `link-entity` elements, wherever they stand, as in Dataverse.
pub const FETCH_LINKS_MAX: usize = 15;
/// Most `condition` elements, as in Dataverse.
pub const FETCH_CONDITIONS_MAX: usize = 500;
/// Most values of all conditions together.
pub const FETCH_VALUES_MAX: usize = 2000;
/// Most columns in the answer of a query that names them.
pub const FETCH_ATTRIBUTES_MAX: usize = 1000;
/// Most `order` elements.
pub const FETCH_ORDERS_MAX: usize = 32;
/// Most rows in one page, and for `top`, as in Dataverse.
pub const PAGE_ROWS_MAX: u32 = 5000;
/// Last row that a page can reach without the cookie of an earlier one, as in Dataverse.
pub const ROWS_WITHOUT_COOKIE_MAX: u64 = 50_000;
/// Most rows an aggregate goes over, as in Dataverse.
pub const AGGREGATE_ROWS_MAX: u32 = 50_000;
/// Longest cookie, bytes: what a client can send back. A page that ends at longer values is remembered by its
/// number alone.
pub const COOKIE_LENGTH_MAX: usize = 8192;
