//! What is read of a metadata answer. Every member may be missing: each request selects only some.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::cell::Cell;
use std::collections::BTreeMap;
use uuid::Uuid;

type Members<'b> = BTreeMap<String, &'b RawValue>;

/// An object of an answer: a table, an attribute, a label. A member that is `null` counts as missing; so does one that is
/// not what it should be, which is noted.
#[derive(Debug, Clone)]
pub(super) struct Item<'b> {
    members: Members<'b>,
    faults: &'b Cell<bool>,
}

impl<'b> Item<'b> {
    /// `None` when the text is no object in JSON.
    pub(super) fn read(json: &'b [u8], faults: &'b Cell<bool>) -> Option<Item<'b>> {
        serde_json::from_slice(json).ok().map(|members| Item { members, faults })
    }

    /// A member as it was written.
    pub(super) fn raw(&self, name: &str) -> Option<&'b str> {
        self.members.get(name).map(|raw| raw.get()).filter(|raw| *raw != "null")
    }

    fn parsed<T: Deserialize<'b>>(&self, name: &str) -> Option<T> {
        let parsed = serde_json::from_slice(self.raw(name)?.as_bytes()).ok();
        if parsed.is_none() {
            self.faults.set(true);
        }
        parsed
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.parsed(name)
    }

    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        self.parsed(name)
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.parsed(name)
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.parsed(name)
    }

    pub(super) fn id(&self, name: &str) -> Option<Uuid> {
        let id = self.text(name)?.parse().ok();
        if id.is_none() {
            self.faults.set(true);
        }
        id
    }

    pub(super) fn item(&self, name: &str) -> Option<Item<'b>> {
        Some(Item { members: self.parsed(name)?, faults: self.faults })
    }

    /// The objects of a list; none where there is no list.
    pub(super) fn items(&self, name: &str) -> Vec<Item<'b>> {
        let all: Vec<&RawValue> = self.parsed(name).unwrap_or_default();
        let items = all.into_iter().map(|raw| Item::read(raw.get().as_bytes(), self.faults));
        let items: Option<Vec<Item>> = items.collect();
        if items.is_none() {
            self.faults.set(true);
        }
        items.unwrap_or_default()
    }

    /// `{"Value":"…"}`: managed properties and type-safe enumerations.
    pub(super) fn wrapped(&self, name: &str) -> Option<String> {
        self.item(name)?.text("Value")
    }

    /// A label in the user's language, else in the first there is.
    pub(super) fn label(&self, name: &str) -> Option<String> {
        let label = self.item(name)?;
        let first = || label.items("LocalizedLabels").into_iter().next();
        label.item("UserLocalizedLabel").or_else(first)?.text("Label")
    }
}

/// Adds what one answer tells of an attribute to what others told; what was told first stands.
pub(super) fn merge<'b>(items: &mut Vec<Item<'b>>, new: Item<'b>) {
    let name = new.raw("LogicalName");
    let Some(item) = items.iter_mut().find(|item| item.raw("LogicalName") == name) else {
        return items.push(new);
    };
    for (name, value) in new.members {
        let known = item.members.entry(name).or_insert(value);
        if known.get() == "null" {
            *known = value;
        }
    }
}
