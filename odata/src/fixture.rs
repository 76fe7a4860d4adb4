//! A small schema for tests: every kind of column, lookups of every shape.

use crate::decimal::Decimal;
use crate::edm::{
    Column, ColumnKind, LookupTarget, ManyToMany, ManyToManyEnd, OnDelete, OptionItem, Required, Schema,
    StateOption, StatusOption, Table, TextFormat,
};
use uuid::Uuid;

/// Accounts, contacts, users, teams and a read-only table `pointer`.
pub(crate) fn schema() -> Schema {
    let decimal = |text: &str| Decimal::parse(text).unwrap();
    let money =
        || ColumnKind::Money { precision: 2, min: decimal("-1000000"), max: decimal("1000000000000") };
    let text = || ColumnKind::Text { length_max: 160, format: TextFormat::Text };
    let account = table(
        "account",
        "accounts",
        "accountid",
        vec![
            column("accountid", ColumnKind::Id),
            column("name", text()),
            column("description", ColumnKind::Memo { length_max: 2000 }),
            column("numberofemployees", ColumnKind::Integer { min: 0, max: i32::MAX }),
            column("versionnumber", ColumnKind::BigInt),
            column("revenue", money()),
            column("creditlimit", money()),
            column("rate", ColumnKind::Decimal { precision: 4, min: decimal("-10"), max: decimal("10") }),
            column("latitude", ColumnKind::Double { precision: 5, min: -90.0, max: 90.0 }),
            column(
                "donotphone",
                ColumnKind::Boolean {
                    label_false: "Allow".into(),
                    label_true: "Do Not Allow".into(),
                    default: false,
                },
            ),
            column("createdon", ColumnKind::DateTime),
            column("overriddencreatedon", ColumnKind::DateTime),
            column("modifiedon", ColumnKind::DateTime),
            column("foundedon", ColumnKind::Date),
            column(
                "industrycode",
                ColumnKind::Picklist {
                    options: vec![OptionItem { value: 1, label: "A".into() }],
                    default: None,
                },
            ),
            column(
                "statecode",
                ColumnKind::State {
                    options: vec![
                        StateOption { value: 0, label: "Active".into(), default_status: 1 },
                        StateOption { value: 1, label: "Inactive".into(), default_status: 2 },
                    ],
                },
            ),
            column(
                "statuscode",
                ColumnKind::Status {
                    options: vec![
                        StatusOption { value: 1, label: "Active".into(), state: 0 },
                        StatusOption { value: 2, label: "Inactive".into(), state: 1 },
                    ],
                },
            ),
            column(
                "colours",
                ColumnKind::MultiPicklist {
                    options: (1..=3).map(|value| OptionItem { value, label: format!("C{value}") }).collect(),
                },
            ),
            lookup("primarycontactid", &[("contact", "primarycontactid", "account_primary_contact")]),
            lookup("parentaccountid", &[("account", "parentaccountid", "account_parent_account")]),
            lookup(
                "ownerid",
                &[("systemuser", "ownerid", "owner_accounts"), ("team", "ownerid", "owner_accounts")],
            ),
        ],
    );
    let contact = table(
        "contact",
        "contacts",
        "contactid",
        vec![
            column("contactid", ColumnKind::Id),
            column("fullname", text()),
            column("lastname", text()),
            column("birthdate", ColumnKind::Date),
            column("creditlimit", money()),
            lookup(
                "parentcustomerid",
                &[
                    ("account", "parentcustomerid_account", "contact_customer_accounts"),
                    ("contact", "parentcustomerid_contact", "contact_customer_contacts"),
                ],
            ),
        ],
    );
    let user = table(
        "systemuser",
        "systemusers",
        "systemuserid",
        vec![
            column("systemuserid", ColumnKind::Id),
            column("fullname", text()),
            lookup("createdby", &[("systemuser", "createdby", "lk_systemuser_createdby")]),
            lookup("parentsystemuserid", &[("systemuser", "parentsystemuserid", "user_parent_user")]),
        ],
    );
    let team =
        table("team", "teams", "teamid", vec![column("teamid", ColumnKind::Id), column("name", text())]);
    let mut pointer = table(
        "pointer",
        "pointers",
        "activityid",
        vec![
            column("activityid", ColumnKind::Id),
            column("subject", text()),
            lookup("regardingobjectid", &[("account", "regardingobjectid_account", "account_pointers")]),
        ],
    );
    pointer.writable = false;
    let mut pairs = table(
        "accountteam",
        "accountteamset",
        "accountteamid",
        vec![
            column("accountteamid", ColumnKind::Id),
            column("accountid", ColumnKind::Guid),
            column("teamid", ColumnKind::Guid),
        ],
    );
    pairs.writable = false;
    pairs.intersect = true;
    let end = |table: &str, column: &str, navigation: &str| ManyToManyEnd {
        table: table.into(),
        column: column.into(),
        navigation: navigation.into(),
    };
    let many = ManyToMany {
        relationship: "accountteam_association".into(),
        intersect: "accountteam".into(),
        first: end("account", "accountid", "account_teams"),
        second: end("team", "teamid", "team_accounts"),
        ..ManyToMany::default()
    };
    let tables = vec![account, contact, user, team, pointer, pairs];
    Schema { tables, many_to_many: vec![many], ..Schema::default() }
}

/// The table `account` of [`schema`].
pub(crate) fn account() -> Table {
    schema().table("account").unwrap().clone()
}

fn table(logical_name: &str, set_name: &str, primary_id: &str, columns: Vec<Column>) -> Table {
    Table {
        logical_name: logical_name.into(),
        schema_name: logical_name.into(),
        set_name: set_name.into(),
        display_name: logical_name.into(),
        display_collection_name: set_name.into(),
        primary_id: primary_id.into(),
        primary_name: String::new(),
        type_code: 1,
        writable: true,
        owned: true,
        activity: false,
        change_tracking: true,
        metadata_id: Uuid::nil(),
        columns,
        ..Table::default()
    }
}

fn column(logical_name: &str, kind: ColumnKind) -> Column {
    let read_only = matches!(logical_name, "createdon" | "modifiedon" | "versionnumber");
    Column {
        logical_name: logical_name.into(),
        schema_name: logical_name.into(),
        display_name: logical_name.into(),
        valid_for_create: !read_only,
        valid_for_update: !read_only && kind != ColumnKind::Id && logical_name != "overriddencreatedon",
        kind,
        required: if logical_name == "ownerid" { Required::System } else { Required::None },
        metadata_id: Uuid::nil(),
        ..Column::default()
    }
}

fn lookup(logical_name: &str, targets: &[(&str, &str, &str)]) -> Column {
    let targets = targets.iter().map(|(table, navigation, collection)| LookupTarget {
        table: (*table).into(),
        navigation: (*navigation).into(),
        collection: (*collection).into(),
        relationship: (*collection).into(),
        on_delete: OnDelete::RemoveLink,
    });
    column(logical_name, ColumnKind::Lookup { targets: targets.collect() })
}
