use crate::fixture::{column, decimal, id, schema, ROOT};
use flette_odata::edm::*;
use flette_odata::metadata::*;
use flette_odata::path::{parse_url, Resource};
use flette_odata::{ODataError, Uuid};
use proptest::prelude::*;
use serde_json::{json, Value as Json};

/// Asks as a client does: by URL.
fn ask(schema: &Schema, url: &str) -> Result<Vec<u8>, ODataError> {
    let target = parse_url(&format!("{ROOT}{url}"), ROOT, schema)?;
    match target.resource {
        Resource::Definitions(path) => definitions(schema, &path, &target.options, ROOT),
        other => panic!("{url} means {other:?}"),
    }
}

fn json_of(url: &str) -> Json {
    serde_json::from_slice(&ask(&schema(), url).unwrap_or_else(|e| panic!("{url}: {e}"))).unwrap()
}

fn read_back(schema: &Schema, name: &str) -> Table {
    let answers: Vec<Vec<u8>> =
        definition_requests(name).iter().map(|url| ask(schema, url).unwrap()).collect();
    let table = parse_definition(&answers).unwrap();
    let reversed: Vec<Vec<u8>> = answers.into_iter().rev().collect();
    assert_eq!(parse_definition(&reversed).unwrap(), table, "the order of answers counts");
    table
}

#[test]
fn a_schema_is_read_back_as_it_was_written() {
    let schema = schema();
    let tables = schema.tables.iter().map(|t| read_back(&schema, &t.logical_name)).collect();
    assert_eq!(Schema { tables, ..Schema::default() }, schema);
}

#[test]
fn definitions_have_the_shapes_of_dataverse() {
    let account = json_of("EntityDefinitions(LogicalName='account')?$select=EntitySetName,DisplayName");
    assert_eq!(account["@odata.context"], format!("{ROOT}$metadata#EntityDefinitions/$entity"));
    assert_eq!(account["EntitySetName"], "accounts");
    assert_eq!(account["DisplayName"]["UserLocalizedLabel"]["Label"], "account & co");
    assert_eq!(account["DisplayName"]["LocalizedLabels"][0]["LanguageCode"], 1033);
    assert!(account["MetadataId"].is_string() && account.get("SchemaName").is_none());

    let industry = json_of(
        "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='industrycode')/\
         Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$select=LogicalName&$expand=OptionSet,GlobalOptionSet",
    );
    assert_eq!(industry["OptionSet"]["Options"][1]["Value"], 2);
    assert_eq!(industry["OptionSet"]["Options"][1]["Label"]["UserLocalizedLabel"]["Label"], "Farming <&>");
    assert_eq!(
        (&industry["GlobalOptionSet"], &industry["LogicalName"]),
        (&Json::Null, &json!("industrycode"))
    );

    let status = json_of(
        "EntityDefinitions(LogicalName='task')/Attributes/Microsoft.Dynamics.CRM.StatusAttributeMetadata?$expand=OptionSet",
    );
    assert_eq!(status["value"].as_array().unwrap().len(), 1);
    assert_eq!(status["value"][0]["OptionSet"]["Options"][2]["State"], 1);
    assert_eq!(status["value"][0]["AttributeTypeName"]["Value"], "StatusType");
    let level =
        &json_of("EntityDefinitions(LogicalName='account')/Attributes(LogicalName='name')")["RequiredLevel"];
    assert_eq!(level["Value"], "SystemRequired");

    let relationships = json_of("EntityDefinitions(LogicalName='task')/ManyToOneRelationships");
    let regarding = relationships["value"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["ReferencingEntityNavigationPropertyName"] == "regardingobjectid_account_task");
    let regarding = regarding.unwrap();
    assert_eq!(regarding["ReferencedEntity"], "account");
    assert_eq!(regarding["ReferencedAttribute"], "accountid");
    assert_eq!(regarding["CascadeConfiguration"]["Delete"], "RemoveLink");
    let other_end = json_of("EntityDefinitions(LogicalName='account')/OneToManyRelationships");
    assert!(other_end["value"].as_array().unwrap().contains(regarding));
    for part in ["ManyToManyRelationships", "Keys"] {
        assert_eq!(json_of(&format!("EntityDefinitions(LogicalName='account')/{part}"))["value"], json!([]));
    }
}

#[test]
fn lists_are_filtered() {
    let names = |url: &str| -> Vec<String> {
        let list = json_of(url);
        list["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["LogicalName"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = "EntityDefinitions?$select=LogicalName";
    assert_eq!(names(all).len(), 6);
    assert_eq!(
        names(&format!("{all}&$filter=ChangeTrackingEnabled eq true")),
        ["account", "contact", "task"]
    );
    assert_eq!(
        names(&format!("{all}&$filter=LogicalName eq 'task' or LogicalName eq 'team'")),
        ["task", "team"]
    );
    let owned =
        "OwnershipType eq Microsoft.Dynamics.CRM.OwnershipTypes'UserOwned' and LogicalName ne 'account'";
    assert_eq!(names(&format!("{all}&$filter={owned}")), ["contact", "task"]);
    let memo =
        "EntityDefinitions(LogicalName='account')/Attributes?$select=LogicalName&$filter=AttributeType eq \
                Microsoft.Dynamics.CRM.AttributeTypeCode'Memo'";
    assert_eq!(names(memo), ["description"]);
    let schema = schema();
    let by_id = format!("EntityDefinitions({})?$select=LogicalName", schema.tables[2].metadata_id);
    assert_eq!(json_of(&by_id)["LogicalName"], "task");
    let expanded =
        json_of(&format!("{all}&$filter=LogicalName eq 'task'&$expand=Attributes($select=LogicalName)"));
    assert!(expanded["value"][0]["Attributes"].as_array().unwrap().len() > 5);
    assert!(expanded["value"][0]["Attributes"][0].get("SchemaName").is_none());
}

#[test]
fn what_is_not_there_or_not_served_is_an_error() {
    let entity = "EntityDefinitions(LogicalName='account')";
    let cases = [
        ("EntityDefinitions(LogicalName='nosuch')".to_owned(), 404),
        (format!("EntityDefinitions({})", Uuid::nil()), 404),
        (format!("{entity}/Attributes(LogicalName='nosuch')"), 404),
        (
            format!(
                "{entity}/Attributes(LogicalName='name')/Microsoft.Dynamics.CRM.PicklistAttributeMetadata"
            ),
            404,
        ),
        (format!("{entity}?$expand=Nothing"), 501),
        (format!("{entity}?$expand=Attributes($select=LogicalName;$top=1)"), 501),
        (format!("{entity}?$expand=Attributes($expand=OptionSet($expand=X($expand=Y)))"), 400),
        (format!("{entity}?$expand=Attributes(("), 400),
        (format!("{entity}?$expand=Attributes)"), 400),
        (format!("{entity}/Attributes?$expand=OptionSet"), 501),
        ("EntityDefinitions?$filter=Nothing eq 1".to_owned(), 400),
        ("EntityDefinitions?$filter=LogicalName".to_owned(), 400),
        ("EntityDefinitions?$filter=LogicalName eq 'x".to_owned(), 400),
        ("EntityDefinitions?$filter=ObjectTypeCode add 1".to_owned(), 501),
        ("EntityDefinitions?$filter=length(LogicalName) eq 1".to_owned(), 501),
        ("EntityDefinitions?$filter=A eq 1 and B eq 2 or C eq 3".to_owned(), 400),
        ("EntityDefinitions?$filter=CanCreateAttributes/Nothing eq true".to_owned(), 400),
        ("EntityDefinitions?$filter=LogicalName/Value eq true".to_owned(), 400),
        ("EntityDefinitions?$filter=(LogicalName eq 'x'".to_owned(), 400),
        ("EntityDefinitions?$filter=LogicalName eq x y".to_owned(), 400),
        ("EntityDefinitions?$filter=contains(LogicalName)".to_owned(), 400),
        ("RelationshipDefinitions(SchemaName='nosuch')".to_owned(), 404),
        ("GlobalOptionSetDefinitions(Name='nosuch')".to_owned(), 404),
        (format!("{entity}/Keys(LogicalName='nosuch')"), 404),
        (format!("{entity}/ManyToOneRelationships(SchemaName='nosuch')"), 404),
        (
            format!(
                "{entity}/Attributes(LogicalName='name')/Microsoft.Dynamics.CRM.StringAttributeMetadata/OptionSet"
            ),
            404,
        ),
        ("EntityDefinitions?$orderby=LogicalName".to_owned(), 501),
    ];
    for (url, status) in cases {
        assert_eq!(ask(&schema(), &url).expect_err(&url).status, status, "{url}");
    }
}

/// What a real service answers, cut down: unknown types, companions, an owner that leads to `owner`, global choices.
#[test]
fn a_real_service_knows_more_than_this_crate() {
    let label = |text: &str| json!({"LocalizedLabels": [], "UserLocalizedLabel": {"Label": text, "LanguageCode": 1033}});
    let attribute = |number: i32, name: &str, kind: &str| {
        json!({"@odata.type": "#x", "MetadataId": Uuid::from_u128(9), "LogicalName": name, "AttributeType": kind,
               "SchemaName": name, "ColumnNumber": number, "AttributeOf": null, "IsValidForRead": true,
               "IsValidForCreate": true, "IsValidForUpdate": true, "DisplayName": label(name),
               "RequiredLevel": {"Value": "None", "CanBeChanged": true, "ManagedPropertyLogicalName": "x"}})
    };
    let mut companion = attribute(5, "owneridname", "String");
    companion["AttributeOf"] = json!("ownerid");
    let mut hidden = attribute(6, "hidden", "String");
    hidden["IsValidForRead"] = json!(false);
    let entity = json!({
        "@odata.context": "x", "LogicalName": "lead", "SchemaName": "Lead", "EntitySetName": "leads",
        "DisplayName": label("Lead"), "DisplayCollectionName": {"LocalizedLabels": [], "UserLocalizedLabel": null},
        "PrimaryIdAttribute": "leadid", "PrimaryNameAttribute": null, "ObjectTypeCode": 4,
        "OwnershipType": "UserOwned", "IsActivity": false, "ChangeTrackingEnabled": true, "MetadataId": Uuid::from_u128(4),
        "Attributes": [attribute(3, "ownerid", "Owner"), attribute(1, "leadid", "Uniqueidentifier"),
            attribute(4, "to", "PartyList"), attribute(7, "image", "Virtual"), companion, hidden,
            attribute(2, "leadsourcecode", "Picklist"), attribute(8, "revenue", "Money"), attribute(9, "name", "String")],
        "ManyToOneRelationships": [{"SchemaName": "owner_leads", "ReferencedEntity": "owner", "ReferencingAttribute":
            "ownerid", "ReferencingEntityNavigationPropertyName": "ownerid", "ReferencedEntityNavigationPropertyName":
            "owner_leads", "CascadeConfiguration": {"Delete": "NoCascade", "Assign": "NoCascade"}}]
    });
    let lookup = json!({"@odata.context": "x", "value": [{"LogicalName": "ownerid", "Targets": ["systemuser", "team"]}]});
    let choice = json!({"value": [{"LogicalName": "leadsourcecode", "DefaultFormValue": -1, "OptionSet": null,
        "GlobalOptionSet": {"Options": [{"Value": 1, "Label": {"LocalizedLabels": [{"Label": "Web"}]}, "Color": "#fff"}]}}]});
    let answers =
        [lookup, entity, choice, json!({"value": []})].map(|answer| answer.to_string().into_bytes());
    let table = parse_definition(&answers).unwrap();
    let names: Vec<&str> = table.columns.iter().map(|c| c.logical_name.as_str()).collect();
    assert_eq!(names, ["leadid", "leadsourcecode", "ownerid", "revenue", "name"]);
    assert_eq!((table.primary_name.as_str(), table.writable, table.owned), ("", true, true));
    assert_eq!(table.display_collection_name, "Lead");
    let (_, targets) = table.navigation("ownerid").unwrap();
    assert_eq!(targets.iter().map(|t| t.table.as_str()).collect::<Vec<_>>(), ["systemuser", "team"]);
    let web = OptionItem { value: 1, label: "Web".into() };
    assert_eq!(table.columns[1].kind, ColumnKind::Picklist { options: vec![web], default: None });
    assert!(matches!(table.columns[4].kind, ColumnKind::Text { length_max: 4000, .. }));
}

#[test]
fn keys_and_pairs_come_with_their_table() {
    let mut schema = schema();
    let key = AlternateKey {
        name: "new_number".into(),
        schema_name: "new_Number".into(),
        display_name: "By number".into(),
        columns: vec!["name".into(), "industrycode".into()],
        metadata_id: id("00000000-0000-4000-8000-000000000900"),
    };
    let end = |table: &str, column: &str, navigation: &str| ManyToManyEnd {
        table: table.into(),
        column: column.into(),
        navigation: navigation.into(),
    };
    let pairs = ManyToMany {
        relationship: "accounttasks_association".into(),
        intersect: "accounttasks".into(),
        first: end("account", "accountid", "accounttasks_association"),
        second: end("task", "activityid", "accounttasks_association"),
        metadata_id: id("00000000-0000-4000-8000-000000000901"),
        custom: true,
    };
    schema.tables.iter_mut().find(|t| t.logical_name == "account").unwrap().keys.push(key.clone());
    schema.many_to_many.push(pairs.clone());
    assert_eq!(read_back(&schema, "account").keys, [key]);
    for name in ["account", "task"] {
        let answers: Vec<Vec<u8>> =
            definition_requests(name).iter().map(|url| ask(&schema, url).unwrap()).collect();
        assert_eq!(parse_pairs(&answers), std::slice::from_ref(&pairs), "{name}");
    }
    assert_eq!(parse_pairs(&[b"<html>".to_vec()]), []);
}

#[test]
fn answers_that_are_none_are_refused() {
    let entity = ask(&schema(), &definition_requests("task")[0]).unwrap();
    let cases: [&[Vec<u8>]; 6] = [
        &[],
        &[b"<html>".to_vec()],
        &[br#"{"error":{"code":"","message":"x"}}"#.to_vec()],
        &[br#"{"value":[]}"#.to_vec()],
        &[entity[..entity.len() / 2].to_vec()],
        &[br#"{"LogicalName":"x","EntitySetName":"xs","PrimaryIdAttribute":"xid","MetadataId":"no"}"#
            .to_vec()],
    ];
    for answers in cases {
        assert_eq!(parse_definition(answers).unwrap_err().status, 502);
    }
}

#[test]
fn requests_hold_nothing_but_a_logical_name() {
    for url in definition_requests("a'b/c?d=e&f g") {
        assert!(url.starts_with("EntityDefinitions(LogicalName='abcdefg')"), "{url}");
    }
}

#[test]
fn the_service_document_and_csdl_name_every_set() {
    let schema = schema();
    let document: Json = serde_json::from_slice(&service_document(&schema, ROOT)).unwrap();
    assert_eq!(document["@odata.context"], format!("{ROOT}$metadata"));
    assert_eq!(document["value"][0], json!({"name": "accounts", "kind": "EntitySet", "url": "accounts"}));
    let xml = String::from_utf8(metadata_xml(&schema)).unwrap();
    for part in [
        "<EntityType Name=\"account\" BaseType=\"mscrm.crmbaseentity\"><Key><PropertyRef Name=\"accountid\"/></Key>\
         <Property Name=\"accountid\" Type=\"Edm.Guid\" Nullable=\"false\"/>",
        "<Property Name=\"_parentcustomerid_value\" Type=\"Edm.Guid\"/>",
        "<NavigationProperty Name=\"parentcustomerid_account\" Type=\"mscrm.account\" \
         Partner=\"account_parentcustomerids\"><ReferentialConstraint Property=\"_parentcustomerid_value\" ReferencedProperty=\"accountid\"/></NavigationProperty>",
        "<NavigationProperty Name=\"ownerid\" Type=\"mscrm.principal\">",
        "<NavigationProperty Name=\"account_regardingobjectids\" Type=\"Collection(mscrm.task)\" \
         Partner=\"regardingobjectid_account_task\"/>",
        "<EntitySet Name=\"tasks\" EntityType=\"Microsoft.Dynamics.CRM.task\">",
    ] {
        assert!(xml.contains(part), "{part}\n{xml}");
    }
    assert!(!xml.contains("Name=\"\""));
    let opened = xml.matches('<').count() - xml.matches("</").count() - xml.matches("<?").count();
    assert_eq!(opened, xml.matches("/>").count() + xml.matches("</").count(), "tags do not balance");
}

fn any_kind() -> impl Strategy<Value = ColumnKind> {
    let label = "\\PC{0,12}";
    let format =
        prop::sample::select(vec![TextFormat::Text, TextFormat::Email, TextFormat::Phone, TextFormat::Url]);
    let number =
        || (any::<i64>(), 0u8..=10).prop_map(|(m, s)| flette_odata::Decimal::new(i128::from(m), s).unwrap());
    let finite = || any::<f64>().prop_filter("finite", |d| d.is_finite());
    let options = prop::collection::btree_map(0i32..1_000_000_000, label, 0..4);
    let targets =
        prop::collection::btree_map("[a-z]{1,8}", ("[A-Za-z_]{1,12}", "[A-Za-z_]{0,12}", 0usize..4), 0..3);
    let deletes = [OnDelete::Cascade, OnDelete::RemoveLink, OnDelete::Restrict, OnDelete::NoCascade];
    prop_oneof![
        Just(ColumnKind::BigInt),
        Just(ColumnKind::DateTime),
        Just(ColumnKind::Date),
        Just(ColumnKind::Guid),
        (any::<u32>(), format).prop_map(|(length_max, format)| ColumnKind::Text { length_max, format }),
        any::<u32>().prop_map(|length_max| ColumnKind::Memo { length_max }),
        any::<(i32, i32)>().prop_map(|(min, max)| ColumnKind::Integer { min, max }),
        (0u8..=10, number(), number()).prop_map(|(precision, min, max)| ColumnKind::Decimal {
            precision,
            min,
            max
        }),
        (0u8..=4, number(), number()).prop_map(|(precision, min, max)| ColumnKind::Money {
            precision,
            min,
            max
        }),
        (0u8..=5, finite(), finite()).prop_map(|(precision, min, max)| ColumnKind::Double {
            precision,
            min,
            max
        }),
        (label, label, any::<bool>()).prop_map(|(label_false, label_true, default)| ColumnKind::Boolean {
            label_false,
            label_true,
            default
        }),
        (options.clone(), any::<prop::sample::Index>()).prop_map(|(options, at)| {
            let default = options.keys().nth(at.index(4)).copied();
            let options = options.into_iter().map(|(value, label)| OptionItem { value, label }).collect();
            ColumnKind::Picklist { options, default }
        }),
        options.clone().prop_map(|options| ColumnKind::MultiPicklist {
            options: options.into_iter().map(|(value, label)| OptionItem { value, label }).collect()
        }),
        (options.clone(), any::<i32>()).prop_map(|(options, default_status)| ColumnKind::State {
            options: options
                .into_iter()
                .map(|(value, label)| StateOption { value, label, default_status })
                .collect()
        }),
        (options, any::<i32>()).prop_map(|(options, state)| ColumnKind::Status {
            options: options.into_iter().map(|(value, label)| StatusOption { value, label, state }).collect()
        }),
        targets.prop_map(move |targets| ColumnKind::Lookup {
            targets: targets
                .into_iter()
                .map(|(table, (navigation, collection, delete))| LookupTarget {
                    relationship: format!("{navigation}_{table}"),
                    table,
                    navigation,
                    collection,
                    on_delete: deletes[delete],
                })
                .collect()
        }),
    ]
}

fn any_table() -> impl Strategy<Value = Table> {
    let required = vec![Required::None, Required::Recommended, Required::Application, Required::System];
    let one = (any_kind(), "\\PC{0,12}", prop::sample::select(required), any::<([bool; 4], u128)>());
    let columns = prop::collection::btree_map("[a-z][a-z0-9_]{0,10}", one, 0..12);
    (columns, any::<[bool; 7]>(), "\\PC{0,20}", any::<i32>()).prop_map(
        |(columns, flags, display, type_code)| {
            let mut all = vec![column("keyid", ColumnKind::Id)];
            for (
                name,
                (
                    kind,
                    display_name,
                    required,
                    ([valid_for_create, valid_for_update, custom, secured], number),
                ),
            ) in columns
            {
                let metadata_id = Uuid::from_u128(number);
                let made = column(&name, kind);
                all.push(Column {
                    display_name,
                    required,
                    valid_for_create,
                    valid_for_update,
                    metadata_id,
                    custom,
                    secured,
                    ..made
                });
            }
            let mut table = schema().tables.remove(0);
            table.columns = all;
            (table.primary_id, table.primary_name) = ("keyid".to_owned(), String::new());
            [
                table.writable,
                table.owned,
                table.activity,
                table.change_tracking,
                table.custom,
                table.intersect,
                _,
            ] = flags;
            (table.has_notes, table.has_activities) = (flags[6], flags[0]);
            (table.display_collection_name, table.type_code) = (display, type_code);
            table
        },
    )
}

proptest! {
    #[test]
    fn any_table_is_read_back_as_it_was_written(table in any_table()) {
        let schema = Schema { tables: vec![table], ..Schema::default() };
        prop_assert_eq!(&read_back(&schema, "account"), &schema.tables[0]);
        let _ = metadata_xml(&schema);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, cut in 0usize..5000) {
        let entity = ask(&schema(), &definition_requests("task")[0]).unwrap();
        let _ = parse_definition(&[bytes]);
        prop_assert!(parse_definition(&[entity[..cut.min(entity.len() - 1)].to_vec()]).is_err());
    }
}

#[test]
fn numbers_keep_every_digit() {
    let mut schema = schema();
    let (min, max) = (decimal("-99999999999.9999999999"), decimal("12345678901.0123456789"));
    schema.tables[0].columns.push(column("exact", ColumnKind::Decimal { precision: 10, min, max }));
    let back = read_back(&schema, "account");
    let ColumnKind::Decimal { min, max, .. } = back.column("exact").unwrap().kind else {
        panic!("no decimal")
    };
    assert_eq!(
        (min.to_string(), max.to_string()),
        ("-99999999999.9999999999".into(), "12345678901.0123456789".into())
    );
    assert_eq!(back.metadata_id, schema.tables[0].metadata_id);
    assert_ne!(back.metadata_id, id("a0000000-0000-4000-8000-000000000001"));
}

/// The fixture with options that two columns share, a key, and accounts and tasks in pairs.
fn rich() -> Schema {
    let mut schema = schema();
    let red = OptionItem { value: 100_000_000, label: "Red".into() };
    let set = OptionSet {
        name: "new_colours".into(),
        display_name: "Colours".into(),
        options: vec![red.clone()],
        metadata_id: Uuid::from_u128(71),
        custom: true,
    };
    schema.option_sets.push(set);
    let mut colour = column("new_colour", ColumnKind::Picklist { options: vec![red], default: None });
    colour.option_set = Some("new_colours".into());
    let account = &mut schema.tables[0];
    account.columns.push(colour);
    account.keys.push(AlternateKey {
        name: "new_number".into(),
        schema_name: "new_Number".into(),
        display_name: "Number".into(),
        columns: vec!["name".into(), "primarycontactid".into()],
        metadata_id: Uuid::from_u128(72),
    });
    let end = |table: &str| ManyToManyEnd {
        table: table.into(),
        column: format!("{table}id"),
        navigation: "new_account_task".into(),
    };
    schema.many_to_many.push(ManyToMany {
        relationship: "new_account_task".into(),
        intersect: "new_account_task".into(),
        first: end("account"),
        second: end("task"),
        metadata_id: Uuid::from_u128(73),
        custom: true,
    });
    schema
}

#[test]
fn relationships_keys_and_shared_options_have_definitions_of_their_own() {
    let schema = rich();
    let get = |url: &str| -> Json {
        serde_json::from_slice(&ask(&schema, url).unwrap_or_else(|e| panic!("{url}: {e}"))).unwrap()
    };
    let entity = "EntityDefinitions(LogicalName='account')";
    let key = get(&format!("{entity}/Keys"))["value"][0].clone();
    assert_eq!(key["KeyAttributes"], json!(["name", "primarycontactid"]));
    assert_eq!(key["EntityKeyIndexStatus"], "Active");
    assert_eq!(get(&format!("{entity}/Keys(LogicalName='new_number')"))["MetadataId"], key["MetadataId"]);

    let pairs = get("RelationshipDefinitions(SchemaName='new_account_task')");
    assert_eq!(pairs["@odata.type"], "#Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata");
    assert_eq!(pairs["Entity2IntersectAttribute"], "taskid");
    for table in ["account", "task"] {
        let all = get(&format!("EntityDefinitions(LogicalName='{table}')/ManyToManyRelationships"));
        assert_eq!(all["value"][0]["SchemaName"], "new_account_task", "{table}");
    }
    let cast = "Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata";
    let only = get(&format!("RelationshipDefinitions/{cast}?$select=SchemaName"));
    assert_eq!(only["value"].as_array().unwrap().len(), 1);
    let all = get("RelationshipDefinitions/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata?$filter=ReferencedEntity eq 'account'&$select=MetadataId");
    let by_id = format!("RelationshipDefinitions({})", all["value"][0]["MetadataId"].as_str().unwrap());
    assert_eq!(get(&by_id)["ReferencedEntity"], "account");

    let set = get("GlobalOptionSetDefinitions(Name='new_colours')");
    assert_eq!((&set["IsGlobal"], &set["Options"][0]["Value"]), (&json!(true), &json!(100_000_000)));
    assert_eq!(get("GlobalOptionSetDefinitions")["value"][0]["MetadataId"], set["MetadataId"]);
    let colour = format!(
        "{entity}/Attributes(LogicalName='new_colour')/Microsoft.Dynamics.CRM.PicklistAttributeMetadata"
    );
    let expanded = get(&format!("{colour}?$expand=OptionSet,GlobalOptionSet($select=Name)"));
    assert_eq!((&expanded["OptionSet"], &expanded["GlobalOptionSet"]["Name"]), (&Json::Null, &set["Name"]));
    assert_eq!(get(&format!("{colour}/GlobalOptionSet"))["Name"], "new_colours");
    let industry = format!(
        "{entity}/Attributes(LogicalName='industrycode')/Microsoft.Dynamics.CRM.PicklistAttributeMetadata"
    );
    assert_eq!(get(&format!("{industry}/OptionSet"))["Options"][0]["Value"], 1);
}

/// The tables that are told when one definition has changed.
#[test]
fn a_change_is_told_with_every_table_that_it_is_part_of_and_with_no_other() {
    let schema = rich();
    let told = |query: &str, id: Uuid| -> Vec<String> {
        let query = MetadataQuery::read(query).unwrap();
        let told = query.entities(&schema, Some(&|changed| changed == id)).unwrap();
        let told: Vec<Json> = serde_json::from_str(told.get()).unwrap();
        told.iter().map(|table| table["LogicalName"].as_str().unwrap().to_owned()).collect()
    };
    let (account, task) = (schema.table("account").unwrap(), schema.table("task").unwrap());
    let regarding = task.column("regardingobjectid").unwrap();
    let ColumnKind::Lookup { targets } = &regarding.kind else { panic!("{regarding:?}") };
    let to_account = targets.iter().find(|target| target.table == "account").unwrap();
    for (id, tables) in [
        (account.metadata_id, vec!["account"]),
        (regarding.metadata_id, vec!["task"]),
        (account.keys[0].metadata_id, vec!["account"]),
        (schema.many_to_many[0].metadata_id, vec!["account", "task"]),
        (relationship_id(task, regarding, to_account), vec!["account", "task"]),
        (Uuid::from_u128(99), vec![]),
    ] {
        let mut found = told("null", id);
        found.sort();
        assert_eq!(found, tables, "{id}");
        let of_task = r#"{"Criteria":{"Conditions":[{"ConditionOperator":"Equals","PropertyName":"LogicalName","Value":"task"}]}}"#;
        assert_eq!(told(of_task, id).is_empty(), !tables.contains(&"task"), "{id}");
    }
}

#[test]
fn an_owner_is_one_relationship_with_users_and_teams_together() {
    let owners = json_of("EntityDefinitions(LogicalName='account')/ManyToOneRelationships");
    let owners: Vec<&Json> = owners["value"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|r| r["ReferencingAttribute"] == "ownerid")
        .collect();
    assert_eq!(owners.len(), 1);
    assert_eq!(
        (&owners[0]["ReferencedEntity"], &owners[0]["ReferencedAttribute"]),
        (&json!("owner"), &json!("ownerid"))
    );
}

#[test]
fn filters_know_words_brackets_paths_and_texts() {
    let count = |filter: &str| {
        let list = json_of(&format!("EntityDefinitions?$select=LogicalName&$filter={filter}"));
        list["value"].as_array().unwrap().len()
    };
    for (filter, expected) in [
        ("CanCreateAttributes/Value eq true", 6),
        ("not (CanCreateAttributes/Value eq true)", 0),
        ("(LogicalName eq 'task' or LogicalName eq 'team') and ObjectTypeCode ge 1", 2),
        ("LogicalName eq 'TASK' and not contains(LogicalName,'x')", 1),
        ("startswith(LogicalName,'t') or endswith(LogicalName,'unt')", 3),
        ("ObjectTypeCode gt 1 or ObjectTypeCode lt 1", 0),
        ("PrimaryNameAttribute ne null", 6),
        ("LogicalName eq 'it''s'", 0),
    ] {
        assert_eq!(count(filter), expected, "{filter}");
    }
    let inside = json_of(
        "EntityDefinitions(LogicalName='account')?$select=LogicalName&\
         $expand=Attributes($select=LogicalName;$filter=AttributeType eq \
         Microsoft.Dynamics.CRM.AttributeTypeCode'Memo'),Keys",
    );
    assert_eq!(inside["Attributes"].as_array().unwrap().len(), 1);
    assert_eq!(inside["Keys"], json!([]));
    let long = vec!["LogicalName eq 'x'"; 101].join(" or ");
    assert_eq!(ask(&schema(), &format!("EntityDefinitions?$filter={long}")).unwrap_err().status, 400);
    assert_eq!(count(&vec!["LogicalName eq 'x'"; 100].join(" or ")), 0);
    let deep = |n: usize| format!("{}LogicalName eq 'x'{}", "(".repeat(n), ")".repeat(n));
    assert_eq!(count(&deep(20)), 0);
    assert_eq!(ask(&schema(), &format!("EntityDefinitions?$filter={}", deep(21))).unwrap_err().status, 400);
}

#[test]
fn csdl_tells_pairs_keys_and_what_is_only_read_when_asked() {
    let mut schema = rich();
    schema.tables[0].columns[1].description = "What people call it".into();
    let plain = String::from_utf8(metadata_xml(&schema)).unwrap();
    let annotated = String::from_utf8(metadata_xml_annotated(&schema)).unwrap();
    for part in [
        "<NavigationProperty Name=\"new_account_task\" Type=\"Collection(mscrm.task)\" Partner=\"new_account_task\"/>",
        "<NavigationProperty Name=\"new_account_task\" Type=\"Collection(mscrm.account)\"",
        "PropertyPath=\"_primarycontactid_value\"",
        "<FunctionImport Name=\"WhoAmI\"",
    ] {
        assert!(plain.contains(part) && annotated.contains(part), "{part}");
    }
    for part in ["Org.OData.Core.V1.Computed", "V1.ChangeTracking", "String=\"What people call it\""] {
        assert!(!plain.contains(part) && annotated.contains(part), "{part}");
    }
}
