//! What users do, at their devices and online.

use super::merged::NUMBER;
use super::{Done, World, USERS};
use crate::account::{Deed, Sight, CHOICE, COLUMNS, NOTHING, PARENT};
use crate::faults::Fault;
use crate::net::ROOT;
use crate::tale::tell;
use crate::traffic::USERS_OWN;
use flette_odata::batch::{write_batch_request, BatchItem, Part};
use flette_odata::{Method, Request, Uuid};
use flette_server::people::user_id;
use serde_json::{json, Value as Json};

/// Changes of a change set, at most.
const SET_CHANGES_MAX: usize = 4;
/// One in so many changes of a user is a change set.
const SET_EVERY: usize = 5;

/// Several requests as one change set; a single one as it is.
pub(super) fn together(mut requests: Vec<Request>) -> Option<Request> {
    if requests.len() < 2 {
        return requests.pop();
    }
    let part = |(at, request): (usize, Request)| Part { content_id: Some((at + 1).to_string()), request };
    let parts = requests.into_iter().enumerate().map(part).collect();
    let (kind, body) = write_batch_request(&[BatchItem::ChangeSet(parts)], USERS_OWN);
    let mut batch = Request::new(Method::Post, format!("{ROOT}$batch")).header("Content-Type", kind);
    batch.body = body;
    Some(batch)
}

impl World {
    /// What a user does next: most often one change, now and then several at once, each of another row.
    pub(super) fn deeds(&mut self) -> Vec<Deed> {
        let wanted = match self.dice.once_in(SET_EVERY) {
            true => 2 + self.dice.roll(SET_CHANGES_MAX - 1),
            false => 1,
        };
        let mut deeds: Vec<Deed> = Vec::new();
        for _ in 0..wanted {
            let mut deed = self.deed();
            if let Deed::Create { parent, .. } | Deed::Edit { parent, .. } = &mut deed {
                // An app points to what it was told the id of, or makes along with this.
                let makes = |row: &Uuid| deeds.iter().any(|other| other.row() == *row);
                *parent = parent.filter(|parent| !self.is_unnamed(parent) || makes(parent));
            }
            if deeds.iter().all(|other| other.row() != deed.row()) {
                deeds.push(deed);
            }
        }
        deeds
    }

    /// Where a row is, below the root.
    pub(super) fn place(&self, row: &Uuid) -> String {
        match self.accounts.contains(row) {
            true => format!("accounts({row})"),
            false => format!("contacts({row})"),
        }
    }

    /// A change as an app asks for it.
    pub(super) fn user_request(&self, deed: &Deed, set: &[Deed]) -> Request {
        let (method, path, body) = self.request(deed, set);
        let request = Request::new(method, format!("{ROOT}{path}"));
        let request = match method {
            Method::Delete => request,
            _ => request.json(body.to_string().into_bytes()),
        };
        match method {
            Method::Patch => request.header("If-Match", "*"),
            _ => request,
        }
    }

    pub(super) fn deed(&mut self) -> Deed {
        let row = self.dice.pick(&self.rows).copied().unwrap_or_default();
        match self.dice.roll(10) {
            0..=1 if self.dice.once_in(3) => {
                let id = self.new_id();
                self.rows.push(id);
                self.accounts.push(id);
                self.is_to_be_named(id, "accounts");
                self.give_number(id);
                Deed::Create { row: id, values: vec![("name", self.value())], parent: None }
            }
            0..=1 => {
                let id = self.new_id();
                let parent = self.dice.pick(&self.accounts).copied().filter(|_| self.dice.once_in(2));
                self.rows.push(id);
                self.is_to_be_named(id, "contacts");
                Deed::Create { row: id, values: vec![("lastname", self.value())], parent }
            }
            2 if !self.lasting.contains(&row) => Deed::Delete { row },
            _ if self.accounts.contains(&row) => {
                Deed::Edit { row, values: vec![("name", self.value())], parent: None }
            }
            _ => {
                let mut values = Vec::new();
                for column in COLUMNS {
                    if self.dice.once_in(3) {
                        values.push((column, self.value()));
                    }
                }
                if self.faults.schema_moves() && self.dice.once_in(3) {
                    values.push((self.premises.memo_name(), self.value()));
                }
                if self.faults.may(Fault::OptionRemoved) && self.dice.once_in(2) {
                    values.extend(self.premises.next_option().map(|option| (CHOICE, option)));
                }
                if values.is_empty() {
                    values.push((COLUMNS[1], self.value()));
                }
                Deed::Edit { row, values, parent: self.new_parent(&row) }
            }
        }
    }

    /// What is asked for, where `set` is what is asked for together.
    pub(super) fn request(&self, deed: &Deed, set: &[Deed]) -> (Method, String, Json) {
        let body = |values: &[(&'static str, String)]| {
            let member = |name: &str, value: &String| match value.parse::<i64>() {
                Ok(number) if name == CHOICE => json!(number),
                _ => json!(value),
            };
            let members = values.iter().map(|(name, value)| ((*name).to_owned(), member(name, value)));
            members.collect::<serde_json::Map<String, Json>>()
        };
        match deed {
            Deed::Create { row, values, parent } => {
                let mut body = body(values);
                let id = (!self.is_unnamed(row)).then(|| json!(row));
                if self.accounts.contains(row) {
                    body.extend(id.map(|id| ("accountid".to_owned(), id)));
                    let number = self.numbers.get(row);
                    body.extend(number.map(|number| (NUMBER.to_owned(), json!(number))));
                    return (Method::Post, "accounts".to_owned(), Json::Object(body));
                }
                body.extend(id.map(|id| ("contactid".to_owned(), id)));
                body.extend(parent.map(|parent| self.bound_to(&parent, set)));
                (Method::Post, "contacts".to_owned(), Json::Object(body))
            }
            Deed::Edit { row, values, parent } => {
                let mut body = body(values);
                body.extend(parent.map(|parent| self.bound_to(&parent, set)));
                (Method::Patch, self.place(row), Json::Object(body))
            }
            Deed::Delete { row } => (Method::Delete, self.place(row), Json::Null),
        }
    }

    /// How a row is bound to the account that it hangs on: to one that is made along with it, and has no id yet, by the number of
    /// its request.
    fn bound_to(&self, parent: &Uuid, set: &[Deed]) -> (String, Json) {
        let name = format!("{PARENT}_account@odata.bind");
        let mut along = set.iter().zip(1..).filter(|(other, _)| other.row() == *parent);
        match along.next().filter(|_| self.is_unnamed(parent)) {
            _ if *parent == NOTHING => (name, Json::Null),
            Some((_, number)) => (name, json!(format!("${number}"))),
            None => (name, json!(format!("/accounts({parent})"))),
        }
    }

    /// What a contact is to hang on from now on, where an edit says so: what nobody deletes hangs on what nobody deletes.
    fn new_parent(&self, row: &Uuid) -> Option<Uuid> {
        let lasts = self.lasting.contains(row);
        let may_be = |account: &&Uuid| !lasts || self.lasting.contains(*account);
        let accounts: Vec<Uuid> = self.accounts.iter().filter(may_be).copied().collect();
        self.choices.new_parent(&accounts)
    }

    pub(super) fn change_online(&mut self) -> Done {
        if self.dice.once_in(4) {
            return self.assign_online();
        }
        let deed = self.deed();
        tell(|| format!("online {deed:?}"));
        let (method, path, body) = self.request(&deed, &[]);
        let answer = self.at_server(method, &path, body)?;
        if answer.is_success() {
            let deed = self.named_online(deed, &answer);
            self.account.online(&deed, self.clock.now());
        }
        Ok(())
    }

    /// A row gets another owner: it comes into sight of some, and leaves that of others.
    fn assign_online(&mut self) -> Done {
        let row = self.dice.pick(&self.rows).copied().unwrap_or_default();
        if self.lasting.contains(&row) {
            return Ok(());
        }
        let owner = self.dice.pick(&USERS).copied().unwrap_or("admin");
        tell(|| format!("online: {row} is assigned to {owner}"));
        let body = json!({"ownerid@odata.bind": format!("/systemusers({})", user_id(owner))});
        let (_, path, _) = self.request(&Deed::Edit { row, values: Vec::new(), parent: None }, &[]);
        if self.online(Method::Patch, &path, body)? {
            self.account.regains(Sight::Row(row));
        }
        Ok(())
    }
}
