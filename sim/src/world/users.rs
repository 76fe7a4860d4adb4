//! What users do, at their devices and online.

use super::{Done, World, USERS};
use crate::account::{Deed, COLUMNS, MEMO};
use crate::faults::Fault;
use crate::tale::tell;
use flette_odata::{Method, Uuid};
use flette_server::people::user_id;
use serde_json::{json, Value as Json};

impl World {
    pub(super) fn deed(&mut self) -> Deed {
        let row = self.dice.pick(&self.rows).copied().unwrap_or_default();
        match self.dice.roll(10) {
            0..=1 if self.dice.once_in(3) => {
                let id = self.new_id();
                self.rows.push(id);
                self.accounts.push(id);
                Deed::Create { row: id, values: vec![("name", self.value())], parent: None }
            }
            0..=1 => {
                let id = self.new_id();
                let parent = self.dice.pick(&self.accounts).copied().filter(|_| self.dice.once_in(2));
                self.rows.push(id);
                Deed::Create { row: id, values: vec![("lastname", self.value())], parent }
            }
            2 if !self.lasting.contains(&row) => Deed::Delete { row },
            _ if self.accounts.contains(&row) => Deed::Edit { row, values: vec![("name", self.value())] },
            _ => {
                let mut values = Vec::new();
                for column in COLUMNS {
                    if self.dice.once_in(3) {
                        values.push((column, self.value()));
                    }
                }
                let columns_move =
                    self.faults.may(Fault::ColumnDropped) || self.faults.may(Fault::ColumnAdded);
                if columns_move && self.dice.once_in(3) {
                    values.push((MEMO, self.value()));
                }
                if values.is_empty() {
                    values.push((COLUMNS[1], self.value()));
                }
                Deed::Edit { row, values }
            }
        }
    }

    pub(super) fn request(&self, deed: &Deed) -> (Method, String, Json) {
        let body = |values: &[(&'static str, String)]| {
            let members = values.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
            members.collect::<serde_json::Map<String, Json>>()
        };
        let place = |row: &Uuid| match self.accounts.contains(row) {
            true => format!("accounts({row})"),
            false => format!("contacts({row})"),
        };
        match deed {
            Deed::Create { row, values, parent } => {
                let mut body = body(values);
                if self.accounts.contains(row) {
                    body.insert("accountid".to_owned(), json!(row));
                    return (Method::Post, "accounts".to_owned(), Json::Object(body));
                }
                body.insert("contactid".to_owned(), json!(row));
                if let Some(parent) = parent {
                    let to = format!("/accounts({parent})");
                    body.insert("parentcustomerid_account@odata.bind".to_owned(), json!(to));
                }
                (Method::Post, "contacts".to_owned(), Json::Object(body))
            }
            Deed::Edit { row, values } => (Method::Patch, place(row), Json::Object(body(values))),
            Deed::Delete { row } => (Method::Delete, place(row), Json::Null),
        }
    }

    pub(super) fn change_online(&mut self) -> Done {
        if self.dice.once_in(4) {
            return self.assign_online();
        }
        let deed = self.deed();
        tell(|| format!("online {deed:?}"));
        let (method, path, body) = self.request(&deed);
        let done = self.online(method, &path, body)?;
        if done {
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
        let (_, path, _) = self.request(&Deed::Edit { row, values: Vec::new() });
        self.online(Method::Patch, &path, body).map(|_| ())
    }
}
