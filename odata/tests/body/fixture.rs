//! A small CRM: two customers that point to each other, an activity with a polymorphic lookup, users and teams.

use flette_odata::edm::*;
use flette_odata::{Decimal, EntityRef, Uuid};

pub const ROOT: &str = "https://crm.example/api/data/v9.2/";
pub const A: &str = "a0000000-0000-4000-8000-000000000001";
pub const B: &str = "b0000000-0000-4000-8000-000000000002";

pub fn id(text: &str) -> Uuid {
    Uuid::parse_str(text).unwrap()
}

pub fn to(table: &str, text: &str) -> EntityRef {
    EntityRef { table: table.to_owned(), id: id(text) }
}

pub fn no_references(_: &str) -> Option<EntityRef> {
    None
}

fn number_of(text: &str) -> Uuid {
    let hash = text.bytes().fold(7u128, |h, b| h.wrapping_mul(0x0100_0000_01b3).wrapping_add(u128::from(b)));
    Uuid::from_u128(hash)
}

pub fn column(name: &str, kind: ColumnKind) -> Column {
    Column {
        logical_name: name.to_owned(),
        schema_name: name.to_uppercase(),
        display_name: format!("The \"{name}\""),
        kind,
        required: Required::None,
        valid_for_create: true,
        valid_for_update: true,
        metadata_id: number_of(name),
        ..Column::default()
    }
}

pub fn text(name: &str, length_max: u32) -> Column {
    column(name, ColumnKind::Text { length_max, format: TextFormat::Text })
}

fn read_only(mut column: Column) -> Column {
    (column.valid_for_create, column.valid_for_update) = (false, false);
    column
}

fn required(mut column: Column) -> Column {
    column.required = Required::System;
    column
}

pub fn lookup(name: &str, targets: &[(&str, &str)]) -> Column {
    let targets = targets.iter().map(|(table, navigation)| LookupTarget {
        table: (*table).to_owned(),
        navigation: (*navigation).to_owned(),
        collection: format!("{table}_{name}s"),
        relationship: format!("rel_{navigation}_{table}"),
        on_delete: OnDelete::RemoveLink,
    });
    column(name, ColumnKind::Lookup { targets: targets.collect() })
}

pub fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn state(options: &[(i32, i32, &str)]) -> Column {
    let options = options.iter().map(|(value, default_status, label)| StateOption {
        value: *value,
        label: (*label).to_owned(),
        default_status: *default_status,
    });
    column("statecode", ColumnKind::State { options: options.collect() })
}

fn status(options: &[(i32, i32)]) -> Column {
    let options = options.iter().map(|(value, state)| StatusOption {
        value: *value,
        label: format!("Status {value}"),
        state: *state,
    });
    column("statuscode", ColumnKind::Status { options: options.collect() })
}

fn table(
    logical_name: &str,
    set_name: &str,
    primary_id: &str,
    primary_name: &str,
    columns: Vec<Column>,
) -> Table {
    let mut all = vec![required(column(primary_id, ColumnKind::Id))];
    all[0].valid_for_update = false;
    all.extend(columns);
    for column in &mut all {
        if let ColumnKind::Lookup { targets } = &mut column.kind {
            // As for lookups that Dataverse gives no collection on the other side.
            targets.iter_mut().filter(|t| t.navigation == "createdby").for_each(|t| t.collection.clear());
            // Users and teams are the two faces of one owner.
            for target in targets.iter_mut().filter(|t| t.navigation == "ownerid") {
                target.relationship = format!("owner_{set_name}");
                target.collection.clone_from(&target.relationship);
            }
        }
    }
    Table {
        logical_name: logical_name.to_owned(),
        schema_name: logical_name.to_uppercase(),
        set_name: set_name.to_owned(),
        display_name: format!("{logical_name} & co"),
        display_collection_name: set_name.to_owned(),
        primary_id: primary_id.to_owned(),
        primary_name: primary_name.to_owned(),
        type_code: 1,
        writable: true,
        owned: true,
        activity: false,
        change_tracking: true,
        metadata_id: number_of(logical_name),
        columns: all,
        ..Table::default()
    }
}

fn common() -> Vec<Column> {
    let owners = [("systemuser", "ownerid"), ("team", "ownerid")];
    vec![
        read_only(column("createdon", ColumnKind::DateTime)),
        read_only(column("modifiedon", ColumnKind::DateTime)),
        read_only(lookup("createdby", &[("systemuser", "createdby")])),
        read_only(lookup("modifiedby", &[("systemuser", "modifiedby")])),
        required(lookup("ownerid", &owners)),
        read_only(lookup("owninguser", &[("systemuser", "owninguser")])),
        read_only(lookup("owningteam", &[("team", "owningteam")])),
        read_only(lookup("owningbusinessunit", &[("businessunit", "owningbusinessunit")])),
        required(read_only(column("versionnumber", ColumnKind::BigInt))),
    ]
}

pub fn schema() -> Schema {
    let mut account = vec![
        required(text("name", 10)),
        column("description", ColumnKind::Memo { length_max: 2000 }),
        column("numberofemployees", ColumnKind::Integer { min: 0, max: 1_000_000 }),
        column(
            "revenue",
            ColumnKind::Money { precision: 2, min: decimal("-1000000"), max: decimal("100000000000") },
        ),
        column(
            "exchangerate",
            ColumnKind::Decimal { precision: 10, min: decimal("0.0000000001"), max: decimal("100000000000") },
        ),
        column("address1_latitude", ColumnKind::Double { precision: 5, min: -90.0, max: 90.0 }),
        column(
            "creditonhold",
            ColumnKind::Boolean { label_false: "No".into(), label_true: "Yes".into(), default: false },
        ),
        column(
            "industrycode",
            ColumnKind::Picklist {
                options: vec![
                    OptionItem { value: 1, label: "Accounting".into() },
                    OptionItem { value: 2, label: "Farming <&>".into() },
                ],
                default: Some(2),
            },
        ),
        column("founded", ColumnKind::Date),
        column("lastonholdtime", ColumnKind::DateTime),
        column("biggest", ColumnKind::BigInt),
        lookup("primarycontactid", &[("contact", "primarycontactid")]),
        lookup("parentaccountid", &[("account", "parentaccountid")]),
        text("overriddenname", 10),
        column("overriddencreatedon", ColumnKind::DateTime),
        state(&[(0, 1, "Active"), (1, 2, "Inactive")]),
        status(&[(1, 0), (2, 1), (3, 0)]),
    ];
    account
        .iter_mut()
        .filter(|c| c.logical_name == "overriddenname")
        .for_each(|c| c.valid_for_update = false);
    account.extend(common());
    let mut contact = vec![
        text("firstname", 50),
        text("lastname", 50),
        read_only(text("fullname", 160)),
        text("address1_line1", 250),
        text("address1_city", 80),
        text("address1_stateorprovince", 50),
        text("address1_postalcode", 20),
        text("address1_country", 80),
        read_only(column("address1_composite", ColumnKind::Memo { length_max: 1000 })),
        lookup(
            "parentcustomerid",
            &[("account", "parentcustomerid_account"), ("contact", "parentcustomerid_contact")],
        ),
        state(&[(0, 1, "Active"), (1, 2, "Inactive")]),
        status(&[(1, 0), (2, 1)]),
    ];
    contact.extend(common());
    let mut task = vec![
        text("subject", 200),
        text("activitytypecode", 64),
        lookup(
            "regardingobjectid",
            &[("account", "regardingobjectid_account_task"), ("contact", "regardingobjectid_contact_task")],
        ),
        state(&[(0, 2, "Open"), (1, 5, "Completed"), (2, 6, "Canceled")]),
        status(&[(2, 0), (3, 0), (5, 1), (6, 2)]),
    ];
    task.extend(common());
    let mut tables = vec![
        table("account", "accounts", "accountid", "name", account),
        table("contact", "contacts", "contactid", "fullname", contact),
        table("task", "tasks", "activityid", "subject", task),
    ];
    tables[2].activity = true;
    for (name, set) in [("systemuser", "systemusers"), ("team", "teams"), ("businessunit", "businessunits")] {
        let mut one = table(name, set, &format!("{name}id"), "name", vec![text("name", 100)]);
        (one.owned, one.writable, one.change_tracking) = (false, false, false);
        tables.push(one);
    }
    Schema { tables, ..Schema::default() }
}
