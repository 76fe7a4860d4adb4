//! What a device shows its user under its profile, against what the server shows him.

use super::{Done, World, FURTHER_USERS, USERS};
use crate::account::{text_of, Deed, Seen, Testimony, CHOICE, COLUMNS, MEMOS, NOTHING, PARENT_ID, WATCHED};
use crate::device::{Device, SETS, TABLES};
use crate::faults::Fault;
use crate::net::ROOT;
use crate::tale::tell;
use flette::model::RowsOf;
use flette_odata::{Request, Uuid};
use flette_server::people::user_id;
use serde_json::{json, Map, Value as Json};
use std::collections::{BTreeMap, BTreeSet};

/// Tells a version.
const ETAG: &str = "@odata.etag";
/// What follows from edits of columns with such names.
const FOLLOWING: [(&str, &str); 4] = [
    ("", "modifiedon"),
    ("", "_modifiedby_value"),
    ("lastname", "fullname"),
    ("address1_", "address1_composite"),
];
/// Rows by id.
type Rows = BTreeMap<String, Json>;

/// The table behind a set.
pub(super) fn table_of(set: &str) -> &'static str {
    SETS.iter().position(|of| *of == set).map_or("", |at| TABLES[at])
}

impl World {
    /// Convergence: a device shows what the server shows its user of what its profile takes offline. Of rows that wait for a human
    /// that holds for what is not edited, where both sides show them. A deletion that waits hides what hangs on its row, too.
    pub(super) fn agrees(&self, device: &Device, told: &Testimony) -> Done {
        let (waiting, mut lists) = (told.waiting(), Vec::new());
        for (set, key, _) in WATCHED {
            let (here, there) = self.both(device, set, key)?;
            self.is_not_denied(device, (set, key), &here, told)?;
            lists.push((here, there));
        }
        let mut hidden = hanging_on(told.deleted(), lists.iter().flat_map(|(_, there)| there));
        hidden.extend(told.hung_on_deleted());
        for (here, there) in &lists {
            let gone = |id: &str| hidden.contains(id) && !here.contains_key(id);
            waiting_rows_agree(device, told, (here, there), &gone)?;
            for id in here.keys().chain(there.keys()).filter(|id| !gone(id) && !waiting.contains(*id)) {
                if let Some(difference) = difference(here.get(id), there.get(id)) {
                    return Err(format!("convergence: {id} on device {}: {difference}", device.at));
                }
            }
        }
        self.either_id_means_the_row(device)?;
        only_waiting_rows_are_outside(device, &waiting)
    }

    /// Whether the server shows a row to the user of a device.
    pub(super) fn shows(&self, device: &Device, row: Uuid) -> bool {
        let request = Request::get(format!("{ROOT}{}", self.place(&row)));
        self.crm.answer(device.user, &request).status == 200
    }

    /// The rows of a set: those that a device shows while its line is down, and those that the server shows its user and that
    /// its profile takes offline. Without what the device does not keep, and without what only goes up: of that it shows what
    /// was here, whatever the server says.
    fn both(&self, device: &Device, set: &str, key: &str) -> Result<(Rows, Rows), String> {
        let (table, profiles, identity) = (table_of(set), &device.profiles, device.identity());
        let filter = profiles.filter(table).map(|text| {
            let text = RowsOf::filter(&text, identity.user, identity.business_unit);
            format!("&$filter={}", in_url(&text))
        });
        let filter = filter.unwrap_or_default();
        let there = self.list(user_of(device.at), &format!("{set}?$orderby={key}{filter}"))?;
        let there = rows(&there, key);
        let columns: BTreeSet<&String> =
            there.values().filter_map(Json::as_object).flatten().map(|(name, _)| name).collect();
        let kept = |name: &&&String| !name.contains('@') && profiles.keeps(table, name);
        let kept: Vec<&str> = columns.iter().filter(kept).map(|name| name.as_str()).collect();
        let whole = columns.iter().all(|name| profiles.keeps(table, name));
        let select = match (whole, kept.is_empty()) {
            (true, false) => String::new(),
            (false, false) => format!("&$select={}", kept.join(",")),
            (_, true) => format!("&$select={key}"),
        };
        let path = format!("{ROOT}{set}?$orderby={key}{select}");
        let answer = device.ask_alone(Request::get(path)).ok_or("L-2: a list hangs")?;
        let here: Option<Json> = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == 200);
        let here = here.ok_or_else(|| {
            format!("device {} answers {} when it is to list {set}", device.at, answer.status)
        })?;
        let mut both = (rows(&here, key), there);
        for row in both.0.values_mut().chain(both.1.values_mut()).filter_map(Json::as_object_mut) {
            row.retain(|name, _| {
                profiles.follows(table, name) && (name.contains('@') || profiles.keeps(table, name))
            });
        }
        Ok(both)
    }

    /// What is not here is not said not to be: only the server can tell.
    fn is_not_denied(
        &self,
        device: &Device,
        (set, key): (&str, &str),
        here: &Rows,
        told: &Testimony,
    ) -> Done {
        let filtered = device.profiles.filter(table_of(set)).is_some();
        let deleted = told.deleted();
        let of_set = |id: &&Uuid| self.accounts.contains(id) == (set == "accounts");
        let meant = |id: &Uuid| self.merged.row(device.at, *id).to_string();
        let absent = |id: &&Uuid| !here.contains_key(&meant(id)) && deleted.is_empty();
        let Some(row) = self.rows.iter().filter(of_set).find(absent).filter(|_| filtered) else {
            return Ok(());
        };
        let answer = device.ask_alone(Request::get(format!("{ROOT}{set}({row})?$select={key}")));
        match answer.map(|answer| answer.status) {
            Some(501) => Ok(()),
            other => Err(format!(
                "device {} answers {other:?} of {row}, which may be outside of its profile",
                device.at
            )),
        }
    }

    /// A profile changes on a device now and then.
    pub(super) fn change_profile(&mut self, at: usize) -> Done {
        let Some(profile) = self.choices.change(&self.devices[at].profiles.now()) else { return Ok(()) };
        tell(|| format!("device {at} gets the profile {}", json!(profile)));
        self.faults.note(Fault::ProfileChanged);
        self.shared_disk.remove(&at);
        self.devices[at].change_profile(profile).ok_or("an engine does not open again")?;
        self.account.insists(at, self.devices[at].profiles.insists_on());
        self.account.goes_one_way(&self.devices[at].profiles.one_way());
        Ok(())
    }

    /// Where a row is read, and which columns are asked for: all of them, unless the device does not keep all.
    fn place_to_read(&self, at: usize, row: &Uuid) -> (String, Option<Vec<&'static str>>) {
        // Of a row that another was merged into, by the id of that one.
        let row = &self.merged.made_here(at, *row).unwrap_or(*row);
        let (place, profiles) = (self.place(row), &self.devices[at].profiles);
        let keeps = |column: &&str| profiles.keeps("contact", column);
        if self.accounts.contains(row) || COLUMNS.iter().all(&keeps) {
            return (place, None);
        }
        let choice = (self.premises.options > 0).then_some(CHOICE);
        let shown: Vec<&str> = COLUMNS.into_iter().filter(keeps).chain(choice).collect();
        (format!("{place}?$select={}", shown.join(",")), Some(shown))
    }

    /// I-14: what was acknowledged is to be seen at once.
    pub(super) fn read_back(&self, at: usize, deed: &Deed) -> Done {
        let (row, values) = match deed {
            Deed::Create { row, values, .. } | Deed::Edit { row, values, .. } => (row, values.as_slice()),
            Deed::Delete { row } => (row, [].as_slice()),
        };
        let (path, shown) = self.place_to_read(at, row);
        let values =
            values.iter().filter(|(column, _)| shown.as_ref().is_none_or(|all| all.contains(column)));
        let answer = self.devices[at].ask(Request::get(format!("{ROOT}{path}")));
        let answer = answer.ok_or("L-2: a read hangs")?;
        // What the replica does not hold in full goes to the server, and is refused when that is out of reach.
        if answer.headers.get("Flette-Source") != Some("replica") || answer.status == 501 {
            return Ok(());
        }
        let seen: Option<Json> = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == 200);
        let Some(seen) = seen else {
            return match deed {
                Deed::Delete { .. } => Ok(()),
                _ if self.account.went_along(at, *row) => Ok(()),
                _ => Err(format!(
                    "I-14: device {at} answers {} and does not show {row}, which it has acknowledged",
                    answer.status
                )),
            };
        };
        // A custom column that the server took, and of which the device has yet to hear, is in none of its answers; nor is a text
        // where it still knows a column for whole numbers.
        let device = &self.devices[at];
        let unheard_of = |column: &str| {
            MEMOS.contains(&column) && (seen.get(column).is_none() || !takes_texts(device, column))
        };
        let values = values.into_iter().filter(|(column, _)| !unheard_of(column));
        let is_shown = |column: &str, value: &String| {
            let shown = text_of(&seen[column]);
            let later = |shown: &String| self.account.wrote_later(at, (*row, column), (value, shown));
            shown.as_ref() == Some(value) || shown.as_ref().is_some_and(later)
        };
        if matches!(deed, Deed::Delete { .. }) {
            return Err(format!("I-14: device {at} shows {row}, whose deletion it has acknowledged"));
        }
        if let Some(on) = deed.parent().filter(|on| !self.shows_parent(at, (*row, *on), &seen)) {
            return Err(format!("I-14: device {at} shows {} and not {on} above {row}", seen[PARENT_ID]));
        }
        match values.into_iter().find(|(column, value)| !is_shown(column, value)) {
            Some((column, value)) => {
                Err(format!("I-14: device {at} shows {} and not {value} in {column}", seen[*column]))
            }
            None => Ok(()),
        }
    }

    /// Whether what a device shows of a contact says what it hangs on, by whichever id, if it says anything of that.
    fn shows_parent(&self, at: usize, (row, on): (Uuid, Uuid), seen: &Json) -> bool {
        let Some(shown) = seen.get(PARENT_ID) else { return true };
        let shown = shown.as_str().and_then(|id| id.parse().ok()).unwrap_or(NOTHING);
        let meant = |id: Uuid| self.merged.row(at, id);
        meant(shown) == meant(on) || self.account.hangs_elsewhere_later(at, row, on)
    }

    /// I-13: rows that nobody deletes are never missing, whatever is under way.
    pub(super) fn lasting_rows_are_there(&self, at: usize) -> Done {
        let device = &self.devices[at];
        if !self.dice.once_in(4) || !sees_all(device) || !device.is_own_session() {
            return Ok(());
        }
        for (set, key, _) in WATCHED {
            let Some(answer) = device.ask(Request::get(format!("{ROOT}{set}?$select={key}"))) else {
                continue;
            };
            let told_incomplete = answer.headers.get("Flette-Incomplete").is_some();
            let list: Option<Json> = serde_json::from_slice(&answer.body).ok();
            let Some(list) = list.filter(|_| answer.status == 200 && !told_incomplete) else { continue };
            let rows = list["value"].as_array().into_iter().flatten();
            let ids: BTreeSet<&str> = rows.filter_map(|row| row[key].as_str()).collect();
            let of_set = |id: &&Uuid| self.accounts.contains(id) == (set == "accounts");
            if let Some(id) =
                self.lasting.iter().filter(of_set).find(|id| !ids.contains(id.to_string().as_str()))
            {
                return Err(format!("I-13: device {at} does not list {id}, which nobody deleted"));
            }
        }
        Ok(())
    }

    /// What a user sees of a row before he changes it, where nothing else goes on at his device.
    pub(super) fn seen(&self, at: usize, deed: &Deed) -> Option<Seen> {
        let device = &self.devices[at];
        if !device.doing.is_empty() || self.shared_disk.contains(&at) {
            return None;
        }
        let (path, _) = self.place_to_read(at, &deed.row());
        let answer = device.ask(Request::get(format!("{ROOT}{path}")))?;
        let here = answer.headers.get("Flette-Source") == Some("replica") && answer.status == 200;
        let row: Json = serde_json::from_slice(&answer.body).ok().filter(|_| here)?;
        let text = |(name, value): (&String, &Json)| Some((name.clone(), text_of(value)?));
        Some(row.as_object()?.iter().filter_map(text).collect())
    }
}

/// Whether its user sees every row.
fn sees_all(device: &Device) -> bool {
    ["demo", "admin"].into_iter().any(|user| device.user == user_id(user))
}

/// Whose a device is.
pub(super) fn user_of(at: usize) -> &'static str {
    let further = || FURTHER_USERS.get(at - USERS.len()).copied();
    USERS.get(at).copied().or_else(further).unwrap_or(USERS[0])
}

/// Whether a column of contacts is one for texts, as far as a device knows.
fn takes_texts(device: &Device, column: &str) -> bool {
    let path = format!("EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='{column}')");
    let answer = device.ask_alone(Request::get(format!("{ROOT}{path}?$select=AttributeType")));
    let told: Option<Json> = answer.and_then(|answer| serde_json::from_slice(&answer.body).ok());
    told.is_some_and(|column| column["AttributeType"] == "String")
}

/// A filter as it stands in a URL.
fn in_url(filter: &str) -> String {
    filter.replace(' ', "%20").replace('\'', "%27")
}

fn rows(list: &Json, key: &str) -> Rows {
    let all = list["value"].as_array().into_iter().flatten();
    all.map(|row| (row[key].as_str().unwrap_or_default().to_owned(), row.clone())).collect()
}

/// Of rows with edits that wait all that is not edited, and does not follow from what is; and they build upon what stands there.
fn waiting_rows_agree(
    device: &Device,
    told: &Testimony,
    (here, there): (&Rows, &Rows),
    gone: &dyn Fn(&str) -> bool,
) -> Done {
    for (id, edited) in told.edited() {
        let of = |rows: &Rows| rows.get(&id).and_then(Json::as_object).cloned();
        let (here, there) = match (of(here), of(there)) {
            (Some(here), Some(there)) => (here, there),
            (None, Some(_)) if !gone(&id) => {
                return Err(format!("convergence: {id} with edits that wait is not on device {}", device.at));
            }
            (None, _) | (_, None) => continue,
        };
        let follows = |name: &str| {
            let is_from = |from: &str| edited.iter().any(|edited| edited.starts_with(from));
            FOLLOWING.iter().any(|(from, follows)| name.starts_with(follows) && is_from(from))
                || edited.iter().any(|edited| name.contains(edited))
        };
        let rest = |row: &Map<String, Json>| {
            let kept = row.iter().filter(|(name, _)| !follows(name));
            let built_upon = kept.map(|(name, value)| match name.as_str() {
                ETAG => (name.clone(), version_in(value)),
                _ => (name.clone(), value.clone()),
            });
            Json::Object(built_upon.collect())
        };
        if let Some(difference) = difference(Some(&rest(&here)), Some(&rest(&there))) {
            return Err(format!(
                "convergence: {id} on device {}, of which {edited:?} wait: {difference}",
                device.at
            ));
        }
    }
    Ok(())
}

/// The version of the server's that an etag names: of a row with edits the one that they build upon.
fn version_in(etag: &Json) -> Json {
    let digits = etag
        .as_str()
        .and_then(|etag| etag.rsplit(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty()));
    json!(digits)
}

/// Rows that a profile leaves out are kept as long as changes of them wait, and no longer.
fn only_waiting_rows_are_outside(device: &Device, waiting: &BTreeSet<String>) -> Done {
    let status = device.read("/flette/status").ok_or("a device does not tell its status")?;
    let tables = status["tables"].as_array().into_iter().flatten();
    let outside: u64 = tables.filter_map(|table| table["outside"].as_u64()).sum();
    match usize::try_from(outside).is_ok_and(|outside| outside <= waiting.len()) {
        true => Ok(()),
        false => Err(format!(
            "device {} keeps {outside} rows outside of its profile, {} wait",
            device.at,
            waiting.len()
        )),
    }
}

/// Some rows and those that a lookup leads from to one of them, and so on.
fn hanging_on<'r>(
    mut ids: BTreeSet<String>,
    rows: impl Iterator<Item = (&'r String, &'r Json)> + Clone,
) -> BTreeSet<String> {
    let leads = |row: &Json, ids: &BTreeSet<String>| {
        let mut lookups = row.as_object().into_iter().flatten().filter(|(name, _)| is_lookup(name));
        lookups.any(|(_, to)| to.as_str().is_some_and(|to| ids.contains(to)))
    };
    loop {
        let more = rows.clone().filter(|(id, row)| !ids.contains(*id) && leads(row, &ids));
        let more: Vec<String> = more.map(|(id, _)| id.clone()).collect();
        if more.is_empty() {
            return ids;
        }
        ids.extend(more);
    }
}

fn is_lookup(name: &str) -> bool {
    name.starts_with('_') && name.ends_with("_value")
}

/// What is different in two rows, here and there.
fn difference(here: Option<&Json>, there: Option<&Json>) -> Option<String> {
    match (here.and_then(Json::as_object), there.and_then(Json::as_object)) {
        (Some(here), Some(there)) => {
            let mut names: BTreeSet<&String> = here.keys().collect();
            names.extend(there.keys());
            let differing = names.into_iter().filter(|name| here.get(*name) != there.get(*name));
            let list: Vec<String> = differing
                .map(|name| format!("{name} {:?} here, {:?} there", here.get(name), there.get(name)))
                .collect();
            (!list.is_empty()).then(|| list.join(", "))
        }
        (Some(_), None) => Some("is only here".to_owned()),
        (None, Some(_)) => Some("is only there".to_owned()),
        (None, None) => None,
    }
}
