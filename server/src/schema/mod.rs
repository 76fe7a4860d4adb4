//! The server's schema as data: tables with their standard columns, types, lengths, options, states and
//! relationships. Everything else (SQL tables, metadata, checks) is derived from it. Ids of definitions are
//! computed from names, so that they are the same on every server and after every restart.

mod account;
mod activity;
mod builder;
mod common;
mod contact;
pub mod custom;
mod customization;
mod note;
mod sales;
mod security;
mod system;

use flette_odata::Schema;
use uuid::Uuid;

/// Name space of every id that is computed from a name.
const IDS: Uuid = Uuid::from_u128(0x6a7d_b4b2_7a0c_4c2e_9a53_f1e7_7e00_0001);

/// The id that belongs to a name, the same everywhere (UUID version 5).
pub fn id_of(name: &str) -> Uuid {
    Uuid::new_v5(&IDS, name.as_bytes())
}

/// All standard tables and relationships: what a new database starts with.
pub fn schema() -> Schema {
    let (many_to_many, intersects): (Vec<_>, Vec<_>) = security::many_to_many().into_iter().unzip();
    let mut tables = vec![
        system::business_unit(),
        system::system_user(),
        system::team(),
        system::transaction_currency(),
        account::table(),
        contact::table(),
        sales::lead(),
        sales::opportunity(),
        activity::task(),
        activity::appointment(),
        activity::email(),
        activity::phone_call(),
        activity::pointer(),
        activity::party(),
        note::table(),
        customization::saved_query(),
        customization::user_query(),
        customization::system_form(),
        customization::sync_error(),
        security::role(),
        security::role_privilege(),
        security::field_security_profile(),
        security::field_permission(),
    ];
    tables.extend(intersects);
    Schema { tables, many_to_many, ..Schema::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flette_odata::ColumnKind;
    use std::collections::BTreeSet;

    #[test]
    fn every_lookup_points_to_a_table_that_exists() {
        let schema = schema();
        for table in &schema.tables {
            for column in &table.columns {
                if let ColumnKind::Lookup { targets } = &column.kind {
                    assert!(!targets.is_empty(), "{}", column.logical_name);
                    for target in targets {
                        assert!(schema.table(&target.table).is_some(), "{}", target.table);
                    }
                }
            }
        }
    }

    #[test]
    fn names_and_ids_are_unique_and_states_fit_their_status() {
        let schema = schema();
        let mut ids = BTreeSet::new();
        let mut relationships = BTreeSet::new();
        for table in &schema.tables {
            assert!(ids.insert(table.metadata_id));
            assert!(table.column(&table.primary_id).is_some());
            assert!(table.primary_name.is_empty() || table.column(&table.primary_name).is_some());
            let mut names = BTreeSet::new();
            for column in &table.columns {
                assert!(ids.insert(column.metadata_id), "{}", column.logical_name);
                assert!(names.insert(&column.logical_name), "{}", column.logical_name);
                assert_eq!(column.logical_name, column.schema_name.to_lowercase());
                if let ColumnKind::Lookup { targets } = &column.kind {
                    // Users and teams are the two faces of one owner.
                    for target in targets.iter().take(if column.logical_name == "ownerid" { 1 } else { 100 })
                    {
                        assert!(relationships.insert(target.relationship.clone()), "{}", target.relationship);
                    }
                }
            }
            let states = table.column("statecode").map(|c| c.kind.clone());
            let status = table.column("statuscode").map(|c| c.kind.clone());
            if let (Some(ColumnKind::State { options }), Some(ColumnKind::Status { options: status })) =
                (states, status)
            {
                for state in options {
                    assert!(status.iter().any(|s| s.state == state.value && s.value == state.default_status));
                }
            }
        }
    }
}
