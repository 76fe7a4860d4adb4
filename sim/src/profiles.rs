//! Offline profiles of devices: what is set, and what follows from it for what a device shows and logs. Knows the settings
//! only, nothing of how an engine heeds them.

use crate::account::{CHOICE, MEMOS};
use crate::dice::Dice;
use flette::model::{Direction, Profile, RowsOf, Rule, ViewOf};
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
/// Relationships that are followed: the table, the other one, the navigation property, and how it is said of one of the other's
/// columns, and of a row that has any.
const RELATED: [(&str, &str, &str, &str, &str); 2] = [
    ("account", "contact", "contact_customer_accounts", "c/", "contact_customer_accounts/any()"),
    (
        "contact",
        "account",
        "parentcustomerid_account",
        "parentcustomerid_account/",
        "parentcustomerid_account/accountid ne null",
    ),
];
/// Columns that filters of rows are about.
const FILTERED: [&str; 5] = ["_ownerid_value", "_parentcustomerid_value", "telephone1", "lastname", "name"];
/// Views that every server has, by table, and what they say.
const VIEWS: [(&str, &str); 2] = [("account", "My Accounts"), ("contact", "My Contacts")];
const OF_VIEWS: &str = "_ownerid_value eq {me}";
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

    /// Whether a relationship was ever followed: such a table learns by sweeps, on every server.
    pub fn ever_related(&self) -> bool {
        self.0.iter().any(|profile| profile.tables.values().any(|set| !set.related.is_empty()))
    }

    /// The rows of a table that go offline now, as a filter in which `{me}` is the user; `None` for all.
    pub fn filter(&self, table: &str) -> Option<String> {
        let now = self.now();
        let set = now.tables.get(table)?;
        let own = set.rows.as_ref().map(said);
        let related =
            RELATED.iter().find(|(of, _, name, ..)| *of == table && set.related.iter().any(|r| r == name));
        let related = related.map(|(_, other, name, prefix, any)| {
            let rows = now.tables.get(*other).and_then(|set| set.rows.as_ref()).map(said);
            match (rows, *prefix) {
                (None, _) => (*any).to_owned(),
                (Some(rows), "c/") => format!("{name}/any(c:{})", along(&rows, prefix)),
                (Some(rows), prefix) => along(&rows, prefix),
            }
        });
        match (own, related) {
            (Some(own), Some(related)) => Some(format!("({own}) or ({related})")),
            (own, related) => own.or(related),
        }
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

/// What says which rows, as a filter.
fn said(rows: &RowsOf) -> String {
    match rows {
        RowsOf::Filter(text) => text.clone(),
        RowsOf::View(_) => OF_VIEWS.to_owned(),
    }
}

/// A filter as it is said from the other end of a relationship.
fn along(filter: &str, prefix: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut words: Vec<String> = Vec::new();
    for c in filter.chars() {
        match words.last_mut() {
            Some(word) if is_name(c) && word.chars().all(is_name) => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let turned = words.into_iter().map(|word| match FILTERED.contains(&word.as_str()) {
        true => format!("{prefix}{word}"),
        false => word,
    });
    turned.collect()
}

/// The same profile with a relationship that is followed, or with a view.
pub fn wider(mut profile: Profile, dice: &Dice) -> Profile {
    let rows = |dice: &Dice, table: &str| {
        let of_table: Vec<&str> = ROWS.iter().filter(|(of, _)| *of == table).map(|(_, rows)| *rows).collect();
        dice.pick(&of_table).map(|rows| RowsOf::Filter((*rows).to_owned()))
    };
    if dice.once_in(4) {
        let Some((table, view)) = dice.pick(&VIEWS) else { return profile };
        let set = profile.tables.entry((*table).to_owned()).or_default();
        set.rows = Some(RowsOf::View(ViewOf { view: (*view).to_owned() }));
        return profile;
    }
    let Some((table, other, name, ..)) = dice.pick(&RELATED) else { return profile };
    let (all, own) = (dice.once_in(5), dice.once_in(3));
    profile.tables.entry((*other).to_owned()).or_default().rows = rows(dice, other).filter(|_| !all);
    let set = profile.tables.entry((*table).to_owned()).or_default();
    set.rows = rows(dice, table).filter(|_| own);
    set.related = vec![(*name).to_owned()];
    profile
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
                Some(RowsOf::View(_)) => format!("({OF_VIEWS}) and ({rows})"),
                None => (*rows).to_owned(),
            };
            set.rows = Some(RowsOf::Filter(narrower));
            next
        }
        _ => {
            for set in next.tables.values_mut() {
                set.rows = None;
                set.related.clear();
                set.fields.values_mut().for_each(|field| field.direction = Direction::Both);
            }
            next
        }
    }
}
