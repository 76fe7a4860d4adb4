//! Offline profiles of devices: what is set, and what follows from it for what a device shows and logs. Knows the settings
//! only, nothing of how an engine heeds them.

use crate::account::{CHOICE, MEMOS};
use crate::dice::Dice;
use flette::model::{Direction, Profile, RowsOf, Rule};
use serde_json::{json, Map, Value as Json};

/// Filters of rows, by table: by owner, and by what people change, so that rows enter and leave while edits of them wait.
const ROWS: [(&str, &str); 6] = [
    ("contact", "_ownerid_value eq {me}"),
    ("contact", "telephone1 eq null or contains(telephone1,'1')"),
    ("contact", "not endswith(lastname,'3')"),
    ("contact", "_parentcustomerid_value eq null"),
    ("account", "_ownerid_value eq {me}"),
    ("account", "contains(name,'1')"),
];
/// Columns that may have a rule of their own, by table.
const RULED: [(&str, &str); 4] =
    [("account", "name"), ("contact", "lastname"), ("contact", "telephone1"), ("contact", "jobtitle")];
/// Columns that people write, each value once, by table.
const WRITTEN: [(&str, &str); 8] = [
    ("account", "name"),
    ("contact", "lastname"),
    ("contact", "telephone1"),
    ("contact", "jobtitle"),
    ("contact", MEMOS[0]),
    ("contact", MEMOS[1]),
    ("contact", MEMOS[2]),
    ("contact", CHOICE),
];
const RULES: [&str; 4] = ["newest", "server", "local", "manual"];
/// Columns that need not go both ways, by table.
const DIRECTED: [(&str, &str); 3] =
    [("contact", "telephone1"), ("contact", "jobtitle"), ("contact", "address1_city")];
const DIRECTIONS: [&str; 3] = ["down", "up", "none"];
/// What the service makes of the lines of an address: it goes with any of them.
const ADDRESS: (&str, &str) = ("address1_", "address1_composite");

/// All that a device was ever set to, the present profile last.
#[derive(Debug, Clone)]
pub struct Profiles(Vec<Profile>);

impl Profiles {
    /// A device that was set to nothing else so far.
    pub fn new(first: Profile) -> Profiles {
        Profiles(vec![first])
    }

    /// Without any, whole tables go offline and the newest wins.
    pub fn none() -> Profiles {
        Profiles::new(Profile::default())
    }

    /// The present one.
    pub fn now(&self) -> Profile {
        self.0.last().cloned().unwrap_or_default()
    }

    /// Another one takes its place.
    pub fn change(&mut self, to: Profile) {
        self.0.push(to);
    }

    /// The rule for a column, or without one for the deletions of a table; `None` where it was not always the same.
    pub fn rule(&self, table: &str, column: Option<&str>) -> Option<Rule> {
        let rule = |profile: &Profile| {
            let own = column.and_then(|column| profile.field(table, column)?.merge);
            own.or_else(|| profile.tables.get(table)?.merge).unwrap_or_default()
        };
        let first = self.0.first().map(rule)?;
        self.0.iter().all(|profile| rule(profile) == first).then_some(first)
    }

    /// Whether a column always went both ways.
    pub fn always_both_ways(&self, table: &str, column: &str) -> bool {
        self.0.iter().all(|profile| profile.direction(table, column) == Direction::Both)
    }

    /// Columns that did not always go both ways.
    pub fn one_way(&self) -> Vec<&'static str> {
        let all = DIRECTED.into_iter().filter(|(table, column)| !self.always_both_ways(table, column));
        all.map(|(_, column)| column).collect()
    }

    /// Columns of which the device's own values win now.
    pub fn insists_on(&self) -> impl Iterator<Item = &'static str> {
        let now = Profiles::new(self.now());
        let local = move |(table, column): &(&str, &str)| now.rule(table, Some(column)) == Some(Rule::Local);
        WRITTEN.into_iter().filter(local).map(|(_, column)| column)
    }

    /// Whether the device keeps a column now.
    pub fn keeps(&self, table: &str, column: &str) -> bool {
        let is_off = |(of, name): &(&str, &str)| {
            let follows = column == ADDRESS.1 && name.starts_with(ADDRESS.0);
            let named = *of == table && (*name == column || follows);
            named && self.now().direction(table, name) == Direction::None
        };
        !DIRECTED.iter().any(is_off)
    }

    /// Whether what the server says of a column that is here counts.
    pub fn follows(&self, table: &str, column: &str) -> bool {
        let is_up = |name: &str| self.now().direction(table, name) == Direction::Up;
        let address = || DIRECTED.iter().any(|(_, name)| name.starts_with(ADDRESS.0) && is_up(name));
        !(is_up(column) || column == ADDRESS.1 && address())
    }
}

/// A profile by chance: a filter of one table most often, and some rules and directions.
pub fn by_chance(dice: &Dice) -> Profile {
    let mut tables: Map<String, Json> = Map::new();
    let mut set = |table: &str, path: &[&str], value: &str| {
        let mut at = tables.entry(table).or_insert_with(|| json!({}));
        for member in path {
            at = &mut at[*member];
        }
        *at = json!(value);
    };
    if let Some((table, rows)) = dice.pick(&ROWS).filter(|_| !dice.once_in(4)) {
        set(table, &["rows"], rows);
    }
    for table in ["account", "contact"] {
        if let Some(rule) = dice.pick(&RULES).filter(|_| dice.once_in(3)) {
            set(table, &["merge"], rule);
        }
    }
    for (table, column) in RULED {
        if let Some(rule) = dice.pick(&RULES).filter(|_| dice.once_in(4)) {
            set(table, &["fields", column, "merge"], rule);
        }
    }
    for (table, column) in DIRECTED {
        if let Some(direction) = dice.pick(&DIRECTIONS).filter(|_| dice.once_in(6)) {
            set(table, &["fields", column, "direction"], direction);
        }
    }
    serde_json::from_value(Json::Object(tables)).unwrap_or_default()
}

/// What a profile is changed to: none, another one, a narrower one or a wider one.
pub fn changed(profile: &Profile, dice: &Dice) -> Profile {
    let mut next = profile.clone();
    match dice.roll(4) {
        0 => Profile::default(),
        1 => by_chance(dice),
        2 => {
            let Some((table, rows)) = dice.pick(&ROWS) else { return next };
            let set = next.tables.entry((*table).to_owned()).or_default();
            let narrower = match set.rows.take() {
                Some(RowsOf::Filter(old)) => format!("({old}) and ({rows})"),
                Some(RowsOf::View(_)) | None => (*rows).to_owned(),
            };
            set.rows = Some(RowsOf::Filter(narrower));
            next
        }
        _ => {
            for set in next.tables.values_mut() {
                set.rows = None;
                set.fields.values_mut().for_each(|field| field.direction = Direction::Both);
            }
            next
        }
    }
}
