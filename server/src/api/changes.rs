//! The feed of changes: a first read with a delta link at its end, then what changed since.
//!
//! The first page fixes how far the whole read goes and what it is about: later pages only go on, and show
//! nothing that the caller may no longer see. Where that was less, the token says so, and the next delta tells
//! all that is in sight once more. Rows are read in the order of their changes, so a row that
//! changes while a client pages drops out of this read and comes with the next delta: nothing falls between
//! two tokens.

use super::source::Rows;
use super::ticket::{Scope, Seen, Ticket};
use super::{rights, table_of, Call, Profile, COUNT_MAX};
use crate::db::changes::{Reason, Tombstone};
use crate::db::position::{Place, Position};
use crate::db::query::{Before, Fate, Feed};
use crate::db::rows::etag;
use crate::db::Reader;
use crate::rights::{is_party, mask, Reach, Verb, View};
use flette_odata::answer::{applied, counted, link, Listed, Page, Press, Sheet, Wanted};
use flette_odata::error::Result;
use flette_odata::known_versions::KnownVersions;
use flette_odata::operation::Operation;
use flette_odata::planted::{planted, Bug};
use flette_odata::prefer::{Annotations, Prefer};
use flette_odata::query::Query;
use flette_odata::render::RowShape;
use flette_odata::{delta, render, ODataError, Response, Table};

/// A list whose changes are asked for.
pub(super) struct Tracked<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) call: &'a Call<'a>,
    pub(super) table: &'a Table,
    pub(super) query: &'a Query,
    list: Listed<'a>,
}

/// Answers what asks for changes; `None` for anything else.
///
/// # Errors
/// As for a list; 410 for a token that has expired.
pub(super) fn respond(
    reader: &Reader,
    call: &Call,
    (source, url): (&Rows, &str),
    operation: &Operation,
) -> Result<Option<Response>> {
    let none = Prefer::default();
    let (name, query, prefer) = match operation {
        Operation::ReadCollection { table, query, prefer } => (table, query, prefer),
        Operation::Count { table, query } => (table, query, &none),
        _ => return Ok(None),
    };
    let (table, root, wanted) = (table_of(reader.schema, name)?, call.root, Wanted::Rows);
    let list = Listed { source, root, url, table, within: None, wanted, query, prefer };
    let tracked = Tracked { reader, call, table, query, list };
    if query.fetch.is_some() || query.saved.is_some() {
        return Ok(None);
    }
    if matches!(operation, Operation::Count { .. }) {
        return Ok(query.delta_token.as_ref().map(|_| count(&tracked)).transpose()?.map(counted));
    }
    let body = match query.skip_token.as_deref().map(Page::read).transpose()? {
        Some(Page::Changes(token)) => page(&tracked, &Reading::further(&tracked, &token)?)?,
        Some(Page::Rows { .. } | Page::View { .. }) => return Ok(None),
        None if query.delta_token.is_some() => page(&tracked, &Reading::begin(&tracked)?)?,
        None if prefer.track_changes => {
            rights::check_readable(call, table)?;
            page(&tracked, &Reading::begin(&tracked)?)?
        }
        None => return Ok(None),
    };
    Ok(Some(applied(Response::json(200, body), prefer)))
}

/// 410: a token that was right once, or for another database. The client reads everything anew.
pub(super) fn expired() -> ODataError {
    ODataError::new(
        410,
        "0x80044352",
        "Version stamp associated with the client has expired. Please perform a full sync.",
    )
}

/// One read, as its pages share it.
struct Reading {
    scope: Scope,
    from: Place,
    until: Position,
    now: View,
    read: View,
    /// Whether a page, this one or one before, is told under other rights than the first.
    torn: bool,
    before: Option<Told>,
}

/// What a delta goes out from.
struct Told {
    until: Position,
    view: View,
    torn: bool,
}

impl Told {
    fn read((until, seen): (Position, &Seen), now: &View) -> Result<Told> {
        Ok(Told { until, view: seen.view(now)?, torn: seen.is_torn() })
    }

    fn write(&self) -> (Position, Seen) {
        let seen = Seen::of(&self.view);
        (self.until.clone(), if self.torn { seen.torn() } else { seen })
    }
}

/// How many changes there are since the token of a query.
fn count(list: &Tracked) -> Result<u64> {
    let reading = Reading::begin(list)?;
    let mut count = 0;
    reading.feed(list, |feed| {
        list.reader.feed(feed, COUNT_MAX, &[], |_, _| {
            count += 1;
            Ok(true)
        })?;
        let gone = list.reader.departures(feed, COUNT_MAX)?.len();
        count += u64::try_from(gone).unwrap_or(COUNT_MAX);
        Ok(())
    })?;
    Ok(count.min(COUNT_MAX))
}

impl Reading {
    fn begin(list: &Tracked) -> Result<Reading> {
        check(list)?;
        let sight = list.call.caller.sight();
        let now = sight.view(list.table);
        let mut reading = Reading {
            scope: Scope::of(list)?,
            from: Place::default(),
            until: list.reader.position()?,
            read: now.clone(),
            now,
            torn: false,
            before: None,
        };
        if let Some(token) = &list.query.delta_token {
            let ticket = Ticket::read(list, token)?;
            reading.before = Some(Told::read((ticket.until, &ticket.read), &reading.now)?);
        }
        Ok(reading)
    }

    fn further(list: &Tracked, token: &str) -> Result<Reading> {
        check(list)?;
        let ticket = Ticket::read(list, token)?;
        let now = list.call.caller.sight().view(list.table);
        let read = ticket.read.view(&now)?;
        let torn = ticket.read.is_torn() || read != now;
        let before = ticket.before.map(|(until, seen)| Told::read((until, &seen), &now)).transpose()?;
        let from = ticket.after.ok_or_else(ODataError::bad_skip_token)?;
        let (scope, until) = (ticket.scope, ticket.until);
        Ok(Reading { scope, from, until, now, read, torn, before })
    }

    fn before(&self, list: &Tracked) -> Option<Before<'_>> {
        let Told { until, view, torn } = self.before.as_ref()?;
        let other = |name: &str| view.masked.contains(name) != self.read.masked.contains(name);
        // What comes along with a selected column is shown too.
        let shape = RowShape::new(list.table, list.query.select.as_deref(), &Annotations::none());
        let selected = |name: &String| shape.columns.iter().any(|column| column.logical_name == *name);
        let mut masked = view.masked.symmetric_difference(&self.read.masked);
        let filter = list.query.filter.as_ref();
        Some(Before {
            view,
            until,
            torn: *torn,
            remasked: masked.any(selected),
            refiltered: filter.is_some_and(|filter| mask::looks_at(filter, &other)),
        })
    }

    /// Versions that need not be told once more. None where rows come that nobody touched, or where columns are secured: a row
    /// may look otherwise then, though it is still at its version.
    fn known<'l>(&self, list: &'l Tracked) -> &'l KnownVersions {
        static NONE: KnownVersions = KnownVersions::none();
        let is_secured = list.table.columns.iter().any(|column| column.secured);
        let is_plain = self.before(list).is_some_and(|before| !before.is_other(&self.read));
        match list.call.extensions && is_plain && !is_secured {
            true => &list.list.prefer.known_versions,
            false => &NONE,
        }
    }

    fn feed<T>(&self, list: &Tracked, work: impl FnOnce(&Feed) -> Result<T>) -> Result<T> {
        work(&Feed {
            table: list.table,
            filter: list.query.filter.as_ref(),
            caller: self.scope.user,
            now: &self.now,
            read: &self.read,
            before: self.before(list),
            until: &self.until,
            from: self.from,
            known: self.known(list),
        })
    }

    /// The token after a page: to its next one, which goes on after a change, or to the next delta.
    fn ticket(&self, after: Option<Place>) -> Ticket {
        let before = after.and(self.before.as_ref());
        let read = Seen::of(&self.read);
        Ticket {
            scope: self.scope.clone(),
            until: self.until.clone(),
            read: if self.torn { read.torn() } else { read },
            after,
            before: before.map(Told::write),
        }
    }
}

fn check(list: &Tracked) -> Result<()> {
    allowed(list.call, list.table)?;
    let query = list.query;
    // A row has to tell by itself whether it fits: what depends on other rows, the user or the clock may
    // change without any change of the row.
    let filter = match list.call.profile {
        Profile::Dataverse => query.filter.is_some(),
        Profile::Open => query.filter.as_ref().is_some_and(|filter| !filter.is_of_one_row()),
    };
    let refused = [
        ("filter", filter),
        ("orderby", !query.orderby.is_empty()),
        ("expand", !query.expand.is_empty()),
        ("top", query.top.is_some()),
    ];
    match refused.iter().find(|(_, present)| *present) {
        Some((name, _)) => Err(ODataError::bad_request(format!(
            "The \"${name}\" query parameter isn't supported when Change Tracking is enabled."
        ))),
        None => Ok(()),
    }
}

fn allowed(call: &Call, table: &Table) -> Result<()> {
    let name = &table.logical_name;
    if !table.change_tracking {
        let message = format!("Entity {name} isn't enabled for change tracking.");
        return Err(ODataError::new(400, "0x80072491", message));
    }
    // Parties come and go with their activities, which they do not tell.
    let whole = call.profile == Profile::Dataverse || is_party(table);
    if whole && call.caller.sight().reach(table) != Reach::All {
        return Err(rights::denied(call, Verb::Read, table));
    }
    Ok(())
}

fn page(list: &Tracked, reading: &Reading) -> Result<Vec<u8>> {
    let (reader, size) = (list.reader, list.list.page_size());
    let press: Press = list.list.press();
    let plan = list.list.plan(&press)?;
    let mut sheet = Sheet::new(&press, &plan);
    let (mut count, mut last, mut more) = (0, reading.from, false);
    reading.feed(list, |feed| {
        let mut gone = reader.departures(feed, size + 1)?.into_iter().peekable();
        reader.feed(feed, size + 1, &plan.columns, |found, fate| {
            // Rows and tombstones are told in the order of their places, so that one place says where a
            // page ends.
            while let Some(tombstone) = gone.next_if(|t| count < size && t.place < found.place()) {
                last = tombstone.place;
                count += 1;
                bury(&mut sheet, list, &tombstone);
            }
            if count == size {
                more = true;
                return Ok(false);
            }
            last = found.place();
            count += 1;
            match fate {
                Fate::Told if feed.known.contains(found.version()) => {}
                Fate::Told => sheet.add(&etag(found.version()), |at| found.cell(at)),
                Fate::Gone => {
                    let id = found.id();
                    let place = found.place();
                    bury(&mut sheet, list, &Tombstone { place, id, reason: Reason::Changed });
                }
            }
            Ok(true)
        })?;
        while let Some(tombstone) = gone.next_if(|_| count < size) {
            last = tombstone.place;
            count += 1;
            bury(&mut sheet, list, &tombstone);
        }
        more |= gone.peek().is_some();
        Ok(())
    })?;
    let context = match reading.before {
        None => plan.context_list(list.call.root),
        Some(_) => render::context_delta(list.call.root, list.table, list.query.select.as_deref()),
    };
    let link = |name, token: &str| link(list.call.root, list.list.url, name, token);
    let (next, delta) = if more {
        let token = Page::Changes(reading.ticket(Some(last)).write(reader)?);
        (Some(link("$skiptoken", &token.write())), None)
    } else {
        (None, Some(link("$deltatoken", &reading.ticket(None).write(reader)?)))
    };
    let frame = (context.as_str(), list.list.definitions_version());
    let (next, delta, rows) = (next.as_deref(), delta.as_deref(), sheet.finish()?);
    Ok(render::annotated_collection_body((frame.0, &frame.1), None, next, delta, &rows))
}

fn bury(sheet: &mut Sheet, list: &Tracked, tombstone: &Tombstone) {
    if planted(Bug::RemovalNotSent) && tombstone.reason == Reason::Changed {
        return;
    }
    let reason = tombstone.reason.as_str();
    sheet.add_text(delta::tombstone_json(list.call.root, list.table, tombstone.id, reason).as_bytes());
}
