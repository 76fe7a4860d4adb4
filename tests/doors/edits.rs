//! Edits made by chance, good and bad ones, on rows that point to each other.

use crate::dice::Dice;
use crate::world::{Ask, Known, World};

/// Edits of one world.
const EDITS: usize = 120;

/// Members of a body; `{row}` stands for any row of the table named before it.
const ACCOUNTS: &[&str] = &[
    r#""name":"Edited""#,
    r#""name":null"#,
    r#""revenue":5.55555"#,
    r#""revenue":-1"#,
    r#""transactioncurrencyid@odata.bind":"/transactioncurrencies({nok})""#,
    r#""transactioncurrencyid@odata.bind":null"#,
    r#""numberofemployees":7"#,
    r#""numberofemployees":"seven""#,
    r#""industrycode":null"#,
    r#""industrycode":99"#,
    r#""address1_city":"Tromsø""#,
    r#""address1_country":"Norway""#,
    r#""statecode":1"#,
    r#""statecode":0,"statuscode":1"#,
    r#""statuscode":2"#,
    r#""primarycontactid@odata.bind":"/contacts({c})""#,
    r#""primarycontactid@odata.bind":null"#,
    r#""parentaccountid@odata.bind":"/accounts({a})""#,
    r#""ownerid@odata.bind":"/systemusers({anna})""#,
    r#""ownerid@odata.bind":"/systemusers({demo})""#,
];

const CONTACTS: &[&str] = &[
    r#""firstname":"Edited""#,
    r#""firstname":null"#,
    r#""lastname":"Edited too""#,
    r#""fullname":"Not mine to set""#,
    r#""birthdate":"2001-02-03""#,
    r#""birthdate":"2001-02-33""#,
    r#""annualincome":1"#,
    r#""statecode":1,"statuscode":2"#,
    r#""parentcustomerid_account@odata.bind":"/accounts({a})""#,
    r#""parentcustomerid_contact@odata.bind":"/contacts({c})""#,
    r#""parentcustomerid_contact@odata.bind":null"#,
];

const TASKS: &[&str] = &[
    r#""subject":"Edited""#,
    r#""percentcomplete":100"#,
    r#""percentcomplete":101"#,
    r#""statecode":1"#,
    r#""statecode":0"#,
    r#""statuscode":3"#,
    r#""regardingobjectid_account_task@odata.bind":"/accounts({a})""#,
    r#""regardingobjectid_contact_task@odata.bind":"/contacts({c})""#,
];

/// Set, key, letter of placeholders, seeded rows, members.
const TABLES: &[(&str, &str, char, usize, &[&str])] = &[
    ("accounts", "accountid", 'a', 14, ACCOUNTS),
    ("contacts", "contactid", 'c', 12, CONTACTS),
    ("tasks", "activityid", 't', 8, TASKS),
];

/// Single-valued navigation properties, and a row for them to point to.
const LINKS: &[(&str, &str)] = &[
    ("accounts({a})/primarycontactid", "contacts({c})"),
    ("accounts({a})/parentaccountid", "accounts({a})"),
    ("contacts({c})/parentcustomerid_account", "accounts({a})"),
    ("contacts({c})/parentcustomerid_contact", "contacts({c})"),
    ("tasks({t})/regardingobjectid_account_task", "accounts({a})"),
    ("tasks({t})/regardingobjectid_contact_task", "contacts({c})"),
];

/// New rows get the placeholders after those of the seeds; an id is never used again.
const NEW_ROWS_MAX: usize = 14;

struct Editor {
    dice: Dice,
    made: [usize; 3],
}

impl Editor {
    /// Puts some row in the place of each placeholder without a number.
    fn fill(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (at, (_, _, letter, seeded, _)) in TABLES.iter().enumerate() {
            while let Some(place) = text.find(&format!("{{{letter}}}")) {
                // Now and then a row that never was.
                let row = self.dice.below(seeded + self.made[at] + 1);
                text.replace_range(place + 2..place + 2, &row.to_string());
            }
        }
        text
    }

    fn members(&mut self, from: &[&str]) -> String {
        let mut members: Vec<&str> = (0..1 + self.dice.below(3)).map(|_| *self.dice.of(from)).collect();
        members.sort_unstable();
        members.dedup_by(|a, b| a.split(':').next() == b.split(':').next());
        self.fill(&members.join(","))
    }

    fn edit(&mut self) -> Ask {
        let table = self.dice.below(TABLES.len());
        let (set, key, letter, seeded, members) = TABLES[table];
        let row = self.fill(&format!("{set}({{{letter}}})"));
        let representation = "Prefer: return=representation,odata.include-annotations=\"*\"";
        let prefer = *self.dice.of(&["", representation]);
        match self.dice.below(12) {
            0 | 1 if self.made[table] < NEW_ROWS_MAX => {
                let id = format!("{{{letter}{}}}", seeded + self.made[table]);
                self.made[table] += 1;
                let members = self.members(members);
                Ask::new("POST", set, prefer, &format!(r#"{{"{key}":"{id}",{members}}}"#))
            }
            2 => Ask::new("DELETE", &row, "", ""),
            3 => {
                let (link, target) = *self.dice.of(LINKS);
                let (link, target) = (self.fill(link), self.fill(target));
                Ask::new("PUT", &format!("{link}/$ref"), "", &format!(r#"{{"@odata.id":"{target}"}}"#))
            }
            4 => {
                let link = self.dice.of(LINKS).0;
                Ask::new("DELETE", &format!("{}/$ref", self.fill(link)), "", "")
            }
            5 => Ask::get(&row, "Prefer: odata.include-annotations=\"*\""),
            _ => {
                let members = self.members(members);
                Ask::new("PATCH", &row, &format!("If-Match: * | {prefer}"), &format!("{{{members}}}"))
            }
        }
    }
}

#[test]
fn edits_made_by_chance_come_to_the_same() {
    for known in [Known::All, Known::Older, Known::Nothing] {
        let mut editor = Editor { dice: Dice::new(), made: [0; 3] };
        let world = World::new(known).loosely();
        for at in 1..=EDITS {
            world.same(&editor.edit());
            if at % 40 == 0 {
                world.read_back();
            }
        }
        world.agree();
    }
}
