use super::*;

const SCOPE: [&str; 5] = ["account", "contact", "task", "lead", "contactleads"];

fn scope() -> Vec<String> {
    SCOPE.map(str::to_owned).to_vec()
}

/// The server's schema as far as it is in scope, in the scope's order.
fn known() -> Schema {
    let all = flette_server::schema::schema();
    let read = SCOPE.iter().map(|name| ((*name).to_owned(), Some(described(&all, name))));
    together(&Schema::default(), &scope(), read.collect())
}

fn described(schema: &Schema, name: &str) -> Described {
    let of_it = |pairs: &&ManyToMany| participants(pairs).contains(&name);
    Described {
        table: schema.table(name).cloned().unwrap(),
        pairs: schema.many_to_many.iter().filter(of_it).cloned().collect(),
        shares_options: false,
    }
}

/// Nothing changed.
fn unchanged(schema: &Schema) -> DefinitionChanges {
    let keys =
        |table: &Table| (table.logical_name.clone(), table.keys.iter().map(|key| key.metadata_id).collect());
    DefinitionChanges {
        stamp: "s".to_owned(),
        keys: schema.tables.iter().map(keys).collect(),
        ..DefinitionChanges::default()
    }
}

#[derive(Default)]
struct Beside {
    left_out: LeftOut,
    shared_options: BTreeSet<String>,
    doubted: BTreeSet<String>,
}

fn read_of(schema: &Schema, beside: &Beside, changes: &DefinitionChanges) -> Reading {
    let Beside { left_out, shared_options, doubted } = beside;
    reading(&Known { schema, left_out, shared_options, doubted }, &scope(), changes)
}

fn only(names: &[&str]) -> Reading {
    Reading::Only(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn what_is_told_is_read_and_nothing_else() {
    let schema = known();
    let column = |table: &str, name: &str| schema.table(table).unwrap().column(name).unwrap().metadata_id;
    let id = |table: &str| schema.table(table).unwrap().metadata_id;
    let key = schema.table("account").unwrap().keys[0].metadata_id;
    let contact_leads =
        schema.many_to_many.iter().find(|pairs| pairs.intersect == "contactleads").unwrap().metadata_id;
    let named = |name: &str| (Some(name.to_owned()), None);
    let unknown = Uuid::from_u128(1);
    for (changed, gone, read) in [
        (vec![], vec![], only(&[])),
        (vec![named("contact")], vec![], only(&["contact"])),
        (vec![named("contact"), named("opportunity")], vec![], only(&["contact"])),
        (vec![(None, Some(id("task")))], vec![], only(&["task"])),
        (vec![(None, Some(unknown))], vec![], Reading::All),
        (vec![(None, None)], vec![], Reading::All),
        (vec![], vec![("Attribute", column("lead", "subject"))], only(&["lead"])),
        (vec![], vec![("Attribute", unknown)], only(&[])),
        (vec![], vec![("Entity", unknown)], only(&[])),
        (vec![], vec![("Default", id("task"))], only(&["task"])),
        (vec![named("lead")], vec![("Key", key)], only(&["account", "lead"])),
        (vec![], vec![("Relationship", contact_leads)], only(&["contact", "contactleads", "lead"])),
        (vec![], vec![("Relationship", unknown)], Reading::All),
        (vec![], vec![("OptionSet", unknown)], Reading::All),
        (vec![], vec![("Something", unknown)], Reading::All),
    ] {
        let gone: Vec<(String, Uuid)> = gone.into_iter().map(|(kind, id)| (kind.to_owned(), id)).collect();
        let changes = DefinitionChanges { changed, gone, ..unchanged(&schema) };
        assert_eq!(read_of(&schema, &Beside::default(), &changes), read, "{changes:?}");
    }
}

#[test]
fn what_is_not_known_whole_is_read_whatever_is_told() {
    let mut schema = known();
    let all = unchanged(&schema);
    let one = |name: &str| BTreeSet::from([name.to_owned()]);
    let mut left_out = LeftOut::default();
    left_out.add("contact", schema.table("contact").unwrap().column("fax").unwrap());
    let left_out = Beside { left_out, ..Beside::default() };
    assert_eq!(read_of(&schema, &left_out, &all), only(&["contact"]));
    let shared = Beside { shared_options: one("lead"), doubted: one("task"), ..Beside::default() };
    assert_eq!(read_of(&schema, &shared, &all), only(&["lead", "task"]));
    // Nobody says that a key is gone.
    let mut fewer = all.clone();
    fewer.keys.get_mut("account").unwrap().clear();
    assert_eq!(read_of(&schema, &Beside::default(), &fewer), only(&["account"]));
    fewer.keys.remove("account");
    assert_eq!(read_of(&schema, &Beside::default(), &fewer), only(&["account"]));
    assert_eq!(keyed(&schema, &scope()), ["account"]);
    schema.tables.retain(|table| table.logical_name != "lead");
    assert_eq!(read_of(&schema, &Beside::default(), &all), only(&["lead"]));
}

/// Whatever of it is read anew.
#[test]
fn the_schema_is_as_if_all_of_it_had_been_read() {
    let (all, before) = (flette_server::schema::schema(), known());
    for bits in 0..1_u32 << SCOPE.len() {
        let chosen = SCOPE.iter().enumerate().filter(|(place, _)| bits >> place & 1 == 1);
        let read = chosen.map(|(_, name)| ((*name).to_owned(), Some(described(&all, name))));
        assert_eq!(together(&before, &scope(), read.collect()), before, "{bits:b}");
    }
}

#[test]
fn pairs_go_and_come_with_either_of_their_tables() {
    let (mut all, before) = (flette_server::schema::schema(), known());
    let read = |all: &Schema, names: &[&str]| {
        let read = names.iter().map(|name| ((*name).to_owned(), Some(described(all, name))));
        together(&before, &scope(), read.collect())
    };
    let has = |schema: &Schema| schema.many_to_many.iter().any(|pairs| pairs.intersect == "contactleads");
    assert!(has(&before));
    all.many_to_many.retain(|pairs| pairs.intersect != "contactleads");
    assert!(!has(&read(&all, &["contact"])) && !has(&read(&all, &["lead"])));
    // That the table of the pairs says nothing of them means nothing.
    assert!(has(&read(&all, &["contactleads"])) && has(&read(&all, &["task"])));
    let mut more = flette_server::schema::schema();
    let (first, second) = (more.many_to_many[0].first.clone(), more.many_to_many[0].second.clone());
    let made = ManyToMany {
        relationship: "new_pairs".to_owned(),
        intersect: "new_pairs".to_owned(),
        first: flette_odata::edm::ManyToManyEnd { table: "task".to_owned(), ..first },
        second: flette_odata::edm::ManyToManyEnd { table: "account".to_owned(), ..second },
        ..ManyToMany::default()
    };
    more.many_to_many.push(made.clone());
    for end in ["task", "account"] {
        assert!(read(&more, &[end]).many_to_many.contains(&made), "{end}");
    }
}

#[test]
fn a_table_that_the_server_does_not_describe_is_not_in_the_schema() {
    let before = known();
    let schema = together(&before, &scope(), [("lead".to_owned(), None)].into());
    assert!(schema.table("lead").is_none() && schema.tables.len() == SCOPE.len() - 1);
}
