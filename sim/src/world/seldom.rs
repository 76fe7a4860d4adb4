//! What seldom happens: to the server's database, schema and rights, and to a device's disk and session.

use super::{Done, World, USERS};
use crate::account::MEMO;
use crate::faults::Fault;
use crate::tale::tell;
use flette_odata::Method;
use flette_server::people::user_id;
use serde_json::{json, Value as Json};

/// Where the custom column is made.
const ATTRIBUTES: &str = "EntityDefinitions(LogicalName='contact')/Attributes";
/// The column that is hidden from those who are no administrators.
const MASKED: &str = "jobtitle";
/// Who loses her role.
const LOSER: &str = "anna";

/// What of the server is not as it began.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Premises {
    /// The custom column is there.
    pub(super) memo: bool,
    masked: bool,
    role_removed: bool,
}

impl World {
    /// Before anybody comes.
    pub(super) fn furnish(&mut self) -> Done {
        if self.faults.may(Fault::ColumnDropped) {
            self.add_column()?;
        }
        Ok(())
    }

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
            Fault::ColumnAdded => !self.premises.memo && self.add_column()?,
            // Not shown again: what was read in between outside of the feed would stay hidden.
            Fault::Masked => !self.premises.masked && self.mask()?,
            Fault::RoleRemoved => self.take_role(!self.premises.role_removed)?,
            Fault::StoreClosed => {
                self.devices[at].close_store(1 + self.faults.choose(6));
                true
            }
            Fault::Evicted => {
                self.shared_disk.remove(&at);
                self.devices[at].evict().ok_or("an engine does not open again")?;
                self.account.evicted(at);
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
        if self.faults.may(Fault::ColumnDropped) || self.faults.may(Fault::ColumnAdded) {
            // By then every device has compared its schema with the server's.
            self.clock.advance(2 * 3_600_000);
        }
        Ok(())
    }

    /// The first time the database is copied, the second time the copy takes its place.
    fn restore(&mut self) -> Result<bool, String> {
        let Some((before, account)) = self.backup.take() else {
            self.crm.premises()?.back_up()?;
            self.backup = Some((self.premises, self.account.snapshot()));
            return Ok(false);
        };
        self.crm.restore()?;
        self.account.restored(account);
        self.premises = before;
        Ok(true)
    }

    fn add_column(&mut self) -> Result<bool, String> {
        let label = json!({"LocalizedLabels": [{"Label": "Memo", "LanguageCode": 1033}]});
        let body = json!({
            "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
            "SchemaName": "new_Memo",
            "DisplayName": label,
            "RequiredLevel": {"Value": "None", "CanBeChanged": true},
            "MaxLength": 100,
        });
        self.premises.memo = self.online(Method::Post, ATTRIBUTES, body)?;
        Ok(self.premises.memo)
    }

    fn drop_column(&mut self) -> Result<bool, String> {
        let path = format!("{ATTRIBUTES}(LogicalName='{MEMO}')");
        let dropped = self.online(Method::Delete, &path, Json::Null)?;
        self.premises.memo &= !dropped;
        Ok(dropped)
    }

    fn mask(&mut self) -> Result<bool, String> {
        let path = format!("{ATTRIBUTES}(LogicalName='{MASKED}')");
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
                self.online(Method::Post, &format!("{roles}/$ref"), body)
            }
        }
    }
}
