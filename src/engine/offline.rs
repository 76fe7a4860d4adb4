//! Going offline and online. The wish to go offline is durable: a worker that is stopped on the way goes on with it at its
//! next round, from the last committed page. The steps are: schema and checks (who is calling, what may be read, how much
//! will come, whether there is space for it), customizations, data; and only then the line is cut.

use super::{Engine, Live};
use crate::error::{Error, Result};
use crate::model::{Millis, TraceEvent};
use crate::platform::{Platform, Space};
use crate::replica::{GoingOffline, State, TableState, Total};
use crate::store::Durability;
use crate::sync::{survey, Phase, Report, Survey, SyncConfig};
use flette_odata::time::format_datetime;
use flette_odata::ODataError;
use serde::Serialize;
use std::collections::BTreeMap;

/// Tables of views and forms that are taken along, as far as the server gives them.
pub(super) const CUSTOMIZATIONS: [&str; 3] = ["savedquery", "userquery", "systemform"];

/// Rounds in a row that one call of go-offline or go-online may take. Each ends at a slice border.
pub(super) const ROUNDS_MAX: u32 = 1000;

/// Stored bytes of a row of a table of which none is here yet. Contacts of 24 columns take 200.
const ROW_BYTES_GUESSED: u64 = 300;
/// Space that must be left over, bytes: for changes, the conflict log, and segments while they are merged.
const SPACE_LEFT_BYTES_MIN: u64 = 16 * 1024 * 1024;
const MIB_BYTES: u64 = 1024 * 1024;

/// What is known here of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Known {
    rows: u64,
    bytes: u64,
}

/// Whether the line may be cut later: every table may be read, and there is space for what will come.
///
/// # Errors
/// 403 that names the tables which are not given; 507 when the space will not do.
fn judge(
    survey: &Survey,
    known: &BTreeMap<String, Known>,
    space: Option<Space>,
) -> std::result::Result<(), ODataError> {
    if !survey.refused.is_empty() {
        let names: Vec<String> = survey.refused.iter().map(|name| format!("'{name}'")).collect();
        let message = format!("Cannot go offline: the server does not let you read {}.", names.join(", "));
        return Err(ODataError::new(403, "0x80040220", message));
    }
    let Some(space) = space else { return Ok(()) };
    let need = bytes_to_come(&survey.totals, known);
    let free = space.quota_bytes.saturating_sub(space.used_bytes);
    if need == 0 || need.saturating_add(SPACE_LEFT_BYTES_MIN) <= free {
        return Ok(());
    }
    let mebibytes = |bytes: u64| bytes.div_ceil(MIB_BYTES);
    let message = format!(
        "Cannot go offline: about {} MiB will come, of which {} MiB must stay free, and this device has {} MiB left.",
        mebibytes(need.saturating_add(SPACE_LEFT_BYTES_MIN)),
        mebibytes(SPACE_LEFT_BYTES_MIN),
        free / MIB_BYTES
    );
    Err(ODataError::new(507, "0x80040216", message))
}

/// Stored bytes of the rows that are on the server and not here, by what the rows here take.
fn bytes_to_come(totals: &BTreeMap<String, Total>, known: &BTreeMap<String, Known>) -> u64 {
    let of = |(name, total): (&String, &Total)| {
        let known = known.get(name).copied().unwrap_or_default();
        let row_bytes = known.bytes.div_ceil(known.rows.max(1)).max(1);
        let row_bytes = if known.rows == 0 { ROW_BYTES_GUESSED } else { row_bytes };
        total.rows.saturating_sub(known.rows).saturating_mul(row_bytes)
    };
    totals.iter().map(of).fold(0, u64::saturating_add)
}

/// Time until `total` rows are there, milliseconds, by the pace since `from` rows were. `None` while there is no pace yet.
fn millis_left(from: u64, done: u64, total: u64, elapsed_millis: i64) -> Option<u64> {
    let came = done.checked_sub(from).filter(|came| *came > 0)?;
    let elapsed = u64::try_from(elapsed_millis).ok()?;
    let left = u128::from(total.saturating_sub(done)) * u128::from(elapsed) / u128::from(came);
    u64::try_from(left).ok()
}

/// Rows of a table that have come: of one that is being filled again, those of the new copy.
fn rows_here(table: &TableState) -> u64 {
    // A shadow that only lists ids holds no rows.
    let is_filled = table.cursor.shadow.is_some() && !table.cursor.listing;
    let filled = if is_filled { &table.shadow } else { &table.mirror };
    count(filled.as_ref().map_or(0, |mirror| mirror.len()))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn is_whole(table: &TableState) -> bool {
    let cursor = &table.cursor;
    cursor.complete && cursor.shadow.is_none() && cursor.next_link.is_none()
}

/// How far going offline has come, as the status shows it.
#[derive(Debug, Serialize, PartialEq)]
pub(super) struct OnTheWay {
    since: String,
    /// `schema`, `checks`, `customizations` or `data`.
    phase: &'static str,
    rows: u64,
    /// `None` until the server was asked.
    total: Option<u64>,
    /// Whether the total is of the rows that the user may see.
    exact: bool,
    bytes: u64,
    millis_left: Option<u64>,
    tables: Vec<TableOnTheWay>,
}

#[derive(Debug, Serialize, PartialEq)]
struct TableOnTheWay {
    name: String,
    rows: u64,
    total: Option<u64>,
    exact: bool,
    bytes: u64,
    complete: bool,
}

/// What is shown of a wish to go offline. The tables must be loaded.
pub(super) fn on_the_way(state: &State, scope: &[String], live: &Live, now: Millis) -> Option<OnTheWay> {
    let going = state.record.going_offline.as_ref()?;
    let tables: Vec<TableOnTheWay> = scope.iter().map(|name| of_table(state, going, name)).collect();
    let rows = tables.iter().map(|table| table.rows).sum();
    let total = going.totals.as_ref().map(|_| tables.iter().filter_map(|table| table.total).sum());
    let pace = live.pace.get();
    let left = total
        .zip(pace)
        .and_then(|(total, (at, from))| millis_left(from, rows, total, now.0.saturating_sub(at.0)));
    Some(OnTheWay {
        since: format_datetime(going.since.0),
        phase: phase(state, going, live),
        rows,
        total,
        exact: tables.iter().all(|table| table.exact),
        bytes: tables.iter().map(|table| table.bytes).sum(),
        millis_left: left,
        tables,
    })
}

/// A whole table has all of its rows, whatever has been made or deleted there since they were counted.
fn of_table(state: &State, going: &GoingOffline, name: &str) -> TableOnTheWay {
    let known = state.tables.get(name);
    let (rows, complete) = known.map_or((0, false), |table| (rows_here(table), is_whole(table)));
    let counted = going.totals.as_ref().and_then(|totals| totals.get(name));
    let total = counted.map(|total| if complete { rows } else { total.rows.max(rows) });
    TableOnTheWay {
        name: name.to_owned(),
        rows,
        total,
        exact: complete || counted.is_some_and(|total| total.exact),
        bytes: known.map_or(0, |table| count(table.stored_bytes())),
        complete,
    }
}

fn phase(state: &State, going: &GoingOffline, live: &Live) -> &'static str {
    if going.totals.is_none() {
        let checks = live.progress.get().is_some_and(|stage| stage.phase == Phase::Checks);
        return if checks { "checks" } else { "schema" };
    }
    let whole = |name: &String| state.tables.get(name).is_some_and(is_whole);
    if state.record.customizations.iter().all(whole) {
        "data"
    } else {
        "customizations"
    }
}

impl<P: Platform + 'static> Engine<P> {
    /// Tables that are kept: those of the set-up, and, once the user has gone offline, those of views and forms.
    pub(super) fn scope(&self) -> Vec<String> {
        let state = self.replica.state();
        let customizations = state.record.customizations.iter();
        let further = customizations.filter(|name| !self.config.tables.contains(name));
        further.chain(&self.config.tables).cloned().collect()
    }

    /// Whether the user wants to go offline and is not yet.
    pub(super) fn is_going_offline(&self) -> bool {
        self.replica.state().record.going_offline.is_some()
    }

    /// Brings schema, customizations and data up to date, and only then cuts the line. What goes wrong while somebody
    /// waits for the answer ends the wish: he is told. What was pulled stays.
    pub(super) async fn go_offline(&self) -> Result<Report> {
        if self.is_offline_chosen() {
            return Ok(Report { ok: true, ..Report::default() });
        }
        // One lock for all of it: nobody comes between the checks and what they allowed.
        let Some(_lock) = self.lock().await else { return Err(not_yet(super::NOT_PRIMARY)) };
        self.set_going(true, "offline-wanted").await?;
        let mut total = Report::default();
        for _ in 0..ROUNDS_MAX {
            match self.step_offline().await {
                Ok(report) => total = total.then(report),
                Err(error) => {
                    self.set_going(false, "offline-refused").await?;
                    return Err(error);
                }
            }
            if self.is_offline_chosen() {
                return Ok(total);
            }
            if !self.is_going_offline() {
                let problem = Some("going offline was cancelled".to_owned());
                return Ok(Report { ok: false, more: false, problem, ..total });
            }
            if !total.more {
                break;
            }
        }
        self.set_going(false, "offline-failed").await?;
        let problem = total.problem.unwrap_or_else(|| "not everything has come".to_owned());
        Err(not_yet(&problem))
    }

    /// Goes on with a wish to go offline by one round, after the checks if they are still to be done. The lock must be held.
    ///
    /// # Errors
    /// What the checks refuse.
    pub(super) async fn step_offline(&self) -> Result<Report> {
        let checked = self.replica.state().record.going_offline.as_ref().is_some_and(|g| g.totals.is_some());
        if !checked {
            if let Some(report) = self.check().await? {
                return Ok(report);
            }
        }
        self.load_all().await?;
        if self.live.pace.get().is_none() {
            let rows = self.replica.state().tables.values().map(rows_here).sum();
            self.live.pace.set(Some((self.platform.now(), rows)));
        }
        let report = self.locked_round().await;
        self.cut().await?;
        Ok(report)
    }

    /// Rights and space. `Some` when it could not be found out.
    async fn check(&self) -> Result<Option<Report>> {
        let _syncing = self.begin();
        // Tables that an earlier way offline brought are asked about anew.
        let config = SyncConfig { tables: self.config.tables.clone(), ..self.sync_config() };
        let now = || self.platform.now();
        let random = |bytes: &mut [u8]| self.platform.random(bytes);
        let outside = self.outside(&now, &random);
        let progress = &self.live.progress;
        let survey = match survey(&self.replica, &outside, &config, &CUSTOMIZATIONS, progress).await {
            Ok(survey) => survey,
            Err(report) => {
                self.note_ended(&report).await;
                return Ok(Some(report));
            }
        };
        self.live.reachable.set(Some(true));
        self.live.signed_in.set(true);
        self.load_all().await?;
        let space = self.platform.space().await;
        judge(&survey, &self.known(), space)?;
        let Survey { further, totals, .. } = survey;
        self.replica
            .transact(self.platform.now(), Durability::Strict, &[], |draft| {
                // It may have been given up meanwhile.
                if let Some(going) = &mut draft.record.going_offline {
                    going.totals = Some(totals.clone());
                    draft.record.customizations.clone_from(&further);
                    draft.note(TraceEvent::Mode { step: "offline-checked" });
                }
                Ok(())
            })
            .await?;
        Ok(None)
    }

    fn known(&self) -> BTreeMap<String, Known> {
        let state = self.replica.state();
        let tables = state.tables.iter().map(|(name, table)| {
            let rows = table.mirror.as_ref().map_or(0, |mirror| mirror.len());
            (name.clone(), Known { rows: count(rows), bytes: count(table.stored_bytes()) })
        });
        tables.collect()
    }

    /// Cuts the line if everything has come since it was wished for, and it still is.
    async fn cut(&self) -> Result<()> {
        let scope = self.scope();
        self.replica
            .transact(self.platform.now(), Durability::Strict, &[], |draft| {
                let Some(going) = &draft.record.going_offline else { return Ok(()) };
                let state = draft.state();
                let whole = scope.iter().all(|name| state.tables.get(name).is_some_and(is_whole));
                if whole && !draft.record.pull_due && going.totals.is_some() {
                    draft.record.going_offline = None;
                    draft.record.offline_chosen = true;
                    draft.note(TraceEvent::Mode { step: "offline" });
                }
                Ok(())
            })
            .await
    }

    async fn set_going(&self, going: bool, step: &'static str) -> Result<()> {
        self.live.pace.set(None);
        self.replica
            .transact(self.platform.now(), Durability::Strict, &[], |draft| {
                if going == draft.record.going_offline.is_some() && !going {
                    return Ok(());
                }
                let since = draft.corrected_now();
                draft.record.going_offline = going.then_some(GoingOffline { since, totals: None });
                // Only a pull that comes to its end after the wish brings everything up to date.
                draft.record.pull_due |= going;
                draft.note(TraceEvent::Mode { step });
                Ok(())
            })
            .await
    }

    /// Gives the wish to go offline up: the round under way ends at its next slice, and what was pulled stays.
    pub(super) async fn cancel_offline(&self) -> Result<()> {
        if self.is_going_offline() {
            self.set_going(false, "offline-cancelled").await?;
            self.live.progress.stop();
        }
        Ok(())
    }

    /// Gives the wish up that the checks refuse, with nobody waiting for the answer.
    pub(super) async fn refuse_offline(&self, refusal: &Error) -> Report {
        let problem = match self.set_going(false, "offline-refused").await {
            Ok(()) => refusal.to_string(),
            Err(error) => error.to_string(),
        };
        self.live.problem.replace(Some(problem.clone()));
        Report { problem: Some(problem), reachable: true, ..Report::default() }
    }

    /// Opens the line again, pushes and pulls, and reports.
    pub(super) async fn go_online(&self) -> Result<Report> {
        self.replica
            .transact(self.platform.now(), Durability::Strict, &[], |draft| {
                if draft.record.offline_chosen {
                    draft.note(TraceEvent::Mode { step: "online" });
                }
                draft.record.offline_chosen = false;
                draft.record.going_offline = None;
                Ok(())
            })
            .await?;
        let Some(_lock) = self.lock().await else { return Ok(super::idle(super::NOT_PRIMARY)) };
        let mut total = self.locked_round().await;
        for _ in 0..ROUNDS_MAX {
            if !total.more {
                break;
            }
            total = total.then(self.locked_round().await);
        }
        Ok(total)
    }
}

fn not_yet(why: &str) -> Error {
    Error::Refused(ODataError::new(409, "0x80044223", format!("Cannot go offline yet: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(rows: &[(&str, u64)]) -> BTreeMap<String, Total> {
        let total = |rows| Total { rows, exact: true };
        rows.iter().map(|(name, rows)| ((*name).to_owned(), total(*rows))).collect()
    }

    fn survey_of(rows: &[(&str, u64)]) -> Survey {
        Survey { totals: totals(rows), ..Survey::default() }
    }

    #[test]
    fn tables_that_may_not_be_read_are_refused_by_name() {
        let refused = vec!["lead".to_owned(), "task".to_owned()];
        let error = judge(&Survey { refused, ..Survey::default() }, &BTreeMap::new(), None).unwrap_err();
        assert_eq!((error.status, error.code.as_str()), (403, "0x80040220"));
        assert!(error.message.contains("'lead', 'task'"), "{}", error.message);
    }

    #[test]
    fn what_comes_must_fit_beside_what_stays_free() {
        let known: BTreeMap<String, Known> =
            [("account".to_owned(), Known { rows: 10, bytes: 5_001 })].into();
        let survey = survey_of(&[("account", 110), ("contact", 1_000)]);
        let need = 100 * 501 + 1_000 * ROW_BYTES_GUESSED;
        assert_eq!(bytes_to_come(&survey.totals, &known), need);
        let free = |bytes: u64| Some(Space { quota_bytes: bytes + 7, used_bytes: 7 });
        assert!(judge(&survey, &known, free(need + SPACE_LEFT_BYTES_MIN)).is_ok());
        let error = judge(&survey, &known, free(need + SPACE_LEFT_BYTES_MIN - 1)).unwrap_err();
        assert_eq!(error.status, 507);
        assert!(judge(&survey, &known, None).is_ok(), "nobody can tell");
        assert!(judge(&survey_of(&[("account", 10)]), &known, free(0)).is_ok(), "nothing will come");
    }

    #[test]
    fn the_time_left_follows_from_the_pace() {
        for (from, done, total, elapsed, expected) in [
            (0, 50, 100, 10_000, Some(10_000)),
            (20, 40, 100, 5_000, Some(15_000)),
            (0, 100, 100, 1, Some(0)),
            (0, 120, 100, 1, Some(0)),
            (0, 0, 100, 10_000, None),
            (50, 40, 100, 10_000, None),
            (0, 1, 2, -1, None),
            (0, 1, u64::MAX, i64::MAX, None),
        ] {
            assert_eq!(millis_left(from, done, total, elapsed), expected, "{from} {done} {total}");
        }
    }
}
