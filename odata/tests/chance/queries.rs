//! Rows and queries of the Web API by chance, from a seed. The same seed gives the same.

use flette_odata::{Column, ColumnKind, Decimal, EntityRef, Schema, Table, Uuid, Value};
use std::collections::HashMap;
use std::mem::{discriminant, Discriminant};

/// Numbers that look random and are the same in every run (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    /// Less than `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    pub fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        assert!(!from.is_empty());
        from[self.below(from.len())].clone()
    }
}

const TEXTS: [&str; 12] = ["a", "A", "ab", "Ä", "ä", "ß", "İ", "ΟΔΟΣ", "οδος", "o'b", "100%_[x]", "z z"];
const NUMBERS: [&str; 10] = [
    "0",
    "1",
    "-1",
    "0.25",
    "9.5",
    "10",
    "-0.5000",
    "99999999999.9999",
    "7.0001",
    // A little less as a float.
    "4.02",
];

/// What rows and queries are made of.
pub struct Realm<'a> {
    /// Tables and columns.
    pub schema: &'a Schema,
    /// Tables that have rows; lookups lead to these only.
    pub tables: &'a [&'a str],
    /// Intersect tables that have rows.
    pub pairs: &'a [&'a str],
    /// Rows are numbered from 0 to less than this.
    pub rows_max: usize,
    /// Id of a row by its table and number.
    pub id: &'a dyn Fn(&str, usize) -> Uuid,
    /// Columns that are used at all.
    pub wanted: &'a dyn Fn(&Column) -> bool,
    /// About now, milliseconds.
    pub now: i64,
}

impl Realm<'_> {
    fn knows(&self, table: &str) -> bool {
        self.tables.contains(&table)
    }

    /// Columns that rows have and queries ask for: some of each kind.
    pub fn used<'t>(&self, table: &'t Table) -> Vec<&'t Column> {
        let mut seen: HashMap<Discriminant<ColumnKind>, usize> = HashMap::new();
        let worth = |column: &&Column| {
            let kind = match &column.kind {
                ColumnKind::Lookup { targets } => {
                    let known = targets.iter().any(|target| self.knows(&target.table));
                    let users = targets.iter().any(|target| target.table == "systemuser");
                    return known && !users && (self.wanted)(column);
                }
                ColumnKind::BigInt | ColumnKind::Id | ColumnKind::Guid => return false,
                other => discriminant(other),
            };
            if column.computed || column.logical_name.ends_with("_base") || !(self.wanted)(column) {
                return false;
            }
            let count = seen.entry(kind).or_default();
            *count += 1;
            *count <= 3
        };
        table.columns.iter().filter(worth).collect()
    }

    /// A value that may stand in the column, or null.
    pub fn value(&self, dice: &mut Dice, column: &Column) -> Value {
        let number = |dice: &mut Dice| Decimal::parse(dice.pick(&NUMBERS)).unwrap();
        match &column.kind {
            _ if dice.one_in(4) => Value::Null,
            ColumnKind::Text { .. } | ColumnKind::Memo { .. } => Value::Text(dice.pick(&TEXTS).to_owned()),
            ColumnKind::Integer { .. } => Value::Int(i64::try_from(dice.below(5)).unwrap() - 1),
            ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => Value::Decimal(number(dice)),
            // Quarters add up exactly in any order.
            ColumnKind::Double { .. } => Value::Double((dice.below(9) as f64 - 4.0) / 4.0),
            ColumnKind::Boolean { .. } => Value::Bool(dice.one_in(2)),
            ColumnKind::DateTime => Value::DateTime(
                self.now / 1000 * 1000 - i64::try_from(dice.below(20)).unwrap() * 86_400_000 / 4,
            ),
            ColumnKind::Date => Value::Date(20_000 + i32::try_from(dice.below(5)).unwrap()),
            ColumnKind::Picklist { options, .. } => Value::Int(dice.pick(options).value.into()),
            ColumnKind::State { options } => Value::Int(dice.pick(options).value.into()),
            ColumnKind::Status { options } => Value::Int(dice.pick(options).value.into()),
            ColumnKind::Lookup { targets } => {
                let targets: Vec<_> = targets.iter().filter(|target| self.knows(&target.table)).collect();
                let table = dice.pick(&targets).table.clone();
                // Some point to rows that are not there.
                let id = (self.id)(&table, dice.below(self.rows_max));
                Value::Lookup(EntityRef { table, id })
            }
            ColumnKind::MultiPicklist { .. } | ColumnKind::BigInt | ColumnKind::Id | ColumnKind::Guid => {
                Value::Null
            }
        }
    }
}

/// Writes queries.
pub struct Writer<'a> {
    /// Chance.
    pub dice: &'a mut Dice,
    /// Of what.
    pub realm: &'a Realm<'a>,
}

impl<'a> Writer<'a> {
    fn literal(&mut self, column: &Column) -> String {
        match self.realm.value(self.dice, column) {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Decimal(number) => number.to_string(),
            Value::Double(number) => number.to_string(),
            Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Value::Guid(id) => id.to_string(),
            Value::Lookup(to) => to.id.to_string(),
            Value::DateTime(at) => flette_odata::time::format_datetime(at),
            Value::Date(days) => flette_odata::time::format_date(days),
        }
    }

    /// Single-valued navigation properties to tables of the world, with one target each.
    fn navigations(&self, table: &Table) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for column in self.realm.used(table) {
            if let ColumnKind::Lookup { targets } = &column.kind {
                let known = targets.iter().filter(|target| self.realm.knows(&target.table));
                found.extend(known.map(|target| (target.navigation.clone(), target.table.clone())));
            }
        }
        found
    }

    /// Collections of rows of the world: name, table, whether many to many.
    pub fn collections(&self, table: &Table) -> Vec<(String, String, bool)> {
        let mut found = Vec::new();
        for name in self.realm.tables {
            for column in self.realm.used(self.realm.schema.table(name).unwrap()) {
                if let ColumnKind::Lookup { targets } = &column.kind {
                    let here = targets.iter().filter(|target| target.table == table.logical_name);
                    found.extend(here.map(|target| (target.collection.clone(), (*name).to_owned(), false)));
                }
            }
        }
        for pair in self
            .realm
            .schema
            .many_to_many
            .iter()
            .filter(|pair| self.realm.pairs.contains(&pair.intersect.as_str()))
        {
            for (end, other) in [(&pair.first, &pair.second), (&pair.second, &pair.first)] {
                if end.table == table.logical_name {
                    found.push((end.navigation.clone(), other.table.clone(), true));
                }
            }
        }
        found
    }

    /// A condition on a table whose columns stand behind `prefix`.
    fn condition(&mut self, table: &Table, prefix: &str, depth: usize, lambda: bool) -> String {
        let navigations = self.navigations(table);
        let collections = self.collections(table);
        match self.dice.below(if depth == 0 { 4 } else { 10 }) {
            4 | 5 => {
                let word = self.dice.pick(&["and", "or"]);
                let left = self.condition(table, prefix, depth - 1, lambda);
                let right = self.condition(table, prefix, depth - 1, lambda);
                format!("({left} {word} {right})")
            }
            6 => format!("not ({})", self.condition(table, prefix, depth - 1, lambda)),
            7 | 8 if !navigations.is_empty() => {
                let (navigation, target) = self.dice.pick(&navigations);
                let target = self.realm.schema.table(&target).unwrap();
                self.comparison(target, &format!("{prefix}{navigation}/"))
            }
            9 if lambda && prefix.is_empty() && !collections.is_empty() => {
                let (collection, target, _) = self.dice.pick(&collections);
                let target = self.realm.schema.table(&target).unwrap();
                if self.dice.one_in(5) {
                    return format!("{collection}/any()");
                }
                let inner = self.condition(target, "x/", depth - 1, false);
                format!("{collection}/{}(x:{inner})", self.dice.pick(&["any", "all"]))
            }
            _ => self.comparison(table, prefix),
        }
    }

    fn comparison(&mut self, table: &Table, prefix: &str) -> String {
        let column = self.dice.pick(&self.realm.used(table));
        let name = format!("{prefix}{}", column.property());
        let is_text = matches!(column.kind, ColumnKind::Text { .. } | ColumnKind::Memo { .. });
        let is_time = matches!(column.kind, ColumnKind::DateTime);
        match self.dice.below(5) {
            0 if is_text => {
                let function = self.dice.pick(&["contains", "startswith", "endswith"]);
                let pattern = self.dice.pick(&TEXTS).replace('\'', "''");
                format!("{function}({name},'{pattern}')")
            }
            0 if is_time && prefix.is_empty() => {
                let function = self.dice.pick(&[
                    "Today",
                    "Yesterday",
                    "ThisWeek",
                    "LastMonth",
                    "ThisYear",
                    "Last7Days",
                    "NextFiscalPeriod",
                ]);
                let number = 1 + self.dice.below(60);
                match self.dice.below(4) {
                    0 => format!(
                        "Microsoft.Dynamics.CRM.LastXDays(PropertyName='{name}',PropertyValue={number})"
                    ),
                    1 => format!(
                        "Microsoft.Dynamics.CRM.OlderThanXMonths(PropertyName='{name}',PropertyValue={number})"
                    ),
                    _ => format!("Microsoft.Dynamics.CRM.{function}(PropertyName='{name}')"),
                }
            }
            0 if table.logical_name == "account" && prefix.is_empty() => {
                let side = self.dice.pick(&["Above", "Under", "AboveOrEqual", "UnderOrEqual"]);
                let id = (self.realm.id)("account", self.dice.below(self.realm.rows_max));
                format!("Microsoft.Dynamics.CRM.{side}(PropertyName='accountid',PropertyValue='{id}')")
            }
            2 if is_text && prefix.is_empty() => {
                let function = self.dice.pick(&["In", "NotIn"]);
                let values: Vec<String> = (0..1 + self.dice.below(3))
                    .map(|_| format!("'{}'", self.dice.pick(&TEXTS).replace('\'', "''")))
                    .collect();
                let values = values.join(",");
                format!("Microsoft.Dynamics.CRM.{function}(PropertyName='{name}',PropertyValues=[{values}])")
            }
            1 => {
                let alike: Vec<&Column> = self
                    .realm
                    .used(table)
                    .into_iter()
                    .filter(|other| discriminant(&other.kind) == discriminant(&column.kind))
                    .collect();
                let other = format!("{prefix}{}", self.dice.pick(&alike).property());
                format!("{name} {} {other}", self.operator(column))
            }
            _ => {
                let literal = self.literal(column);
                format!("{name} {} {literal}", self.operator(column))
            }
        }
    }

    fn operator(&mut self, column: &Column) -> &'static str {
        match column.kind {
            ColumnKind::Lookup { .. } | ColumnKind::Boolean { .. } => self.dice.pick(&["eq", "ne"]),
            _ => self.dice.pick(&["eq", "ne", "gt", "ge", "lt", "le"]),
        }
    }

    fn order(&mut self, table: &Table) -> String {
        let keys = (0..1 + self.dice.below(2)).map(|_| {
            let navigations = self.navigations(table);
            let (prefix, table) = match self.dice.one_in(3) && !navigations.is_empty() {
                true => {
                    let (navigation, target) = self.dice.pick(&navigations);
                    (format!("{navigation}/"), self.realm.schema.table(&target).unwrap())
                }
                false => (String::new(), table),
            };
            let column = self.dice.pick(&self.realm.used(table));
            format!("{prefix}{}{}", column.property(), self.dice.pick(&["", " desc"]))
        });
        keys.collect::<Vec<_>>().join(",")
    }

    fn select(&mut self, table: &Table) -> String {
        let names: Vec<String> = (0..3).map(|_| self.dice.pick(&self.realm.used(table)).property()).collect();
        names.join(",")
    }

    fn expand(&mut self, table: &Table, depth: usize) -> String {
        let (navigations, collections) = (self.navigations(table), self.collections(table));
        let single = self.dice.one_in(2) || collections.is_empty();
        if single && !navigations.is_empty() {
            let (navigation, target) = self.dice.pick(&navigations);
            let target = self.realm.schema.table(&target).unwrap();
            let mut options = format!("$select={}", self.select(target));
            if depth > 0 && self.dice.one_in(2) {
                options += &format!(";$expand={}", self.expand(target, depth - 1));
            }
            return format!("{navigation}({options})");
        }
        assert!(!collections.is_empty(), "{} has nothing to expand", table.logical_name);
        let (collection, target, _) = self.dice.pick(&collections);
        let target = self.realm.schema.table(&target).unwrap();
        let mut options = format!("$select={}", self.select(target));
        if self.dice.one_in(2) {
            options += &format!(";$filter={}", self.condition(target, "", 1, true));
        }
        if self.dice.one_in(2) {
            options += &format!(";$orderby={}", self.order(target));
        }
        if self.dice.one_in(3) {
            options += &format!(";$top={}", self.dice.below(4));
        }
        if self.dice.one_in(3) {
            options += ";$count=true";
        }
        if depth > 0 && self.dice.one_in(3) {
            options += &format!(";$expand={}", self.expand(target, depth - 1));
        }
        format!("{collection}({options})")
    }

    fn apply(&mut self, table: &Table) -> String {
        let mut aggregates = vec!["$count as n".to_owned()];
        for number in 0..self.dice.below(3) {
            let column = self.dice.pick(&self.realm.used(table));
            let functions: &[&str] = match column.kind {
                ColumnKind::Integer { .. }
                | ColumnKind::Money { .. }
                | ColumnKind::Decimal { .. }
                | ColumnKind::Double { .. } => &["sum", "average", "min", "max", "countdistinct"],
                ColumnKind::DateTime | ColumnKind::Date => &["min", "max", "countdistinct"],
                _ => &["countdistinct"],
            };
            let function = self.dice.pick(functions);
            aggregates.push(format!("{} with {function} as a{number}", column.property()));
        }
        let aggregates = aggregates.join(",");
        let filter = match self.dice.one_in(2) {
            true => format!("filter({})/", self.condition(table, "", 1, true)),
            false => String::new(),
        };
        if self.dice.one_in(5) {
            return format!("{filter}aggregate({aggregates})");
        }
        let keys = self.order(table).replace(" desc", "");
        format!("{filter}groupby(({keys}),aggregate({aggregates}))")
    }

    /// A path that begins at some row of a table and goes on through others, behind lookups and within collections: the
    /// path, the table it ends at, and whether it ends at a list.
    pub fn walk(&mut self, table: &'a Table) -> (String, &'a Table, bool) {
        let start = (self.realm.id)(&table.logical_name, self.dice.below(self.realm.rows_max));
        let (mut path, mut table) = (format!("{}({start})", table.set_name), table);
        let steps = 1 + self.dice.below(3);
        for step in 1..=steps {
            let (navigations, collections) = (self.navigations(table), self.collections(table));
            if self.dice.one_in(2) && !navigations.is_empty() {
                let (navigation, target) = self.dice.pick(&navigations);
                table = self.realm.schema.table(&target).unwrap();
                path = format!("{path}/{navigation}");
            } else if !collections.is_empty() {
                let (collection, target, _) = self.dice.pick(&collections);
                table = self.realm.schema.table(&target).unwrap();
                path = format!("{path}/{collection}");
                if step == steps && self.dice.one_in(2) {
                    return (path, table, true);
                }
                let child = (self.realm.id)(&target, self.dice.below(self.realm.rows_max));
                path = format!("{path}({child})");
            }
        }
        (path, table, false)
    }

    /// A property of a row, as the end of its path.
    pub fn property(&mut self, table: &Table) -> String {
        self.dice.pick(&self.realm.used(table)).property()
    }

    /// The options of a query on one row.
    pub fn row_options(&mut self, table: &Table) -> Vec<(String, String)> {
        let mut options = vec![("$select".to_owned(), self.select(table))];
        if self.dice.one_in(2) {
            options.push(("$expand".to_owned(), self.expand(table, 1)));
        }
        options
    }

    /// The options of one query on a table.
    pub fn options(&mut self, table: &Table) -> Vec<(String, String)> {
        let mut options = Vec::new();
        let mut option = |name: &str, value: String| options.push((name.to_owned(), value));
        if self.dice.one_in(5) {
            option("$apply", self.apply(table));
            return options;
        }
        option("$select", self.select(table));
        if !self.dice.one_in(4) {
            option("$filter", self.condition(table, "", 3, true));
        }
        if !self.dice.one_in(3) {
            option("$orderby", self.order(table));
        }
        if self.dice.one_in(3) {
            option("$top", self.dice.below(6).to_string());
        }
        if self.dice.one_in(3) {
            option("$count", "true".to_owned());
        }
        if self.dice.one_in(2) {
            option("$expand", self.expand(table, 2));
        }
        options
    }
}
