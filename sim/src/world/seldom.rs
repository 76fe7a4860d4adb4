//! What seldom happens: to the server's database, schema and rights, and to a device's disk and session.

use super::{Done, World, USERS};
use crate::account::{Sight, CHOICE, MEMOS};
use crate::faults::Fault;
use crate::tale::tell;
use flette_odata::Method;
use flette_server::people::user_id;
use serde_json::{json, Value as Json};

/// Where the custom column is made.
const ATTRIBUTES: &str = "EntityDefinitions(LogicalName='contact')/Attributes";
/// The custom column by the names that it is given, as whoever makes it spells them.
const SPELT: [&str; MEMOS.len()] = ["new_Memo", "new_Note", "new_Remark"];
/// Options of the custom choice.
const OPTIONS: usize = 40;
/// The number of the first one.
const FIRST_OPTION: usize = 100_000_000;
/// An option that is removed was chosen not more than so many choices ago.
const OPTIONS_BACK_MAX: usize = 3;
/// The column that is hidden from those who are no administrators.
pub(super) const MASKED: &str = "jobtitle";
/// Who loses her role.
const LOSER: &str = "anna";

/// What of the server is not as it began.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Premises {
    /// The custom column is there, and takes text.
    pub(super) memo: bool,
    /// It is there, and takes numbers.
    retyped: bool,
    /// How often it was given another name.
    renamed: usize,
    /// How many options the custom choice began with; none without it.
    pub(super) options: usize,
    /// How many of them were chosen so far.
    chosen: usize,
    /// The server gives new rows their ids, of the table that was chosen.
    pub(super) gives_ids: bool,
    masked: bool,
    role_removed: bool,
}

impl Premises {
    /// The name of the custom column now.
    pub(super) fn memo_name(&self) -> &'static str {
        MEMOS[self.renamed]
    }

    /// An option that nobody chose before.
    pub(super) fn next_option(&mut self) -> Option<String> {
        let next = (self.chosen < self.options).then(|| option(self.chosen));
        self.chosen += usize::from(next.is_some());
        next
    }
}

fn option(number: usize) -> String {
    (FIRST_OPTION + number).to_string()
}

impl World {
    pub(super) fn seldom(&mut self, at: usize) -> Done {
        let Some(fault) = self.faults.seldom() else { return Ok(()) };
        tell(|| format!("seldom: {fault}, device {at}"));
        let happened = match fault {
            Fault::Restored => self.restore()?,
            Fault::TombstonesPruned => {
                let (service, now) = (self.crm.premises()?.service(), self.clock.now() + 1);
                let pruned = service.database().write(|writer| writer.purge_tombstones(now, 0));
                pruned.map(|()| true).map_err(|error| error.message)?
            }
            Fault::ColumnDropped => self.premises.memo && self.drop_column()?,
            Fault::ColumnAdded => !self.premises.memo && !self.premises.retyped && self.add_column()?,
            Fault::ColumnRetyped => self.retype_column()?,
            Fault::ColumnRenamed => self.rename_column()?,
            Fault::OptionRemoved => self.remove_option()?,
            // Not shown again: what was read in between outside of the feed would stay hidden.
            Fault::Masked => !self.premises.masked && self.mask()?,
            Fault::RoleRemoved => self.take_role(!self.premises.role_removed)?,
            Fault::ReceiptsPruned => self.forget_receipts()?,
            Fault::UserDisabled => self.disable(at)?,
            Fault::TeamChanged => self.change_team()?,
            Fault::StoreClosed => {
                self.devices[at].close_store(1 + self.faults.choose(6));
                true
            }
            Fault::Evicted => {
                self.shared_disk.remove(&at);
                self.devices[at].evict().ok_or("an engine does not open again")?;
                self.account.evicted(at);
                self.merged.forget(at);
                self.forget_ids(at);
                self.evicted.insert(at);
                self.stamped.remove(&at);
                self.clocks.forgets(at);
                true
            }
            Fault::OtherUser => {
                let other = USERS.into_iter().map(user_id).find(|user| *user != self.devices[at].user);
                let device = &self.devices[at];
                let next = if device.is_own_session() { other.unwrap_or(device.user) } else { device.user };
                device.session.set(next);
                true
            }
            _ => false,
        };
        if happened {
            self.faults.note(fault);
        }
        self.watch()
    }

    /// What was taken is given back.
    pub(super) fn end_of_seldom(&mut self) -> Done {
        for device in &self.devices {
            device.session.set(device.user);
            device.close_store(0);
        }
        if self.premises.role_removed {
            self.take_role(false)?;
        }
        self.enable_all()?;
        if self.faults.schema_moves() || self.choices.gives.is_some() {
            // By then every device has compared its schema with the server's, also where its clock jumped back by two hours.
            self.clock.advance(4 * 3_600_000);
        }
        Ok(())
    }

    /// The first time the database is copied, the second time the copy takes its place.
    fn restore(&mut self) -> Result<bool, String> {
        let Some((before, rights, account)) = self.backup.take() else {
            self.crm.premises()?.back_up()?;
            self.backup = Some((self.premises, self.rights.clone(), self.account.snapshot()));
            return Ok(false);
        };
        self.crm.restore()?;
        self.account.restored(account);
        self.rights = rights;
        // An option is chosen once, also by those whose choice was lost.
        self.premises = Premises { chosen: self.premises.chosen, ..before };
        Ok(true)
    }

    /// What half of the beginnings have beside the others.
    pub(super) fn customise(&mut self) -> Done {
        self.add_column()?;
        let options: Vec<Json> = (0..OPTIONS)
            .map(
                |number| json!({"Value": FIRST_OPTION + number, "Label": label(&format!("Option {number}"))}),
            )
            .collect();
        let body = json!({
            "@odata.type": "Microsoft.Dynamics.CRM.PicklistAttributeMetadata",
            "SchemaName": "new_Choice",
            "DisplayName": label("Choice"),
            "RequiredLevel": {"Value": "None", "CanBeChanged": true},
            "OptionSet": {
                "@odata.type": "Microsoft.Dynamics.CRM.OptionSetMetadata",
                "IsGlobal": false,
                "OptionSetType": "Picklist",
                "Options": options,
            },
        });
        match self.online(Method::Post, ATTRIBUTES, body)? {
            true => self.premises.options = OPTIONS,
            false => return Err("the choice was not made".to_owned()),
        }
        Ok(())
    }

    fn add_column(&mut self) -> Result<bool, String> {
        self.premises.memo = self.make_column(json!({
            "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
            "MaxLength": 100,
        }))?;
        Ok(self.premises.memo)
    }

    fn make_column(&self, mut body: Json) -> Result<bool, String> {
        body["SchemaName"] = json!(SPELT[self.premises.renamed]);
        body["DisplayName"] = label("Memo");
        body["RequiredLevel"] = json!({"Value": "None", "CanBeChanged": true});
        self.online(Method::Post, ATTRIBUTES, body)
    }

    fn drop_column(&mut self) -> Result<bool, String> {
        let name = self.premises.memo_name();
        let dropped = self.online(Method::Delete, &attribute(name), Json::Null)?;
        self.account.drops(name);
        self.premises.memo &= !dropped;
        self.premises.retyped &= !dropped;
        Ok(dropped)
    }

    /// The column is dropped, and made again at once with another type.
    fn retype_column(&mut self) -> Result<bool, String> {
        let was_text = self.premises.memo;
        if !(was_text || self.premises.retyped) || !self.drop_column()? {
            return Ok(false);
        }
        if !was_text {
            return self.add_column();
        }
        self.premises.retyped = self.make_column(json!({
            "@odata.type": "Microsoft.Dynamics.CRM.IntegerAttributeMetadata",
            "MinValue": 0,
            "MaxValue": 1_000_000,
        }))?;
        Ok(self.premises.retyped)
    }

    /// The column is made under another name, its values are copied, and then it goes: as an administrator gives it that name.
    fn rename_column(&mut self) -> Result<bool, String> {
        let before = self.premises;
        let old = before.memo_name();
        if !before.memo || before.renamed + 1 == MEMOS.len() {
            return Ok(false);
        }
        self.premises.renamed += 1;
        if !self.add_column()? {
            self.premises = before;
            return Ok(false);
        }
        let new = self.premises.memo_name();
        let list = self.list("admin", &format!("contacts?$select=contactid,{old}"))?;
        for row in list["value"].as_array().into_iter().flatten() {
            let (Some(id), Some(value)) = (row["contactid"].as_str(), row[old].as_str()) else { continue };
            self.online(Method::Patch, &format!("contacts({id})"), json!({new: value}))?;
            self.account.copied(value, self.clock.now());
        }
        self.online(Method::Delete, &attribute(old), Json::Null)
    }

    /// An option that was chosen a short while ago is no option any more.
    fn remove_option(&mut self) -> Result<bool, String> {
        let chosen = self.premises.chosen;
        if chosen == 0 {
            return Ok(false);
        }
        let back = 1 + self.faults.choose(OPTIONS_BACK_MAX.min(chosen));
        let body = json!({
            "EntityLogicalName": "contact",
            "AttributeLogicalName": CHOICE,
            "Value": FIRST_OPTION + chosen - back,
        });
        self.online(Method::Post, "DeleteOptionValue", body)
    }

    fn mask(&mut self) -> Result<bool, String> {
        let path = attribute(MASKED);
        self.premises.masked = true;
        self.online(Method::Patch, &path, json!({"IsSecured": true}))
    }

    fn take_role(&mut self, take: bool) -> Result<bool, String> {
        let role = flette_server::people::Role::Salesperson.id();
        let roles = format!("systemusers({})/systemuserroles_association", user_id(LOSER));
        self.premises.role_removed = take;
        match take {
            true => self.online(Method::Delete, &format!("{roles}({role})/$ref"), Json::Null),
            false => {
                let body = json!({"@odata.id": format!("{}roles({role})", crate::net::SERVER_ROOT)});
                let loses = |at: &usize| self.devices[*at].user == user_id(LOSER);
                (0..self.devices.len()).filter(loses).for_each(|at| self.account.regains(Sight::Device(at)));
                self.online(Method::Post, &format!("{roles}/$ref"), body)
            }
        }
    }
}

fn attribute(name: &str) -> String {
    format!("{ATTRIBUTES}(LogicalName='{name}')")
}

fn label(text: &str) -> Json {
    json!({"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]})
}
