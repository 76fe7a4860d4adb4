//! What the replica knows in memory: a reading of the store, kept in step by every commit.

use super::aftermath::Aftermath;
use super::folds::Folds;
use super::marks::Marks;
use super::money::changes_money;
use super::{Cursor, IdMap};
use crate::error::{Error, Result};
use crate::journal::{fold, Entry, Journal};
use crate::mirror::{MirrorTable, RowAt};
use crate::model::{
    planted, Bug, Conflict, DefinitionStamp, DeviceId, ETag, EntityRef, HlcClock, Key, LeftOut, Millis,
    PageRows, Patience, Profile, Row, Unanswered, Value, Wanted, OWNER,
};
use crate::store::Revision;
use flette_odata::edm::{Schema, Table};
use flette_odata::ordered;
use flette_odata::path::PARTY_TABLE;
use flette_odata::render::Cell;
use flette_odata::rules;
use flette_odata::rules::money::Currency;
use flette_odata::ODataError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use uuid::Uuid;

/// A row as the app sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenRow {
    /// All columns.
    pub row: Row,
    /// The server's etag, or one of the replica's own kind while local changes wait.
    pub etag: String,
    /// Whether local changes wait.
    pub pending: bool,
}

/// Small things that must survive: one stored value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Stamps local edits.
    pub clock: HlcClock,
    /// The next entry's `Seq`.
    pub next_seq: u64,
    /// Whether the user chose to work offline.
    pub offline_chosen: bool,
    /// When a pull that followed the last push ended well.
    pub last_sync: Option<Millis>,
    /// Whether anything was pushed, or a table's pull was left unfinished, since then.
    pub pull_due: bool,
    /// Identity of the server's database.
    pub lineage: Option<String>,
    /// Counts schema changes.
    pub generation: u64,
    /// Device time when the schema was last compared with the server's; none when it must be before the next pull.
    #[serde(default)]
    pub schema_checked: Option<Millis>,
    /// Version of the server's definitions before they were read for the schema; none where it was not known then.
    #[serde(default)]
    pub definitions: Option<String>,
    /// The version that a page told last.
    #[serde(default)]
    pub definitions_heard: Option<String>,
    /// From where on the server tells changes of the definitions that the schema is made of; none where it does not.
    #[serde(default)]
    pub definition_stamp: Option<DefinitionStamp>,
    /// Tables of which the server said what does not fit the schema: they are read anew, whether it tells a change or not.
    #[serde(default)]
    pub doubted: BTreeSet<String>,
    /// The wish to go offline, until it is fulfilled or given up.
    #[serde(default)]
    pub going_offline: Option<GoingOffline>,
    /// Tables of forms and views that were taken along when the user went offline; kept up to date since then.
    #[serde(default)]
    pub customizations: Vec<String>,
    /// The profile that the schema was narrowed by; none while that is not done, or was never asked for.
    #[serde(default)]
    pub profiled: Option<Profile>,
    /// Whether the schema was narrowed but for columns of which edits waited: it is looked at again in every round.
    #[serde(default)]
    pub narrowing: bool,
    /// Columns that the profile lets up only, by table: of them the mirror has what was here.
    #[serde(default)]
    pub up: BTreeMap<String, BTreeSet<String>>,
    /// What the schema lacks by it.
    #[serde(default)]
    pub left_out: LeftOut,
    /// Which rows of tables are wanted by it, for those that are not wanted whole; none before that was found out.
    #[serde(default)]
    pub wanted: Option<BTreeMap<String, Wanted>>,
    /// Tables whose rows go by a view that was not found, or that the user might not read: it is looked for in every round.
    #[serde(default)]
    pub unread_views: BTreeSet<String>,
    /// What was sent to no avail.
    #[serde(default)]
    pub unanswered: Unanswered,
    /// What pages that did not arrive in time left to those after them.
    #[serde(default)]
    pub page_rows: PageRows,
    /// How long the server wants to be left alone, as its last answer to a round said.
    #[serde(default)]
    pub patience: Option<Patience>,
    /// Who uses the replica.
    pub user: Uuid,
    /// His business unit.
    pub business_unit: Uuid,
    /// Whose server it is.
    pub organization: Uuid,
}

/// A wish to go offline: durable, so that a worker that was stopped goes on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoingOffline {
    /// Server time, as well as known, at which it was made.
    pub since: Millis,
    /// Rows that each table has on the server; none before rights and space were checked.
    pub totals: Option<BTreeMap<String, Total>>,
}

/// How many rows a table has on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// As the server counted.
    pub rows: u64,
    /// Whether these are the rows that the user may see; otherwise those that there are, or as far as was counted.
    pub exact: bool,
}

impl Record {
    /// The record as it was after these entries were written, whose stamps and numbers tell how far it had come.
    #[must_use]
    pub fn after<'e>(&self, entries: impl Iterator<Item = &'e Entry>) -> Record {
        let mut record = self.clone();
        for entry in entries {
            record.next_seq = record.next_seq.max(entry.seq.0.saturating_add(1));
            record.clock.gave(entry.at);
        }
        record
    }

    /// The schema does not fit what the server says of a table: it is compared with the server's before the next pull.
    pub fn doubt_schema(&mut self, table: &str) {
        self.schema_checked = None;
        self.doubted.insert(table.to_owned());
    }

    /// Which rows of a table are wanted; `None` for all.
    pub fn wanted(&self, table: &str) -> Option<&Wanted> {
        self.wanted.as_ref()?.get(table)
    }

    /// Tables of which rows come or go when rows of this one change.
    pub fn lookers_at<'r>(&'r self, table: &'r str) -> impl Iterator<Item = &'r String> {
        let wanted = self.wanted.iter().flatten();
        wanted.filter(move |(_, wanted)| wanted.looks_at(table)).map(|(name, _)| name)
    }

    /// Why rows of tables are not known that a profile wants.
    pub fn unknown_rows(&self) -> impl Iterator<Item = &String> {
        self.wanted.iter().flatten().filter_map(|(_, wanted)| match wanted {
            Wanted::Unknown { why } => Some(why),
            Wanted::Rows { .. } => None,
        })
    }

    /// The record of a new replica.
    pub fn new(device: DeviceId, identity: super::Identity) -> Record {
        Record {
            clock: HlcClock::new(device),
            next_seq: 1,
            offline_chosen: false,
            last_sync: None,
            pull_due: true,
            lineage: None,
            generation: 0,
            schema_checked: None,
            definitions: None,
            definitions_heard: None,
            definition_stamp: None,
            doubted: BTreeSet::new(),
            going_offline: None,
            customizations: Vec::new(),
            profiled: None,
            narrowing: false,
            up: BTreeMap::new(),
            left_out: LeftOut::default(),
            wanted: None,
            unread_views: BTreeSet::new(),
            unanswered: Unanswered::default(),
            page_rows: PageRows::default(),
            patience: None,
            user: identity.user,
            business_unit: identity.business_unit,
            organization: identity.organization,
        }
    }
}

/// What of the small record is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Nothing yet.
    Nothing,
    /// All but what follows from the journal: see [`Record::after`].
    AllButStamps,
    /// All.
    All,
}

/// One table of the mirror.
#[derive(Default)]
pub struct TableState {
    /// Where its pull stands.
    pub cursor: Cursor,
    /// Its rows; `None` until first needed.
    pub mirror: Option<MirrorTable>,
    /// Rows of a full resync under way; `None` until first needed.
    pub shadow: Option<MirrorTable>,
}

impl TableState {
    /// Stored bytes of its segments, as far as they are in memory.
    pub fn stored_bytes(&self) -> usize {
        [&self.mirror, &self.shadow].into_iter().flatten().map(MirrorTable::stored_bytes).sum()
    }
}

/// Changes with all that the row is made of: its entries, one taken back or corrected included, and what the server last said.
/// An entry that is corrected stays where it is, and what is asked for by it gets another operation.
fn local_etag(entries: &[&Entry], sets: &[&Entry], last: &Entry, mirror: Option<&ETag>) -> String {
    let first = entries.first().map_or_else(String::new, |first| first.op.0.simple().to_string());
    let upon = mirror.map(|etag| plain(&etag.0)).unwrap_or_default();
    format!("W/\"local-{}-{}-{first}-{upon}\"", last.seq.0, entries.len() + sets.len())
}

/// The etag of a row that lost what these columns pointed to, and is else as another one says: the columns alone make the
/// difference.
pub(super) fn etag_without(upon: &str, lost: &[&str]) -> String {
    match upon.is_empty() || lost.is_empty() {
        true => upon.to_owned(),
        false => format!("W/\"local-without-{}-{}\"", lost.join("-"), plain(upon)),
    }
}

fn plain(etag: &str) -> String {
    etag.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Everything the replica holds in memory.
pub struct State {
    /// What the store was at when this was read.
    pub revision: Revision,
    /// Tables and columns.
    pub schema: Rc<Schema>,
    /// Mirror, by logical name.
    pub tables: BTreeMap<String, TableState>,
    /// Local changes.
    pub journal: Journal,
    /// How it is stored which of them were sent.
    pub(super) marks: Marks,
    /// Ids that changed on the way.
    pub id_map: IdMap,
    /// What lost.
    pub conflicts: BTreeMap<Uuid, Conflict>,
    /// Small things.
    pub record: Record,
    /// What of it is stored.
    pub(super) kept: Kept,
    /// What hangs on rows deleted here, as far as it was asked for since the last change.
    pub(super) aftermath: OnceCell<Aftermath>,
    /// The base currency, as far as it was asked for since the last change.
    pub(super) base_currency: OnceCell<Option<Currency>>,
    /// Rows that have entries, as far as they were asked for and are still true.
    pub(super) folds: Folds,
}

impl State {
    /// Forgets what was derived: what it is derived from has changed.
    pub(super) fn forget(&mut self) {
        self.aftermath.take();
        self.base_currency.take();
    }

    pub(super) fn aftermath(&self) -> &Aftermath {
        self.aftermath.get_or_init(|| Aftermath::of(self))
    }

    /// Whether the row was deleted here, or went with one that was.
    pub fn is_gone(&self, key: &Key) -> bool {
        self.aftermath().is_gone(key)
    }

    /// Whether a row is not as mirror alone says.
    pub(super) fn is_touched(&self, key: &Key) -> bool {
        let has_entries = self.journal.of(key).chain(self.journal.held_by(key)).next().is_some();
        has_entries || self.aftermath().touches(key)
    }

    /// Whether a change of the row waits, or one that bears on it.
    pub fn waits(&self, key: &Key) -> bool {
        self.is_touched(&Key::new(key.table.clone(), self.id_map.resolve(key)))
    }

    /// Whether such a change waits of any row of a table.
    pub fn table_waits(&self, table: &str) -> bool {
        let mut edited = self.journal.keys_of(table).chain(self.journal.holders_of(table));
        edited.next().is_some() || self.aftermath().of_table(table).next().is_some()
    }

    /// Whether the rows of a table are those that its mirror and entries tell. Rows of a union (`activitypointer`) are those of
    /// other tables, whose entries say nothing of it.
    pub fn tells_rows(&self, table: &Table) -> bool {
        let activities = || self.schema.tables.iter().filter(|other| other.activity);
        !table.union || !activities().any(|activity| self.table_waits(&activity.logical_name))
    }

    /// Rows of a table that are not as mirror alone says.
    pub(super) fn touched(&self, table: &str) -> BTreeSet<Key> {
        let edited = self.journal.keys_of(table).chain(self.journal.holders_of(table));
        ordered::set(edited.chain(self.aftermath().of_table(table)).cloned())
    }

    /// The row with `entries`, which are the row's own, in order.
    pub fn see<'a>(&self, key: &Key, entries: impl Iterator<Item = &'a Entry>) -> Option<SeenRow> {
        let entries = entries.filter(|_| !planted(Bug::OwnEditUnseen));
        let seen = self.fold_with(key, entries)?;
        self.aftermath().upon(self.schema.table(&key.table), key, seen)
    }

    /// The row by mirror and journal alone.
    pub(super) fn folded(&self, key: &Key) -> Option<SeenRow> {
        self.fold_with(key, self.journal.of(key))
    }

    pub(super) fn fold_with<'a>(
        &self,
        key: &Key,
        entries: impl Iterator<Item = &'a Entry>,
    ) -> Option<SeenRow> {
        let mirror = self.mirror_row(key);
        let entries: Vec<&Entry> = entries.collect();
        // A set that is replaced gives its row another version.
        let sets: Vec<&Entry> =
            self.journal.held_by(key).filter(|entry| entry.key.table == PARTY_TABLE).collect();
        let Some(last) = entries.iter().chain(&sets).max_by_key(|entry| entry.seq) else {
            return mirror.map(|(row, etag)| SeenRow { row, etag: etag.0, pending: false });
        };
        let etag = local_etag(&entries, &sets, last, mirror.as_ref().map(|(_, etag)| etag));
        let owner = mirror.as_ref().and_then(|(row, _)| row.get(OWNER).cloned());
        let mut row = fold(mirror.map(|(row, _)| row), entries.iter().copied())?;
        if let Some(table) = self.schema.table(&key.table) {
            if table.owned && row.get(OWNER) != owner.as_ref() {
                self.follow_owner(table, &mut row);
            }
            if entries.iter().any(|entry| changes_money(table, &entry.change)) {
                self.show_money(table, &mut row);
            }
            self.follow(table, &mut row, last.at.wall);
        }
        Some(SeenRow { row, etag, pending: true })
    }

    /// Columns that follow from others: computed ones, and who changed the row last.
    fn follow(&self, table: &flette_odata::Table, row: &mut Row, at: Millis) {
        for (name, value) in rules::computed(table, row) {
            row.insert(name, value);
        }
        if table.column("modifiedon").is_some() {
            row.insert("modifiedon".to_owned(), Value::DateTime(at.0.div_euclid(1000) * 1000));
        }
        if table.column("modifiedby").is_some() {
            let user = EntityRef { table: "systemuser".to_owned(), id: self.record.user };
            row.insert("modifiedby".to_owned(), Value::Lookup(user));
        }
    }

    /// Columns that follow from a new owner: who he is, and his business unit as far as he is known.
    fn follow_owner(&self, table: &flette_odata::Table, row: &mut Row) {
        for (name, value) in rules::owner_followers(table, row) {
            row.insert(name, value);
        }
        let Some(Value::Lookup(owner)) = row.get("ownerid") else { return };
        if let Some(id) = self.unit_of(owner) {
            let unit = EntityRef { table: "businessunit".to_owned(), id };
            row.insert("owningbusinessunit".to_owned(), Value::Lookup(unit));
        }
    }

    /// The business unit of an owner, as far as he is known.
    pub fn unit_of(&self, owner: &EntityRef) -> Option<Uuid> {
        let mirror = self.tables.get(&owner.table)?.mirror.as_ref()?;
        match mirror.borrowed(mirror.find(owner.id)?, "businessunitid") {
            Cell::Lookup { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Whether every row of the table that the user may see is here.
    pub fn is_complete(&self, table: &str) -> bool {
        self.tables.get(table).is_some_and(|t| t.cursor.holds_all() && self.has_columns(table, &t.cursor))
    }

    /// Whether a table is pulled as far as a profile wants it, which is not all of it.
    pub fn is_narrow(&self, table: &str) -> bool {
        self.tables.get(table).is_some_and(|t| t.cursor.complete) && !self.is_complete(table)
    }

    /// Whether what is read has every column of the schema: one that a profile has let in again is yet to be pulled.
    fn has_columns(&self, table: &str, cursor: &Cursor) -> bool {
        let known = || self.schema.table(table).into_iter().flat_map(|table| &table.columns);
        self.record.profiled.is_none()
            || cursor.columns.is_empty()
            || known().all(|column| cursor.columns.contains(&column.property()))
    }

    /// 501 for whole rows of a table of which a profile leaves columns out.
    pub fn lacking_columns(&self, table: &str) -> Option<ODataError> {
        let lacking = self.record.left_out.of(table);
        let names = lacking.join(", ");
        (!lacking.is_empty()).then(|| {
            ODataError::not_implemented(format!(
                "Whole rows of '{table}' are not available offline: {names} are not in the offline profile. Name the \
                 columns that are wanted."
            ))
        })
    }

    /// Whether a row was seen, or changed, here.
    pub fn is_known(&self, key: &Key) -> bool {
        let key = Key::new(key.table.clone(), self.id_map.resolve(key));
        self.journal.of(&key).next().is_some() || self.mirror_etag(&key).is_some()
    }

    /// What the server last said of a row.
    pub fn mirror_row(&self, key: &Key) -> Option<(Row, ETag)> {
        let etag = self.mirror_etag(key)?;
        Some((self.tables.get(&key.table)?.mirror.as_ref()?.row(key.id)?, etag))
    }

    /// Where the mirror has a row, without reading it.
    pub fn known(&self, key: &Key) -> Option<(&MirrorTable, RowAt)> {
        let mirror = self.tables.get(&key.table)?.mirror.as_ref()?;
        Some((mirror, mirror.find(key.id)?))
    }

    /// The etag of a row that the server told, without reading the row.
    pub fn mirror_etag(&self, key: &Key) -> Option<ETag> {
        self.tables.get(&key.table)?.mirror.as_ref()?.etag(key.id).map(ETag)
    }

    /// The row as the app sees it.
    pub fn row(&self, key: &Key) -> Option<SeenRow> {
        let key = Key::new(key.table.clone(), self.id_map.resolve(key));
        self.see(&key, self.journal.of(&key))
    }

    /// What names the row that a lookup points to.
    pub fn name_of(&self, target: &EntityRef) -> Option<String> {
        let table = self.schema.table(&target.table)?;
        if table.primary_name.is_empty() {
            return None;
        }
        let key = Key::new(target.table.clone(), target.id);
        match self.row(&key)?.row.remove(&table.primary_name)? {
            Value::Text(name) => Some(name),
            _ => None,
        }
    }

    /// Stored form of the small record.
    ///
    /// # Errors
    /// Never for a record made by this crate; serialisation is fallible by type.
    pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
        serde_json::to_vec(value).map_err(|e| Error::unreadable("a record", &e))
    }

    /// Reads what [`State::encode`] wrote.
    ///
    /// # Errors
    /// [`Error::Damaged`] naming `what` when the bytes are no such value.
    pub fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T> {
        flette_odata::json::read(bytes).map_err(|e| Error::unreadable(what, &e))
    }
}
