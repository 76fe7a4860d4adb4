//! Who may what: roles with a level per table and verb, column security, and the pairs that give them to users and
//! teams.
//!
//! Dataverse keeps one row per privilege (`prvReadAccount`); here table `roleprivilege` has one row per role and table,
//! with a column per verb, so that a role can be read and written by the Web API in a few rows.

use super::builder::{Ownership, TableBuilder};
use super::common::stamps;
use super::id_of;
use flette_odata::edm::OnDelete::{Cascade, Restrict};
use flette_odata::edm::{ColumnKind, ManyToMany, ManyToManyEnd, Required, Table};

/// Levels of a right, as Dataverse's depth masks number them.
const LEVELS: &[(i32, &str)] = &[
    (0, "None"),
    (1, "User"),
    (2, "Business Unit"),
    (4, "Parent: Child Business Units"),
    (8, "Organization"),
];

/// Verbs that a right is for: the columns of `roleprivilege`.
const VERBS: [(&str, &str); 8] = [
    ("CreateLevel", "Create"),
    ("ReadLevel", "Read"),
    ("WriteLevel", "Write"),
    ("DeleteLevel", "Delete"),
    ("AppendLevel", "Append"),
    ("AppendToLevel", "Append To"),
    ("AssignLevel", "Assign"),
    ("ShareLevel", "Share"),
];

/// Table `role`.
pub(super) fn role() -> Table {
    let names = ("Role", "Security Role", "Security Roles");
    let builder = TableBuilder::new(names, "roles", 1036, Ownership::Organization)
        .id(("RoleId", "Role"))
        .text(("Name", "Name"), 100)
        .primary_name()
        .required(Required::System)
        .memo(("Description", "Description"), 2000)
        .lookup(
            ("BusinessUnitId", "Business Unit"),
            &[("businessunit", "businessunitid", "business_unit_roles", Restrict)],
        )
        .required(Required::System)
        .lookup(("ParentRoleId", "Parent Role"), &[("role", "parentroleid", "role_parent_role", Cascade)])
        .read_only()
        .guid(("RoleTemplateId", "Role Template ID"))
        .read_only();
    stamps(builder, "role").build()
}

/// Table `roleprivilege`: the levels of one role on one table.
pub(super) fn role_privilege() -> Table {
    let names = ("RolePrivilege", "Role Privilege", "Role Privileges");
    let mut builder = TableBuilder::new(names, "roleprivileges", 11, Ownership::Organization)
        .id(("RolePrivilegeId", "Role Privilege"))
        .lookup(("RoleId", "Role"), &[("role", "roleid", "role_roleprivileges", Cascade)])
        .required(Required::System)
        .text(("ObjectTypeCode", "Table"), 128)
        .primary_name()
        .required(Required::System);
    for verb in VERBS {
        builder = builder.options(verb, LEVELS, Some(0));
    }
    stamps(builder, "roleprivilege")
        .key(("RolePrivilege_Key", "Role and table"), &["roleid", "objecttypecode"])
        .build()
}

/// Table `fieldsecurityprofile`: who holds one may do with secured columns what its `fieldpermission` rows say.
pub(super) fn field_security_profile() -> Table {
    let names = ("FieldSecurityProfile", "Column Security Profile", "Column Security Profiles");
    let builder = TableBuilder::new(names, "fieldsecurityprofiles", 1200, Ownership::Organization)
        .id(("FieldSecurityProfileId", "Column Security Profile"))
        .text(("Name", "Name"), 100)
        .primary_name()
        .required(Required::System)
        .memo(("Description", "Description"), 2000);
    stamps(builder, "fieldsecurityprofile").build()
}

/// Table `fieldpermission`: what a profile allows with one secured column.
pub(super) fn field_permission() -> Table {
    let allowed: &[(i32, &str)] = &[(0, "Not Allowed"), (4, "Allowed")];
    let names = ("FieldPermission", "Column Permission", "Column Permissions");
    let builder = TableBuilder::new(names, "fieldpermissions", 1201, Ownership::Organization)
        .id(("FieldPermissionId", "Column Permission"))
        .lookup(
            ("FieldSecurityProfileId", "Profile"),
            &[(
                "fieldsecurityprofile",
                "fieldsecurityprofileid",
                "lk_fieldpermission_fieldsecurityprofileid",
                Cascade,
            )],
        )
        .required(Required::System)
        .text(("EntityName", "Table"), 128)
        .required(Required::System)
        .text(("AttributeLogicalName", "Column"), 128)
        .primary_name()
        .required(Required::System)
        .options(("CanRead", "Can Read"), allowed, Some(0))
        .options(("CanCreate", "Can Create"), allowed, Some(0))
        .options(("CanUpdate", "Can Update"), allowed, Some(0));
    stamps(builder, "fieldpermission")
        .key(
            ("FieldPermission_Key", "Profile and column"),
            &["fieldsecurityprofileid", "entityname", "attributelogicalname"],
        )
        .build()
}

/// A relationship of many to many: its name, the intersect table's schema name, set name and type code, and for each
/// end the table and the column.
struct Pairs {
    relationship: &'static str,
    intersect: (&'static str, &'static str, i32),
    first: (&'static str, &'static str),
    second: (&'static str, &'static str),
}

const PAIRS: [Pairs; 7] = [
    Pairs {
        relationship: "teammembership_association",
        intersect: ("TeamMembership", "teammemberships", 23),
        first: ("systemuser", "SystemUserId"),
        second: ("team", "TeamId"),
    },
    Pairs {
        relationship: "systemuserroles_association",
        intersect: ("SystemUserRoles", "systemuserrolescollection", 15),
        first: ("systemuser", "SystemUserId"),
        second: ("role", "RoleId"),
    },
    Pairs {
        relationship: "teamroles_association",
        intersect: ("TeamRoles", "teamrolescollection", 40),
        first: ("team", "TeamId"),
        second: ("role", "RoleId"),
    },
    Pairs {
        relationship: "systemuserprofiles_association",
        intersect: ("SystemUserProfiles", "systemuserprofilescollection", 1202),
        first: ("systemuser", "SystemUserId"),
        second: ("fieldsecurityprofile", "FieldSecurityProfileId"),
    },
    Pairs {
        relationship: "teamprofiles_association",
        intersect: ("TeamProfiles", "teamprofilescollection", 1203),
        first: ("team", "TeamId"),
        second: ("fieldsecurityprofile", "FieldSecurityProfileId"),
    },
    Pairs {
        relationship: "accountleads_association",
        intersect: ("AccountLeads", "accountleadscollection", 16),
        first: ("account", "AccountId"),
        second: ("lead", "LeadId"),
    },
    Pairs {
        relationship: "contactleads_association",
        intersect: ("ContactLeads", "contactleadscollection", 22),
        first: ("contact", "ContactId"),
        second: ("lead", "LeadId"),
    },
];

/// The relationships of many to many, each with its intersect table.
pub(super) fn many_to_many() -> Vec<(ManyToMany, Table)> {
    PAIRS
        .iter()
        .map(|pairs| {
            let (schema_name, set_name, type_code) = pairs.intersect;
            let end = |(table, column): (&str, &str)| ManyToManyEnd {
                table: table.to_owned(),
                column: column.to_lowercase(),
                navigation: pairs.relationship.to_owned(),
            };
            let relationship = ManyToMany {
                relationship: pairs.relationship.to_owned(),
                intersect: schema_name.to_lowercase(),
                first: end(pairs.first),
                second: end(pairs.second),
                metadata_id: id_of(&format!("relationship/{}", pairs.relationship)),
                custom: false,
            };
            let columns = [pairs.first.1, pairs.second.1];
            (relationship, intersect((schema_name, set_name, type_code), columns))
        })
        .collect()
}

/// An intersect table. `names`: schema name, set name, type code; `columns`: schema names of the two ids.
pub(super) fn intersect(names: (&str, &str, i32), columns: [&str; 2]) -> Table {
    let (schema_name, set_name, type_code) = names;
    let builder =
        TableBuilder::new((schema_name, schema_name, schema_name), set_name, type_code, Ownership::ReadOnly)
            .id((&format!("{schema_name}Id"), schema_name))
            .guid((columns[0], columns[0]))
            .required(Required::System)
            .guid((columns[1], columns[1]))
            .required(Required::System)
            .column(("VersionNumber", "Version Number"), ColumnKind::BigInt);
    let mut table = builder.build();
    table.intersect = true;
    table
}
