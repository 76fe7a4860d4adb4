//! The feed of changes: a first read with a delta link at its end, then what changed since.
//!
//! The first page fixes how far the whole read goes (`until`); later pages only go on. Rows are read in the
//! order of their changes, so a row that changes while a client pages drops out of this read and comes with
//! the next delta: nothing falls between two tokens.

use super::page::{check_position, link, read_delta_token, write_delta_token, Page};
use super::read::Listed;
use super::sheet::Sheet;
use super::{Call, Profile, COUNT_MAX};
use crate::db::changes::{Stretch, Tombstone};
use crate::db::meta::Fact;
use crate::db::position::Position;
use crate::db::Reader;
use flette_odata::error::Result;
use flette_odata::{delta, render, ODataError, Table, Uuid};

/// The first page: of all rows, or of what changed since a delta token.
pub(super) fn begin(list: &Listed) -> Result<Vec<u8>> {
    check(list)?;
    let until = list.reader.position()?;
    match &list.query.delta_token {
        Some(token) => {
            let after = read_delta_token(list.reader, token)?;
            page(list, &Stretch::new(after, until), false)
        }
        None => page(list, &Stretch::new(Position::START, until), true),
    }
}

/// A further page of a read.
pub(super) fn further(list: &Listed, stretch: &Stretch, first: bool, lineage: Uuid) -> Result<Vec<u8>> {
    check(list)?;
    check_position(list.reader, &stretch.until, lineage)?;
    if !first {
        check_position(list.reader, &stretch.after, lineage)?;
    }
    page(list, stretch, first)
}

/// How many changes there are since a token.
pub(super) fn count(reader: &Reader, call: &Call, table: &Table, token: &str) -> Result<u64> {
    allowed(call, table)?;
    let stretch = Stretch::new(read_delta_token(reader, token)?, reader.position()?);
    let sight = call.caller.sight();
    let mut count = 0;
    reader.changed((table, &sight), &stretch, COUNT_MAX, &[], |_| {
        count += 1;
        Ok(true)
    })?;
    let gone = reader.tombstones(table, &sight, &stretch, COUNT_MAX)?.len();
    Ok((count + u64::try_from(gone).unwrap_or(COUNT_MAX)).min(COUNT_MAX))
}

fn check(list: &Listed) -> Result<()> {
    allowed(list.call, list.table)?;
    let query = list.query;
    let refused = [
        ("filter", query.filter.is_some()),
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
    if table.owned && call.profile == Profile::Dataverse && !call.caller.everything {
        let message = format!("Principal user is missing prvRead privilege at organization level on {name}.");
        return Err(ODataError::new(403, "0x80040220", message));
    }
    Ok(())
}

fn page(list: &Listed, stretch: &Stretch, first: bool) -> Result<Vec<u8>> {
    let (reader, size) = (list.reader, list.page_size());
    let sight = list.call.caller.sight();
    let gone = match first {
        true => Vec::new(),
        false => reader.tombstones(list.table, &sight, stretch, size + 1)?,
    };
    let mut gone = gone.into_iter().peekable();
    let press = list.press();
    let plan = list.plan(&press)?;
    let mut sheet = Sheet::new(&press, &plan);
    let (mut count, mut last, mut more) = (0, stretch.from, false);
    reader.changed((list.table, &sight), stretch, size + 1, &plan.columns, |found| {
        // Rows and tombstones are told in the order of their places, so that one place says where a page ends.
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
        sheet.add(found.version(), |at| found.cell(at));
        Ok(true)
    })?;
    while let Some(tombstone) = gone.next_if(|_| count < size) {
        last = tombstone.place;
        count += 1;
        bury(&mut sheet, list, &tombstone);
    }
    more |= gone.peek().is_some();
    let context = match first {
        true => plan.context_list(list.call.root),
        false => render::context_delta(list.call.root, list.table, list.query.select.as_deref()),
    };
    let link = |name, token: &str| link(list.call.root, list.url, name, token);
    let (next, delta) = if more {
        let lineage = reader.fact_id(Fact::Lineage)?;
        let token = Page::Changes {
            after: stretch.after.clone(),
            until: stretch.until.clone(),
            from: last,
            first,
            lineage,
        };
        (Some(link("$skiptoken", &token.write())), None)
    } else {
        (None, Some(link("$deltatoken", &write_delta_token(reader, &stretch.until)?)))
    };
    Ok(render::collection_body(&context, None, next.as_deref(), delta.as_deref(), &sheet.finish()?))
}

fn bury(sheet: &mut Sheet, list: &Listed, tombstone: &Tombstone) {
    let reason = tombstone.reason.as_str();
    sheet.add_text(delta::tombstone_json(list.call.root, list.table, tombstone.id, reason).as_bytes());
}
