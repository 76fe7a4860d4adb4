//! What a device says of itself when the faults are over.

use super::{text_of, Deed, PARENT};
use flette_odata::Uuid;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// What a device says of itself at the end.
pub struct Testimony {
    /// `GET /flette/journal`
    pub journal: Json,
    /// `GET /flette/export`
    pub export: Json,
}

impl Testimony {
    /// Whether journal or conflict log speak of a row, or of a value that was written there. That it has won is no trace of a value: then
    /// it stood, or is about to.
    pub(super) fn mentions(&self, row: Uuid, written: Option<(&str, &str)>) -> bool {
        let row = row.to_string();
        self.all().any(|item| {
            let text = item.to_string();
            let holds = |value: &str| match value.bytes().all(|byte| byte.is_ascii_digit()) {
                true => text.contains(value),
                false => text.contains(&format!("\"{value}\"")),
            };
            text.contains(&row)
                && written.is_none_or(|(column, value)| holds(value) && !is_won(item, column, value))
        })
    }

    /// Whether a deletion of a row waits, or lost.
    pub(super) fn tells_deletion(&self, row: Uuid) -> bool {
        let row = row.to_string();
        let deletes = |item: &Json| item["change"] == "Delete" || item["clash"] == "DeletedHere";
        self.all().any(|item| deletes(item) && item.to_string().contains(&row))
    }

    /// Whether a deletion of a row waits.
    pub(super) fn tells_deletion_that_waits(&self, row: Uuid) -> bool {
        self.deleted().contains(&row.to_string())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Json> {
        let list = |name: &str| self.export.get(name).and_then(Json::as_array).into_iter().flatten();
        list("entries").chain(list("conflicts"))
    }

    /// Whether the conflict log holds a value that was written to a row.
    pub(super) fn logs(&self, row: Uuid, value: &str) -> bool {
        let conflicts = self.export["conflicts"].as_array().into_iter().flatten();
        let (row, value) = (format!("\"{row}\""), format!("\"{value}\""));
        conflicts.map(Json::to_string).any(|text| text.contains(&row) && text.contains(&value))
    }

    /// Whether the journal still holds a change, parked or not.
    pub fn holds(&self, deed: &Deed, parked: bool) -> bool {
        self.about(deed, parked).next().is_some()
    }

    /// The entries of the journal that hold a change, parked or not.
    pub(super) fn about<'t>(&'t self, deed: &'t Deed, parked: bool) -> impl Iterator<Item = &'t Json> {
        let entries = self.journal["entries"].as_array().into_iter().flatten();
        entries.filter(move |entry| is_about(entry, deed) && (entry["state"] == "parked") == parked)
    }

    /// Whether a change is parked, alone or with later ones of its row, for what is in these columns.
    pub(super) fn holds_any(&self, deed: &Deed, columns: &[&str]) -> bool {
        let mut names = self.about(deed, true).flat_map(|entry| entry["fields"].as_array()).flatten();
        names.any(|field| field["name"].as_str().is_some_and(|name| columns.contains(&name)))
    }

    /// Rows that wait for a human, and those that wait for them.
    pub fn waiting(&self) -> BTreeSet<String> {
        let entries = || self.journal["entries"].as_array().into_iter().flatten();
        let id = |entry: &Json| entry["id"].as_str().unwrap_or_default().to_owned();
        let mut waiting: BTreeSet<String> =
            entries().filter(|entry| entry["state"] == "parked").map(id).collect();
        loop {
            let before = waiting.len();
            for entry in entries() {
                let text = entry["fields"].to_string();
                if waiting.iter().any(|id| text.contains(id.as_str())) {
                    waiting.insert(id(entry));
                }
            }
            // A change set waits as a whole.
            let stored = || self.export["entries"].as_array().into_iter().flatten();
            let row = |entry: &Json| entry["key"]["id"].as_str().unwrap_or_default().to_owned();
            let sets: BTreeSet<String> = stored()
                .filter(|entry| !entry["change_set"].is_null() && waiting.contains(&row(entry)))
                .map(|entry| entry["change_set"].to_string())
                .collect();
            waiting.extend(stored().filter(|entry| sets.contains(&entry["change_set"].to_string())).map(row));
            if waiting.len() == before {
                return waiting;
            }
        }
    }

    /// Whether anything is in the journal.
    pub fn holds_anything(&self) -> bool {
        self.journal["entries"].as_array().is_some_and(|entries| !entries.is_empty())
    }

    /// Rows of which nothing but edits is in the journal, and the columns of these.
    pub fn edited(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut edited: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let entries = || self.journal["entries"].as_array().into_iter().flatten();
        let id = |entry: &Json| entry["id"].as_str().unwrap_or_default().to_owned();
        for entry in entries().filter(|entry| entry["kind"] == "update") {
            let names = entry["fields"].as_array().into_iter().flatten();
            let names = names.filter_map(|field| field["name"].as_str()).map(str::to_owned);
            edited.entry(id(entry)).or_default().extend(names);
        }
        entries().filter(|entry| entry["kind"] != "update").for_each(|entry| drop(edited.remove(&id(entry))));
        edited
    }

    /// Rows that are to hang, by edits in the journal, on rows whose deletion is in it.
    pub fn hung_on_deleted(&self) -> BTreeSet<String> {
        let deleted = self.deleted();
        let hangs = |field: &Json| {
            let on = field["new"]["id"].as_str();
            field["name"] == PARENT && on.is_some_and(|on| deleted.contains(on))
        };
        let entries = self.journal["entries"].as_array().into_iter().flatten();
        let hung = entries.filter(|entry| entry["fields"].as_array().into_iter().flatten().any(hangs));
        hung.filter_map(|entry| entry["id"].as_str()).map(str::to_owned).collect()
    }

    /// Rows whose deletion is in the journal.
    pub fn deleted(&self) -> BTreeSet<String> {
        let entries = self.journal["entries"].as_array().into_iter().flatten();
        let deletions = entries.filter(|entry| entry["kind"] == "delete");
        deletions.filter_map(|entry| entry["id"].as_str()).map(str::to_owned).collect()
    }

    /// Rows with entries that wait for nothing.
    pub fn left(&self) -> Vec<String> {
        let waiting = self.waiting();
        let entries = self.journal["entries"].as_array().into_iter().flatten();
        let ids = entries.filter_map(|entry| entry["id"].as_str());
        ids.filter(|id| !waiting.contains(*id)).map(str::to_owned).collect()
    }
}

/// Whether an entry of the journal is a change, or holds what was left of it.
pub fn is_about(entry: &Json, deed: &Deed) -> bool {
    let kind = match deed {
        Deed::Create { .. } => "create",
        Deed::Edit { .. } => "update",
        Deed::Delete { .. } => "delete",
    };
    let values = deed.values();
    let row = entry["id"].as_str() == Some(&deed.row().to_string());
    let any = values.is_empty() || values.iter().any(|(name, value)| holds(entry, name, value));
    row && entry["kind"] == kind && any
}

/// Whether an entry gives a column a value.
pub(super) fn holds(entry: &Json, name: &str, value: &str) -> bool {
    let mut fields = entry["fields"].as_array().into_iter().flatten();
    fields.any(|field| field["name"] == name && text_of(&field["new"]).as_deref() == Some(value))
}

fn is_won(conflict: &Json, column: &str, value: &str) -> bool {
    has_won(conflict, column, |local| local.to_string().contains(&format!("\"{value}\"")))
}

/// Whether a conflict says that such a value won in a column, and nobody chose the other side since.
pub(super) fn has_won(conflict: &Json, column: &str, is_it: impl Fn(&Json) -> bool) -> bool {
    let field = &conflict["clash"]["Field"];
    field["name"] == column
        && is_it(&field["local"])
        && conflict["winner"] == "local"
        && conflict["resolved"] != "server"
}
