//! What pages that did not arrive in time leave to those after them: fewer rows are asked for, until enough full pages came. Pure.
//!
//! It is stored, so that a worker that is stopped while it waits, or soon after, goes on with the smaller pages.

use serde::{Deserialize, Serialize};

/// No fewer rows are asked for: a page of so many is hardly longer than what else is asked.
const ROWS_MIN: u32 = 50;
/// After so many full pages that came, twice as many rows are asked for.
const CAME_MAX: u32 = 8;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRows {
    /// Most rows of a page by now; none where nothing speaks against as many as there may be.
    max: Option<u32>,
    /// Full pages that came since that was set.
    came: u32,
}

impl PageRows {
    /// Most rows to ask for, where that is less than `most`.
    pub fn max(&self, most: u32) -> u32 {
        self.max.map_or(most, |max| max.min(most))
    }

    /// A page for which so many rows were asked did not come as a whole in time.
    pub fn failed(&mut self, asked: u32) {
        (self.max, self.came) = (Some((asked / 2).max(ROWS_MIN).min(asked)), 0);
    }

    /// A page came with `rows` of the rows that were `asked` for, and `most` could have been.
    pub fn came(&mut self, rows: u64, asked: u32, most: u32) {
        let Some(max) = self.max.filter(|_| rows >= u64::from(asked)) else { return };
        self.came = self.came.saturating_add(1);
        if self.came >= CAME_MAX {
            (self.max, self.came) = (Some(max.saturating_mul(2)).filter(|max| *max < most), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_shrink_down_to_some_rows_and_grow_again_after_full_ones_that_came() {
        let (mut rows, most) = (PageRows::default(), 300);
        for (asked, next) in [(300, 150), (150, 75), (75, 50), (50, 50), (10, 10)] {
            rows.failed(asked);
            assert_eq!(rows.max(most), next);
        }
        rows.failed(150);
        for _ in 1..CAME_MAX {
            rows.came(75, 75, most);
        }
        rows.came(74, 75, most);
        assert_eq!(rows.max(most), 75);
        rows.came(75, 75, most);
        assert_eq!(rows.max(most), 150);
        for _ in 0..CAME_MAX {
            rows.came(150, 150, most);
        }
        assert_eq!(rows, PageRows::default());
    }
}
