//! Rows to ask about: few, and each of them there for what is awkward in it.

use crate::support::Wire;
use crate::world::Ask;
use flette_odata::Method;
use serde_json::{json, Map, Value};

/// Which values the server holds when the replica is pulled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Values {
    Final,
    /// Two rows of three hold others.
    Older,
}

/// Puts ids in the place of `{a0}`, `{c0}`, `{t0}` and so on, and of the names of users.
pub fn fill(text: &str) -> String {
    let mut text = text.to_owned();
    let tables = [('a', ACCOUNTS.len()), ('c', CONTACTS.len()), ('t', TASKS.len()), ('u', VIEWS.len())];
    for (letter, count) in tables {
        if !text.contains(&format!("{{{letter}")) {
            continue;
        }
        for at in 0..count + 16 {
            let digit = match letter {
                't' => 'd',
                'u' => 'e',
                letter => letter,
            };
            text = text
                .replace(&format!("{{{letter}{at}}}"), &format!("{digit}0000000-0000-4000-8000-{at:012}"));
        }
    }
    text = text.replace("{nok}", "e0000000-0000-4000-8000-000000000000");
    for user in ["anna", "ola", "demo", "admin"] {
        text = text.replace(&format!("{{{user}}}"), &flette_server::people::user_id(user).to_string());
    }
    text
}

/// Each row is a JSON object; its id is given by its place.
const ACCOUNTS: [&str; 14] = [
    r#"{"name":"Ærlig Øl AS","revenue":1000.5,"numberofemployees":10,"address1_city":"Oslo","telephone1":"+47 22 33 44 55","industrycode":6,"creditonhold":true}"#,
    r#"{"name":"ærlig øl as","revenue":1000.50,"numberofemployees":9,"address1_city":"oslo","industrycode":1,"address1_latitude":59.9139,"address1_longitude":10.7522}"#,
    r#"{"name":"O'Bryan & Søn","revenue":0,"numberofemployees":0,"address1_city":"Zürich","description":"line one\r\nline two\ttab \"quoted\" \\ back"}"#,
    r#"{"name":"Straße 50% off_now [x]","revenue":99999999999.99,"numberofemployees":1000000000,"description":""}"#,
    r#"{"name":"STRASSE 50","revenue":12.3456,"address1_city":"","websiteurl":"http://example.org/?a=b&c=d#e"}"#,
    r#"{"name":"zebra","revenue":null,"address1_city":"Bergen","industrycode":33,"accountcategorycode":2}"#,
    r#"{"name":"Zebra","creditlimit":5000000,"lastusedincampaign":"2024-02-29T23:59:59Z","address1_city":"Bergen"}"#,
    r#"{"name":"Åsen","lastusedincampaign":"1969-12-31T23:59:59Z","numberofemployees":10,"parentaccountid@odata.bind":"/accounts({a0})"}"#,
    r#"{"name":"Aasen","lastusedincampaign":"2024-03-01T00:00:00Z","parentaccountid@odata.bind":"accounts({a1})","statecode":1,"statuscode":2}"#,
    r#"{"name":"İstanbul ıI","accountnumber":"A-1","parentaccountid@odata.bind":"/accounts({a1})","ownerid@odata.bind":"/systemusers({anna})","overriddencreatedon":"2001-02-03T04:05:06Z"}"#,
    r#"{"name":"日本 𝒳 emoji 😀","accountnumber":"a-2","telephone1":"1","importsequencenumber":7}"#,
    r#"{"telephone1":"nameless","numberofemployees":5}"#,
    r#"{"name":"10","numberofemployees":10,"revenue":10,"address1_line1":"Main Street 1","address1_city":"Oslo","address1_postalcode":"0150","address1_stateorprovince":"OS","address1_country":"Norway"}"#,
    r#"{"name":" 9","numberofemployees":9,"revenue":9,"accountcategorycode":1}"#,
];

const CONTACTS: [&str; 12] = [
    r#"{"firstname":"Kari","lastname":"Nordmann","parentcustomerid_account@odata.bind":"/accounts({a0})","birthdate":"1980-02-29","gendercode":2}"#,
    r#"{"firstname":"kari","lastname":"nordmann","parentcustomerid_account@odata.bind":"/accounts({a1})","birthdate":"1969-12-31","donotphone":true}"#,
    r#"{"lastname":"Solo","parentcustomerid_contact@odata.bind":"/contacts({c0})","annualincome":1234.56}"#,
    r#"{"firstname":"Only first","emailaddress1":"first@example.org"}"#,
    r#"{"firstname":"Ümit","lastname":"Öztürk","jobtitle":"CEO; \"boss\"","birthdate":"2000-01-01"}"#,
    r#"{"firstname":"umit","lastname":"ozturk","jobtitle":"ceo","parentcustomerid_account@odata.bind":"/accounts({a2})"}"#,
    r#"{"lastname":"D'Arcy","jobtitle":null,"numberofchildren":0,"haschildrencode":true}"#,
    r#"{"lastname":"Tie","numberofchildren":3,"gendercode":1}"#,
    r#"{"lastname":"Tie","numberofchildren":3,"gendercode":1,"statecode":1}"#,
    r#"{"lastname":"tie","numberofchildren":3,"gendercode":2,"ownerid@odata.bind":"/systemusers({ola})"}"#,
    r#"{"lastname":"%","firstname":"_","address1_line1":"a","address1_line2":"b","address1_city":"c","ownerid@odata.bind":"/systemusers({anna})","parentcustomerid_account@odata.bind":"/accounts({a0})"}"#,
    r#"{"lastname":"[a-z]","middlename":"\\","lastusedincampaign":"2024-02-29T12:00:00Z"}"#,
];

const TASKS: [&str; 8] = [
    r#"{"subject":"Call","regardingobjectid_account_task@odata.bind":"/accounts({a0})","scheduledend":"2026-05-01T08:00:00Z","prioritycode":2}"#,
    r#"{"subject":"call","regardingobjectid_contact_task@odata.bind":"/contacts({c0})","scheduledend":"2026-05-01T08:00:00Z","prioritycode":0}"#,
    r#"{"subject":"Write","scheduledend":"2026-04-30T22:00:00Z","percentcomplete":50}"#,
    r#"{"subject":"Write","percentcomplete":100,"statecode":1}"#,
    r#"{"subject":"Wait","statuscode":4,"isbilled":true}"#,
    r#"{"subject":"Later","statecode":2,"statuscode":6,"actualdurationminutes":90}"#,
    r#"{"subject":"Über","description":"long","sortdate":"2026-05-01T08:00:01Z","category":"Sales","ownerid@odata.bind":"/systemusers({anna})","regardingobjectid_account_task@odata.bind":"/accounts({a9})"}"#,
    r#"{"percentcomplete":0,"category":"sales"}"#,
];

/// Views of the user's own.
const VIEWS: [&str; 3] = [
    r#"{"name":"Cities","returnedtypecode":"account","fetchxml":"<fetch><entity name='account'><attribute name='name'/><attribute name='address1_city'/><order attribute='name'/></entity></fetch>","layoutxml":"<grid/>"}"#,
    r#"{"name":"Contacts","returnedtypecode":"account","fetchxml":"<fetch><entity name='account'><attribute name='name'/><attribute name='primarycontactid'/><link-entity name='contact' from='parentcustomerid' to='accountid' link-type='outer' alias='c'><attribute name='fullname'/></link-entity><order attribute='name' descending='true'/></entity></fetch>","layoutxml":"<grid/>"}"#,
    r#"{"name":"First","returnedtypecode":"account","fetchxml":"<fetch top='5'><entity name='account'><attribute name='revenue'/><order attribute='revenue' descending='true'/><filter><condition attribute='statecode' operator='eq' value='0'/></filter></entity></fetch>","layoutxml":"<grid/>"}"#,
];

/// What only closes circles, once all rows stand.
const LINKS: [(&str, &str); 3] = [
    ("accounts({a0})", r#"{"primarycontactid@odata.bind":"/contacts({c0})"}"#),
    ("accounts({a2})", r#"{"primarycontactid@odata.bind":"/contacts({c6})"}"#),
    ("accounts({a5})", r#"{"primarycontactid@odata.bind":"/contacts({c0})"}"#),
];

struct Seed {
    set: &'static str,
    key: &'static str,
    placeholder: String,
    name: &'static str,
    values: Map<String, Value>,
}

fn seeds() -> Vec<Seed> {
    let mut all = Vec::new();
    let tables = [
        ("accounts", "accountid", 'a', "name", ACCOUNTS.as_slice()),
        ("contacts", "contactid", 'c', "lastname", CONTACTS.as_slice()),
        ("tasks", "activityid", 't', "subject", TASKS.as_slice()),
        ("userqueries", "userqueryid", 'u', "name", VIEWS.as_slice()),
    ];
    for (set, key, letter, name, rows) in tables {
        for (at, row) in rows.iter().enumerate() {
            let values = serde_json::from_str(&fill(row)).unwrap();
            all.push(Seed { set, key, placeholder: format!("{{{letter}{at}}}"), name, values });
        }
    }
    all
}

impl Seed {
    fn creation(&self, mut values: Map<String, Value>) -> Ask {
        values.insert(self.key.to_owned(), json!(fill(&self.placeholder)));
        Ask::new("POST", self.set, "", &Value::Object(values).to_string())
    }

    /// Other values, and the correction that leads to the right ones.
    fn older(&self) -> (Map<String, Value>, Map<String, Value>) {
        let mut older = Map::new();
        let mut correction = self.values.clone();
        for name in ["importsequencenumber", "overriddencreatedon"] {
            older.extend(correction.remove(name).map(|value| (name.to_owned(), value)));
        }
        for (name, value) in [(self.name, "Zz older"), ("description", "older too")] {
            older.insert(name.to_owned(), json!(value));
            correction.entry(name.to_owned()).or_insert(Value::Null);
        }
        (older, correction)
    }
}

impl Seed {
    /// Views need all of their values from the start.
    fn is_older(&self, at: usize) -> bool {
        at % 3 != 0 && self.set != "userqueries"
    }
}

fn links() -> impl Iterator<Item = Ask> {
    LINKS.iter().map(|(path, body)| Ask::new("PATCH", path, "If-Match: *", body))
}

/// What makes the rows anew.
pub fn creations() -> Vec<Ask> {
    seeds().iter().map(|seed| seed.creation(seed.values.clone())).chain(links()).collect()
}

/// What makes older rows right.
pub fn corrections() -> Vec<Ask> {
    let seeds = seeds();
    let older = seeds.iter().enumerate().filter(|(at, seed)| seed.is_older(*at));
    let patch = |seed: &Seed| {
        let path = format!("{}({})", seed.set, seed.placeholder);
        Ask::new("PATCH", &path, "If-Match: *", &Value::Object(seed.older().1).to_string())
    };
    older.map(|(_, seed)| patch(seed)).chain(links()).collect()
}

/// A currency that is not the base currency.
pub fn plant_currency(online: &Wire) {
    let krone = r#"{"transactioncurrencyid":"{nok}","currencyname":"Krone","isocurrencycode":"NOK","currencysymbol":"kr","currencyprecision":2,"exchangerate":9.47}"#;
    assert!(online.ask(Method::Post, "transactioncurrencies", &fill(krone)).is_success());
}

/// Puts the rows into a server.
pub fn plant(online: &Wire, values: Values) {
    let tell = |ask: &Ask| {
        let answer = match ask.method {
            Method::Post => online.ask(ask.method, &fill(&ask.path), &fill(&ask.body)),
            _ => online.ask(Method::Patch, &fill(&ask.path), &fill(&ask.body)),
        };
        assert!(answer.is_success(), "{}: {}", ask.body, String::from_utf8_lossy(&answer.body));
    };
    for (at, seed) in seeds().iter().enumerate() {
        let older = values == Values::Older && seed.is_older(at);
        tell(&seed.creation(if older { seed.older().0 } else { seed.values.clone() }));
    }
    if values == Values::Final {
        links().for_each(|ask| tell(&ask));
    }
}
