//! Reads along relationships and over several tables: a device whose line is down answers as the server does.

use super::shown::user_of;
use super::{Done, World};
use crate::account::Testimony;
use crate::device::Device;
use crate::net::ROOT;
use flette_odata::{Request, Uuid};
use flette_server::people::user_id;
use serde_json::Value as Json;

/// Lists along relationships, of which every device holds the tables.
const LISTS: [&str; 12] = [
    "contacts?$select=lastname&$expand=parentcustomerid_account($select=name,telephone1)\
     &$orderby=contactid",
    "accounts?$select=name\
     &$expand=contact_customer_accounts($select=lastname,jobtitle;$orderby=contactid)&$orderby=accountid",
    "contacts?$select=lastname&$filter=contains(parentcustomerid_account/name,'1')&$orderby=contactid",
    "contacts?$select=lastname&$filter=parentcustomerid_account/name%20ne%20null\
     &$orderby=parentcustomerid_account/name,contactid",
    "accounts?$select=name\
     &$filter=contact_customer_accounts/any(c:contains(c/lastname,'1'))&$orderby=accountid",
    "accounts?$select=name\
     &$filter=contact_customer_accounts/all(c:c/jobtitle%20eq%20null)&$orderby=accountid",
    "accounts?$select=name&$filter=not%20contact_customer_accounts/any()\
     &$orderby=name,accountid&$count=true",
    "contacts?$select=lastname&$filter=owninguser/lastname%20eq%20'User'&$orderby=contactid&$count=true",
    "systemusers?$select=fullname,isdisabled&$expand=businessunitid($select=name)&$orderby=systemuserid",
    "contacts?$apply=groupby((_parentcustomerid_value),aggregate($count%20as%20n))",
    "contacts?$select=lastname,telephone1&$orderby=telephone1%20desc,contactid&$top=3",
    "contacts/$count?$filter=_parentcustomerid_value%20eq%20null",
];
/// Rows whose relatives are asked for, of each table.
const ROWS_ASKED: usize = 3;

impl World {
    /// I-18: what a device answers alone is what the server answers, where it keeps everything and nothing waits.
    pub(super) fn answers_alike(&self, device: &Device, told: &Testimony) -> Done {
        if device.profiles.now() != flette::engine::Profile::default() || told.holds_anything() {
            return Ok(());
        }
        let mut paths: Vec<String> = LISTS.map(str::to_owned).to_vec();
        let of_table = |accounts: bool| {
            // What was merged means another row here, and nothing there.
            let is_merged = |row: &Uuid| self.merged.row(device.at, *row) != *row;
            let rows = self.rows.iter().filter(move |row| self.accounts.contains(row) == accounts);
            rows.rev().filter(move |row| !is_merged(row)).take(ROWS_ASKED)
        };
        for row in of_table(true) {
            paths.push(format!(
                "accounts({row})/contact_customer_accounts?$select=lastname&$orderby=contactid"
            ));
            let contacts = "contact_customer_accounts($select=lastname;$orderby=contactid)";
            let expand = format!("$expand={contacts},owninguser($select=fullname)");
            paths.push(format!("accounts({row})?$select=name&{expand}"));
        }
        for row in of_table(false) {
            paths.push(format!("contacts({row})/parentcustomerid_account?$select=name"));
            paths.push(format!("contacts({row})/lastname"));
            paths.push(format!("contacts({row})/owninguser?$select=fullname"));
        }
        paths.iter().try_for_each(|path| self.answers_it_alike(device, path))
    }

    fn answers_it_alike(&self, device: &Device, path: &str) -> Done {
        let request = || Request::get(format!("{ROOT}{path}"));
        let there = self.crm.answer(user_id(user_of(device.at)), &request());
        let here = device.ask_alone(request()).ok_or("L-2: a read hangs")?;
        let (there_body, here_body) = (body(&there.body), body(&here.body));
        match (here.status, &here_body) == (there.status, &there_body) {
            true => Ok(()),
            false => Err(format!(
                "I-18: device {} answers {path} with {} {here_body}, the server with {} {there_body}",
                device.at, here.status, there.status
            )),
        }
    }
}

/// What a body says, wherever the service stands.
fn body(bytes: &[u8]) -> Json {
    let text = || Json::String(String::from_utf8_lossy(bytes).into_owned());
    let mut body = serde_json::from_slice(bytes).unwrap_or_else(|_| text());
    strip(&mut body);
    body
}

fn strip(value: &mut Json) {
    match value {
        Json::Object(members) => {
            members.retain(|name, _| !name.ends_with("@odata.context") && !name.ends_with("@odata.nextLink"));
            members.values_mut().for_each(strip);
        }
        Json::Array(items) => items.iter_mut().for_each(strip),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}
