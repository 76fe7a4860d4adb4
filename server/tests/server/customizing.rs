//! Definitions change by the metadata API, and everything shows it at once.

use super::support::{self, Answer, Server};
use flette_server::api::Profile;
use flette_server::db::{Database, Location};
use flette_server::{people, schema, web};
use serde_json::{json, Value as Json};
use std::sync::Arc;

const CRM: &str = "Microsoft.Dynamics.CRM";

fn label(text: &str) -> Json {
    json!({"@odata.type": format!("{CRM}.Label"), "LocalizedLabels": [
        {"@odata.type": format!("{CRM}.LocalizedLabel"), "Label": text, "LanguageCode": 1033}
    ]})
}

fn attribute(kind: &str, schema_name: &str, more: Json) -> Json {
    let mut body = json!({
        "@odata.type": format!("{CRM}.{kind}AttributeMetadata"),
        "SchemaName": schema_name,
        "DisplayName": label(&format!("The {schema_name}")),
        "RequiredLevel": {"Value": "None", "CanBeChanged": true},
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn bank_account() -> Json {
    json!({
        "@odata.type": format!("{CRM}.EntityMetadata"),
        "Attributes": [attribute("String", "new_AccountName", json!({"IsPrimaryName": true, "MaxLength": 100}))],
        "DisplayName": label("Bank Account"), "DisplayCollectionName": label("Bank Accounts"),
        "Description": label("Where the money is"), "HasActivities": true, "HasNotes": true, "IsActivity": false,
        "OwnershipType": "UserOwned", "SchemaName": "new_BankAccount",
    })
}

async fn post(server: &Server, url: &str, body: &Json) -> Answer {
    server.send("POST", url, &[], &body.to_string()).await
}

async fn made(server: &Server, url: &str, body: &Json) -> String {
    let answer = post(server, url, body).await;
    assert_eq!(answer.status, 204, "{url}: {}", answer.body);
    answer.header("OData-EntityId").unwrap().to_owned()
}

const TABLE: &str = "EntityDefinitions(LogicalName='new_bankaccount')";

async fn with_table() -> Server {
    let server = Server::empty().await.sign_in("admin").await;
    made(&server, "EntityDefinitions", &bank_account()).await;
    server
}

/// One text of the default form or view of a table.
async fn shown(server: &Server, set: &str, filter: &str, text: &str) -> String {
    server.list(&format!("{set}?$select={text}&$filter={filter}")).await.column(text).join("\n")
}

async fn form(server: &Server) -> String {
    shown(server, "systemforms", "objecttypecode eq 'new_bankaccount'", "formxml").await
}

async fn view(server: &Server) -> String {
    let filter = "returnedtypecode eq 'new_bankaccount' and querytype eq 0 and isdefault eq true";
    shown(server, "savedqueries", filter, "layoutxml").await
}

#[tokio::test]
async fn a_custom_table_is_made_used_and_dropped() {
    let server = Server::empty().await.sign_in("admin").await;
    let location = made(&server, "EntityDefinitions", &bank_account()).await;
    let definition = server.get(&location).await.json();
    assert_eq!(definition["LogicalName"], "new_bankaccount");
    assert_eq!(definition["EntitySetName"], "new_bankaccounts");
    assert_eq!((&definition["IsCustomEntity"], &definition["HasNotes"]), (&json!(true), &json!(true)));
    assert_eq!(definition["Description"]["UserLocalizedLabel"]["Label"], "Where the money is");
    let id = server.create("new_bankaccounts", r#"{"new_accountname":"Savings"}"#).await;
    let row = server.get(&format!("new_bankaccounts({id})?$expand=ownerid($select=ownerid)")).await;
    assert_eq!(server.get(&format!("new_bankaccounts({id})")).await.json()["statuscode"], 1, "{}", row.body);
    let note = format!(r#"{{"subject":"n","objectid_new_bankaccount@odata.bind":"new_bankaccounts({id})"}}"#);
    server.create("annotations", &note).await;
    let task = format!(
        r#"{{"subject":"t","regardingobjectid_new_bankaccount_task@odata.bind":"new_bankaccounts({id})"}}"#
    );
    server.create("tasks", &task).await;
    let xml = server.get("$metadata").await.body;
    assert!(xml.contains("<EntitySet Name=\"new_bankaccounts\""));
    assert!(server.list("").await.column("name").contains(&"new_bankaccounts".to_owned()));
    assert!(form(&server).await.contains("datafieldname=\"new_accountname\""));
    let views =
        server.list("savedqueries?$select=querytype&$filter=returnedtypecode eq 'new_bankaccount'").await;
    let mut types = views.column("querytype");
    types.sort();
    assert_eq!(types, ["0", "0", "16", "2", "4", "64"]);

    assert_eq!(server.send("DELETE", TABLE, &[], "").await.status, 204);
    assert_eq!(server.get("new_bankaccounts").await.status, 404);
    assert_eq!(server.get(TABLE).await.status, 404);
    assert_eq!(form(&server).await, "");
    assert!(!server.get("$metadata").await.body.contains("new_bankaccount"));
    made(&server, "EntityDefinitions", &bank_account()).await;
    assert_eq!(server.list("new_bankaccounts").await.rows().len(), 0);
}

#[tokio::test]
async fn columns_of_every_type_are_made_and_hold_values() {
    let server = with_table().await;
    let options = json!({"@odata.type": format!("{CRM}.OptionSetMetadata"), "Options": [
        {"Value": 1, "Label": label("One")}, {"Label": label("Two")}], "IsGlobal": false, "OptionSetType": "Picklist"});
    let truth = json!({"TrueOption": {"Value": 1, "Label": label("Yes!")}, "FalseOption": {"Value": 0, "Label": label("No!")}});
    let cases = [
        ("String", "new_Code", json!({"MaxLength": 10, "FormatName": {"Value": "Text"}}), json!("abc")),
        ("Memo", "new_Story", json!({"MaxLength": 500}), json!("a\nb")),
        ("Integer", "new_Size", json!({"MinValue": 0, "MaxValue": 10}), json!(7)),
        ("Decimal", "new_Share", json!({"MinValue": 0, "MaxValue": 1, "Precision": 3}), json!(0.125)),
        ("Double", "new_Factor", json!({"MinValue": 0.0, "MaxValue": 9.5, "Precision": 2}), json!(1.5)),
        ("Money", "new_Price", json!({"MinValue": 0.0, "MaxValue": 1000.0, "Precision": 2}), json!(9.5)),
        ("Boolean", "new_Open", json!({"DefaultValue": false, "OptionSet": truth}), json!(true)),
        ("DateTime", "new_Seen", json!({"Format": "DateAndTime"}), json!("2026-01-02T03:04:05Z")),
        (
            "DateTime",
            "new_Born",
            json!({"Format": "DateOnly", "DateTimeBehavior": {"Value": "DateOnly"}}),
            json!("2026-01-02"),
        ),
        ("Picklist", "new_Choice", json!({"OptionSet": options}), json!(100_000_000)),
        ("MultiSelectPicklist", "new_Choices", json!({"OptionSet": options}), json!("1,100000000")),
    ];
    for (kind, name, more, value) in cases {
        let location = made(&server, &format!("{TABLE}/Attributes"), &attribute(kind, name, more)).await;
        let logical = name.to_lowercase();
        let definition = server.get(&location).await.json();
        assert_eq!(
            (&definition["LogicalName"], &definition["IsCustomAttribute"]),
            (&json!(logical), &json!(true))
        );
        assert_eq!(definition["DisplayName"]["UserLocalizedLabel"]["Label"], format!("The {name}"));
        let id = server
            .create("new_bankaccounts", &json!({"new_accountname": "x", &logical: value}).to_string())
            .await;
        let row = server.get(&format!("new_bankaccounts({id})?$select={logical}")).await.json();
        assert_eq!(row[&logical], value, "{name}");
        assert!(form(&server).await.contains(&format!("datafieldname=\"{logical}\"")), "{name}");
        assert!(server.get("$metadata").await.body.contains(&format!("Name=\"{logical}\"")), "{name}");
    }
    assert!(view(&server).await.contains("<cell name=\"new_code\""));
    let long = server.send("POST", "new_bankaccounts", &[], r#"{"new_code":"12345678901"}"#).await;
    assert_eq!((long.status, long.code().as_str()), (400, "0x80044331"));

    let code = format!("{TABLE}/Attributes(LogicalName='new_code')");
    let wider = json!({"MaxLength": 11, "DisplayName": label("Number"), "RequiredLevel": {"Value": "ApplicationRequired"}});
    let cast = format!("{code}/{CRM}.StringAttributeMetadata");
    assert_eq!(server.send("PUT", &cast, &[], &wider.to_string()).await.status, 204);
    let found = server.get(&cast).await.json();
    assert_eq!(
        (&found["MaxLength"], &found["RequiredLevel"]["Value"]),
        (&json!(11), &json!("ApplicationRequired"))
    );
    server.create("new_bankaccounts", r#"{"new_code":"12345678901"}"#).await;
    assert!(form(&server).await.contains("description=\"Number\""));

    assert_eq!(server.send("DELETE", &code, &[], "").await.status, 204);
    assert_eq!(server.get(&code).await.status, 404);
    assert_eq!(server.get("new_bankaccounts?$select=new_code").await.status, 400);
    assert!(!form(&server).await.contains("new_code") && !view(&server).await.contains("new_code"));
}

#[tokio::test]
async fn a_changed_form_keeps_its_changes_and_loses_dropped_columns() {
    let server = with_table().await;
    made(&server, &format!("{TABLE}/Attributes"), &attribute("String", "new_Code", json!({"MaxLength": 10})))
        .await;
    let forms = server.list("systemforms?$select=formid&$filter=objecttypecode eq 'new_bankaccount'").await;
    let id = forms.column("formid").remove(0);
    let mine = "<form><row><cell><control id='c' datafieldname='new_code'/></cell></row><mine/></form>";
    let body = json!({ "formxml": mine }).to_string();
    assert_eq!(server.send("PATCH", &format!("systemforms({id})"), &[], &body).await.status, 204);
    made(
        &server,
        &format!("{TABLE}/Attributes"),
        &attribute("String", "new_Other", json!({"MaxLength": 10})),
    )
    .await;
    assert_eq!(form(&server).await, mine);
    let column = format!("{TABLE}/Attributes(LogicalName='new_code')");
    assert_eq!(server.send("DELETE", &column, &[], "").await.status, 204);
    assert_eq!(form(&server).await, "<form><mine/></form>");
}

#[tokio::test]
async fn relationships_are_made_followed_and_dropped() {
    let server = with_table().await;
    let lookup = json!({"@odata.type": format!("{CRM}.LookupAttributeMetadata"), "SchemaName": "new_BankId", "DisplayName": label("Bank")});
    let relationship = json!({
        "@odata.type": format!("{CRM}.OneToManyRelationshipMetadata"), "SchemaName": "new_account_bankaccount",
        "ReferencedEntity": "account", "ReferencingEntity": "new_bankaccount", "Lookup": lookup,
        "CascadeConfiguration": {"Delete": "Cascade", "Assign": "NoCascade"},
    });
    let location = made(&server, "RelationshipDefinitions", &relationship).await;
    let found = server.get(&location).await.json();
    assert_eq!(found["ReferencingEntityNavigationPropertyName"], "new_BankId");
    assert_eq!(found["CascadeConfiguration"]["Delete"], "Cascade");
    let account = server.create("accounts", r#"{"name":"Bank"}"#).await;
    let body = format!(r#"{{"new_accountname":"x","new_BankId@odata.bind":"accounts({account})"}}"#);
    let id = server.create("new_bankaccounts", &body).await;
    let row = server.get(&format!("new_bankaccounts({id})?$expand=new_BankId($select=name)")).await.json();
    assert_eq!(row["new_BankId"]["name"], "Bank");
    assert_eq!(server.list(&format!("accounts({account})/new_account_bankaccount")).await.rows().len(), 1);
    assert_eq!(server.send("DELETE", &format!("accounts({account})"), &[], "").await.status, 204);
    assert_eq!(server.get(&format!("new_bankaccounts({id})")).await.status, 404);
    assert_eq!(server.send("DELETE", &location, &[], "").await.status, 204);
    assert_eq!(server.get("new_bankaccounts?$select=_new_bankid_value").await.status, 400);

    let pairs = json!({
        "@odata.type": format!("{CRM}.ManyToManyRelationshipMetadata"), "SchemaName": "new_bankaccount_contact",
        "IntersectEntityName": "new_bankaccount_contact", "Entity1LogicalName": "new_bankaccount",
        "Entity2LogicalName": "contact",
    });
    let location = made(&server, "RelationshipDefinitions", &pairs).await;
    assert_eq!(server.get(&location).await.json()["Entity2IntersectAttribute"], "contactid");
    assert_eq!(server.list("new_bankaccount_contactset").await.rows().len(), 0);
    assert!(server
        .get("$metadata")
        .await
        .body
        .contains("Name=\"new_bankaccount_contact\" Type=\"Collection(mscrm.contact)\""));
    assert_eq!(server.send("DELETE", &location, &[], "").await.status, 204);
    assert_eq!(server.get("new_bankaccount_contactset").await.status, 404);
}

#[tokio::test]
async fn keys_are_made_when_rows_differ_in_them() {
    let server = with_table().await;
    let attributes = format!("{TABLE}/Attributes");
    made(&server, &attributes, &attribute("String", "new_Code", json!({"MaxLength": 10}))).await;
    for code in ["A", "B"] {
        server.create("new_bankaccounts", &json!({"new_code": code}).to_string()).await;
    }
    let twin = server.create("new_bankaccounts", r#"{"new_code":"a"}"#).await;
    let keys = format!("{TABLE}/Keys");
    let key =
        json!({"SchemaName": "new_CodeKey", "DisplayName": label("Code"), "KeyAttributes": ["new_code"]});
    let refused = post(&server, &keys, &key).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "0x80060892"), "{}", refused.body);
    assert_eq!(server.send("DELETE", &format!("new_bankaccounts({twin})"), &[], "").await.status, 204);
    let location = made(&server, &keys, &key).await;
    assert_eq!(server.get(&location).await.json()["KeyAttributes"], json!(["new_code"]));
    assert!(server.get("$metadata").await.body.contains("PropertyPath=\"new_code\""));
    let column = format!("{TABLE}/Attributes(LogicalName='new_code')");
    let needed = server.send("DELETE", &column, &[], "").await;
    assert_eq!((needed.status, needed.code().as_str()), (400, "0x8004f01f"));
    assert_eq!(
        server.send("DELETE", &format!("{keys}(LogicalName='new_codekey')"), &[], "").await.status,
        204
    );
    assert_eq!(server.send("DELETE", &column, &[], "").await.status, 204);
}

#[tokio::test]
async fn options_come_change_and_go_and_shared_ones_everywhere() {
    let server = with_table().await;
    let insert = json!({"EntityLogicalName": "account", "AttributeLogicalName": "industrycode", "Label": label("Mining")});
    let answer = post(&server, "InsertOptionValue", &insert).await;
    assert_eq!(answer.json()["NewOptionValue"], 100_000_000, "{}", answer.body);
    server.create("accounts", r#"{"name":"x","industrycode":100000000}"#).await;
    let change = |value: i64, text: &str| json!({"EntityLogicalName": "account", "AttributeLogicalName": "industrycode", "Value": value, "Label": label(text), "MergeLabels": false});
    assert_eq!(post(&server, "UpdateOptionValue", &change(100_000_000, "Mines")).await.status, 204);
    let seen = server
        .send("GET", "accounts?$select=industrycode", &[("Prefer", "odata.include-annotations=\"*\"")], "")
        .await;
    assert!(seen.body.contains("\"Mines\""), "{}", seen.body);
    assert_eq!(post(&server, "DeleteOptionValue", &change(100_000_000, "")).await.status, 204);
    let gone = server.send("POST", "accounts", &[], r#"{"name":"x","industrycode":100000000}"#).await;
    assert_eq!(gone.code(), "0x8004431a");
    assert_eq!(post(&server, "DeleteOptionValue", &change(100_000_000, "")).await.status, 400);

    let set = json!({"@odata.type": format!("{CRM}.OptionSetMetadata"), "Name": "new_colours", "DisplayName": label("Colours"),
        "IsGlobal": true, "OptionSetType": "Picklist", "Options": [{"Value": 1, "Label": label("Red")}]});
    let location = made(&server, "GlobalOptionSetDefinitions", &set).await;
    let path = location.rsplit('/').next().unwrap();
    let bound = json!({"GlobalOptionSet@odata.bind": format!("/{path}")});
    made(&server, &format!("{TABLE}/Attributes"), &attribute("Picklist", "new_Colour", bound)).await;
    let blue = json!({"OptionSetName": "new_colours", "Label": label("Blue"), "Value": 2});
    assert_eq!(post(&server, "InsertOptionValue", &blue).await.json()["NewOptionValue"], 2);
    server.create("new_bankaccounts", r#"{"new_colour":2}"#).await;
    let used = server.send("DELETE", path, &[], "").await;
    assert_eq!((used.status, used.code().as_str()), (400, "0x8004f01f"));
    let order = json!({"OptionSetName": "new_colours", "Values": [2, 1]});
    assert_eq!(post(&server, "OrderOption", &order).await.status, 204);
    assert_eq!(server.get(path).await.json()["Options"][0]["Value"], 2);
    let status = json!({"EntityLogicalName": "account", "AttributeLogicalName": "statuscode", "StateCode": 1, "Label": label("Asleep")});
    assert_eq!(post(&server, "InsertStatusValue", &status).await.json()["NewOptionValue"], 100_000_000);
    for action in ["PublishAllXml", "PublishXml"] {
        assert_eq!(post(&server, action, &json!({"ParameterXml": "<x/>"})).await.status, 204);
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    let server = with_table().await;
    let before = server.get("EntityDefinitions?$expand=Attributes,Keys").await.body;
    let text = |name: &str, length: i64| attribute("String", name, json!({ "MaxLength": length }));
    let mut unnamed = bank_account();
    unnamed["Attributes"] = json!([]);
    unnamed["SchemaName"] = json!("new_Other");
    let named = |name: &str| {
        let mut body = bank_account();
        body["SchemaName"] = json!(name);
        body
    };
    let attributes = format!("{TABLE}/Attributes");
    let relationship = |referenced: &str, lookup: &str| {
        json!({"@odata.type": format!("{CRM}.OneToManyRelationshipMetadata"), "SchemaName": "new_x_y",
            "ReferencedEntity": referenced, "ReferencingEntity": "new_bankaccount", "Lookup": {"SchemaName": lookup}})
    };
    let long = format!("new_{}", "x".repeat(47));
    let cases: Vec<(&str, &str, Json, u16)> = vec![
        ("POST", "EntityDefinitions", bank_account(), 400),
        ("POST", "EntityDefinitions", unnamed, 400),
        ("POST", "EntityDefinitions", named("BankAccount"), 400),
        ("POST", "EntityDefinitions", named("mscrm_x"), 400),
        ("POST", "EntityDefinitions", named("sqlite_x"), 400),
        ("POST", "EntityDefinitions", named("flette_x"), 400),
        ("POST", "EntityDefinitions", named("new_Bank-Account"), 400),
        ("POST", "EntityDefinitions", named(&long), 400),
        ("POST", "EntityDefinitions", json!({}), 400),
        ("PUT", "EntityDefinitions", json!({}), 405),
        ("POST", TABLE, json!({}), 405),
        ("DELETE", "EntityDefinitions(LogicalName='account')", json!({}), 403),
        ("DELETE", "EntityDefinitions(LogicalName='nosuch')", json!({}), 404),
        ("PUT", TABLE, json!({"ChangeTrackingEnabled": false}), 400),
        (
            "PUT",
            "EntityDefinitions(LogicalName='activitypointer')",
            json!({"ChangeTrackingEnabled": true}),
            400,
        ),
        ("PUT", TABLE, json!({"HasNotes": false}), 400),
        ("PUT", TABLE, json!({"DisplayName": label("")}), 400),
        ("POST", &attributes, text("new_AccountName", 10), 400),
        ("POST", &attributes, text("NoPrefix", 10), 400),
        ("POST", &attributes, text("new_Zero", 0), 400),
        ("POST", &attributes, text("new_Long", 4001), 400),
        ("POST", &attributes, attribute("Memo", "new_Long", json!({"MaxLength": 1_048_577})), 400),
        ("POST", &attributes, attribute("Lookup", "new_Lookup", json!({})), 400),
        ("POST", &attributes, attribute("State", "new_State", json!({})), 400),
        ("POST", &attributes, attribute("Nothing", "new_Nothing", json!({})), 400),
        ("POST", &attributes, attribute("Integer", "new_Less", json!({"MinValue": 2, "MaxValue": 1})), 400),
        ("POST", "EntityDefinitions(LogicalName='activitypointer')/Attributes", text("new_A", 10), 400),
        ("POST", "EntityDefinitions(LogicalName='teammembership')/Attributes", text("new_A", 10), 400),
        ("DELETE", "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='name')", json!({}), 403),
        (
            "DELETE",
            "EntityDefinitions(LogicalName='new_bankaccount')/Attributes(LogicalName='new_accountname')",
            json!({}),
            403,
        ),
        (
            "DELETE",
            "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='nosuch')",
            json!({}),
            404,
        ),
        (
            "PUT",
            "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='name')",
            attribute("Integer", "Name", json!({"MinValue": 1})),
            400,
        ),
        (
            "PUT",
            "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='ownerid')",
            json!({"RequiredLevel": {"Value": "None"}}),
            400,
        ),
        ("POST", "RelationshipDefinitions", json!({"SchemaName": "new_x_y"}), 400),
        ("POST", "RelationshipDefinitions", relationship("nosuch", "new_X"), 400),
        ("POST", "RelationshipDefinitions", relationship("account", "X"), 400),
        ("POST", "RelationshipDefinitions", relationship("account", "new_AccountName"), 400),
        ("DELETE", "RelationshipDefinitions(SchemaName='contact_customer_accounts')", json!({}), 403),
        ("DELETE", "RelationshipDefinitions(SchemaName='teammembership_association')", json!({}), 403),
        ("DELETE", "RelationshipDefinitions(SchemaName='nosuch')", json!({}), 404),
        (
            "POST",
            "EntityDefinitions(LogicalName='account')/Keys",
            json!({"SchemaName": "new_K", "KeyAttributes": ["description"]}),
            400,
        ),
        (
            "POST",
            "EntityDefinitions(LogicalName='account')/Keys",
            json!({"SchemaName": "new_K", "KeyAttributes": []}),
            400,
        ),
        ("POST", "GlobalOptionSetDefinitions", json!({"Name": "colours", "Options": []}), 400),
        ("POST", "InsertOptionValue", json!({"Label": label("x")}), 400),
        (
            "POST",
            "InsertOptionValue",
            json!({"EntityLogicalName": "account", "AttributeLogicalName": "industrycode", "Value": 1, "Label": label("x")}),
            400,
        ),
        (
            "POST",
            "InsertOptionValue",
            json!({"EntityLogicalName": "account", "AttributeLogicalName": "name", "Label": label("x")}),
            400,
        ),
    ];
    for (method, url, body, status) in cases {
        let answer = server.send(method, url, &[], &body.to_string()).await;
        assert_eq!(answer.status, status, "{method} {url} {body}: {}", answer.body);
    }
    assert_eq!(server.send("POST", "EntityDefinitions", &[], "[]").await.status, 400);
    assert_eq!(server.get("EntityDefinitions?$expand=Attributes,Keys").await.body, before);
    let longest = format!("new_{}", "x".repeat(46));
    made(&server, &attributes, &text(&longest, 4000)).await;
    let anna = server.sign_in("anna").await;
    let refused = post(&anna, &attributes, &text("new_Mine", 10)).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "0x80040220"));
    assert_eq!(post(&anna, "PublishAllXml", &json!({})).await.status, 403);
}

#[tokio::test]
async fn several_definitions_in_one_change_set_are_made_together_or_not_at_all() {
    let server = Server::empty().await.sign_in("admin").await;
    let part = |url: &str, body: &Json| {
        format!(
            "--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
             POST /api/data/v9.2/{url} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{body}\r\n"
        )
    };
    let code = attribute("String", "new_Code", json!({"MaxLength": 10}));
    let account = "EntityDefinitions(LogicalName='account')/Attributes";
    let batch = |second: &Json| {
        format!(
            "--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n{}{}--c--\r\n--b--\r\n",
            part("EntityDefinitions", &bank_account()),
            part(account, second)
        )
    };
    let headers = [("Content-Type", "multipart/mixed;boundary=b")];
    let bad = attribute("String", "NoPrefix", json!({"MaxLength": 10}));
    assert_eq!(server.send("POST", "$batch", &headers, &batch(&bad)).await.status, 400);
    assert_eq!(server.get(TABLE).await.status, 404);
    let answer = server.send("POST", "$batch", &headers, &batch(&code)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(server.get(TABLE).await.status, 200);
    assert_eq!(server.get("accounts?$select=new_code").await.status, 200);
}

#[tokio::test]
async fn another_server_sees_new_definitions_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let location = match support::location() {
        Location::Memory => Location::File(folder.path().join("crm.sqlite")),
        other => other,
    };
    let open = || Database::open(&location, Arc::new(schema::schema()), "Test").unwrap();
    let database = open();
    people::found(&database, web::now()).unwrap();
    people::add_demo_people(&database, web::now()).unwrap();
    let first = Server::over(database, Profile::Open, None).sign_in("admin").await;
    let second = Server::over(open(), Profile::Open, None).sign_in("admin").await;
    assert_eq!(second.get(TABLE).await.status, 404);
    made(&first, "EntityDefinitions", &bank_account()).await;
    assert_eq!(second.get(TABLE).await.status, 200);
    second.create("new_bankaccounts", r#"{"new_accountname":"x"}"#).await;
    assert_eq!(first.list("new_bankaccounts").await.rows().len(), 1);
    assert!(form(&second).await.contains("new_accountname"));
}

/// Asks for changes of definitions.
async fn changes(server: &Server, query: &Json, filters: &str, stamp: Option<&str>) -> Answer {
    let stamp = stamp.map_or("null".to_owned(), |stamp| format!("'{stamp}'"));
    let url = format!(
        "RetrieveMetadataChanges(Query=@p1,DeletedMetadataFilters=@p2,ClientVersionStamp=@p3)?@p1={query}&@p2={filters}&@p3={stamp}"
    );
    server.get(&url).await
}

#[tokio::test]
async fn clients_that_cache_definitions_are_told_what_changed() {
    let server = with_table().await;
    let all = json!({"Properties": {"AllProperties": false, "PropertyNames": ["LogicalName", "Attributes"]},
        "AttributeQuery": {"Properties": {"AllProperties": false, "PropertyNames": ["LogicalName", "MaxLength"]}}});
    let deleted = format!("{CRM}.DeletedMetadataFilters'Entity,Attribute'");
    let first = changes(&server, &all, &deleted, None).await;
    assert_eq!(first.status, 200, "{}", first.body);
    let first = first.json();
    assert!(first["EntityMetadata"].as_array().unwrap().len() > 25);
    assert_eq!(first["DeletedMetadata"], Json::Null);
    let stamp = first["ServerVersionStamp"].as_str().unwrap().to_owned();
    let nothing = changes(&server, &all, &deleted, Some(&stamp)).await.json();
    assert_eq!((&nothing["EntityMetadata"], &nothing["ServerVersionStamp"]), (&json!([]), &json!(stamp)));

    let attributes = format!("{TABLE}/Attributes");
    made(&server, &attributes, &attribute("String", "new_Code", json!({"MaxLength": 10}))).await;
    let next = changes(&server, &all, &deleted, Some(&stamp)).await.json();
    let entity = &next["EntityMetadata"];
    assert_eq!(entity.as_array().unwrap().len(), 1);
    assert_eq!(
        (&entity[0]["LogicalName"], &entity[0]["HasChanged"]),
        (&json!("new_bankaccount"), &json!(false))
    );
    assert_eq!(entity[0]["Attributes"].as_array().unwrap().len(), 1);
    assert_eq!(entity[0]["Attributes"][0]["MaxLength"], 10);
    let id = entity[0]["Attributes"][0]["MetadataId"].as_str().unwrap().to_owned();

    assert_eq!(server.send("DELETE", &format!("{attributes}({id})"), &[], "").await.status, 204);
    let later = next["ServerVersionStamp"].as_str().unwrap();
    let gone = changes(&server, &all, &deleted, Some(later)).await.json();
    let deleted_metadata = &gone["DeletedMetadata"];
    assert_eq!(deleted_metadata["Keys"], json!(["Entity", "Attribute"]));
    assert_eq!(deleted_metadata["Values"], json!([{"Items": []}, {"Items": [id]}]));
    assert_eq!(changes(&server, &all, "null", Some(later)).await.json()["DeletedMetadata"], Json::Null);

    let one = json!({"Criteria": {"FilterOperator": "And", "Conditions": [{"ConditionOperator": "In",
        "PropertyName": "LogicalName", "Value": {"Type": "System.String[]", "Value": ["contact", "task"]}}]},
        "Properties": {"AllProperties": false, "PropertyNames": ["LogicalName"]}});
    let found = changes(&server, &one, "null", None).await.json();
    assert_eq!(found["EntityMetadata"].as_array().unwrap().len(), 2);
    for (query, stamp, code) in [
        (all.clone(), Some("nonsense"), "0x80040203"),
        (all.clone(), Some("00000000-0000-0000-0000-000000000000!1"), "0x80044352"),
        (all.clone(), Some(&*stamp.replace(&stamp[36..], "!0")), "0x80044352"),
        (json!({"AttributeQuery": {}, "Properties": {"PropertyNames": ["LogicalName"]}}), None, "0x80072527"),
        (
            json!({"Criteria": {"Conditions": [{"ConditionOperator": "Like", "PropertyName": "LogicalName"}]}}),
            None,
            "0x80040203",
        ),
    ] {
        let refused = changes(&server, &query, "null", stamp).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, code), "{query} {stamp:?}");
    }
}

#[tokio::test]
async fn counts_and_stamps_are_functions() {
    let server = with_table().await;
    server.create("accounts", r#"{"name":"x"}"#).await;
    let counts = server.get("RetrieveTotalRecordCount(EntityNames=['account','contact'])").await.json();
    let collection = &counts["EntityRecordCountCollection"];
    assert_eq!(
        (&collection["Keys"], &collection["Values"]),
        (&json!(["account", "contact"]), &json!([1, 0]))
    );
    for (names, status) in [("['nosuch']", 400), ("[]", 400), ("'account'", 400)] {
        let url = format!("RetrieveTotalRecordCount(EntityNames={names})");
        assert_eq!(server.get(&url).await.status, status, "{names}");
    }
    let before = server.get("RetrieveTimestamp()").await.json()["Timestamp"].clone();
    let attributes = format!("{TABLE}/Attributes");
    made(&server, &attributes, &attribute("String", "new_Code", json!({"MaxLength": 10}))).await;
    assert_ne!(server.get("RetrieveTimestamp()").await.json()["Timestamp"], before);
    assert_eq!(server.get("RetrieveNothing()").await.status, 404);
}

#[tokio::test]
async fn pairs_of_a_custom_relationship_are_made_read_and_parted_from_both_ends() {
    let server = with_table().await;
    let pairs = json!({
        "@odata.type": format!("{CRM}.ManyToManyRelationshipMetadata"), "SchemaName": "new_bankaccount_contact",
        "IntersectEntityName": "new_bankaccount_contact", "Entity1LogicalName": "new_bankaccount",
        "Entity2LogicalName": "contact",
    });
    made(&server, "RelationshipDefinitions", &pairs).await;
    let collection = "new_bankaccount_contact";
    let account = server.create("new_bankaccounts", r#"{"new_accountname":"Joint"}"#).await;
    let (ann, bob) = (
        server.create("contacts", r#"{"lastname":"Ann"}"#).await,
        server.create("contacts", r#"{"lastname":"Bob"}"#).await,
    );
    let (of_account, of_ann) =
        (format!("new_bankaccounts({account})/{collection}"), format!("contacts({ann})/{collection}"));
    let link = |to: &str| json!({"@odata.id": format!("http://crm.example/api/data/v9.2/{to}")}).to_string();
    let join = |url: String, to: String| {
        let server = server.clone();
        async move { server.send("POST", &format!("{url}/$ref"), &[], &link(&to)).await.status }
    };
    let holders = || async {
        let url = format!("{of_account}?$select=lastname&$orderby=lastname");
        server.list(&url).await.column("lastname")
    };
    assert_eq!(join(of_ann.clone(), format!("new_bankaccounts({account})")).await, 204);
    assert_eq!(join(of_account.clone(), format!("contacts({bob})")).await, 204);
    assert_eq!(join(of_account.clone(), format!("contacts({bob})")).await, 204, "once more");
    assert_eq!(holders().await, ["Ann", "Bob"]);
    assert_eq!(server.list(&of_ann).await.column("new_accountname"), ["Joint"]);
    assert_eq!(server.get(&format!("{of_account}/$count")).await.body, "2");
    let references = server.list(&format!("{of_account}/$ref")).await.column("@odata.id");
    assert!(
        references.contains(&format!("http://crm.example/api/data/v9.2/contacts({ann})")),
        "{references:?}"
    );
    let one = server.get(&format!("{of_account}({bob})/lastname")).await;
    assert_eq!(one.json()["value"], "Bob", "{}", one.body);
    let url = format!(
        "new_bankaccounts({account})?$expand={collection}($select=lastname;$filter=lastname eq 'Bob')"
    );
    assert_eq!(server.get(&url).await.json()[collection][0]["lastname"], "Bob");
    let filter = format!("contacts?$select=lastname&$filter={collection}/any(a:a/new_accountname eq 'Joint')&$orderby=lastname");
    assert_eq!(server.list(&filter).await.column("lastname"), ["Ann", "Bob"]);
    for (url, to, status) in [
        (of_account.clone(), format!("accounts({account})"), 400),
        (of_account.clone(), "contacts(00000000-0000-4000-8000-000000000009)".to_owned(), 404),
        (
            "new_bankaccounts(00000000-0000-4000-8000-000000000009)/".to_owned() + collection,
            format!("contacts({ann})"),
            404,
        ),
    ] {
        assert_eq!(join(url.clone(), to.clone()).await, status, "{url} {to}");
    }
    for url in [
        format!("{of_account}/$ref?$id=contacts({ann})"),
        format!("contacts({bob})/{collection}({account})/$ref"),
    ] {
        assert_eq!(server.send("DELETE", &url, &[], "").await.status, 204, "{url}");
        assert_eq!(server.send("DELETE", &url, &[], "").await.status, 204, "{url}: not there any more");
    }
    assert!(holders().await.is_empty());
    // Deep insert joins too, and a pair goes with either row.
    let body = json!({"lastname": "Cid", collection: [{"new_accountname": "Own"}]});
    let cid = server.create("contacts", &body.to_string()).await;
    let of_cid = format!("contacts({cid})/{collection}");
    assert_eq!(join(of_cid.clone(), format!("new_bankaccounts({account})")).await, 204);
    let own =
        server.list(&format!("{of_cid}?$filter=new_accountname eq 'Own'")).await.column("new_bankaccountid");
    assert_eq!(server.send("DELETE", &format!("new_bankaccounts({})", own[0]), &[], "").await.status, 204);
    assert_eq!(server.list(&of_cid).await.column("new_accountname"), ["Joint"]);
    assert_eq!(server.send("DELETE", &format!("contacts({cid})"), &[], "").await.status, 204);
    assert!(server.list("new_bankaccount_contactset").await.rows().is_empty());
    // Both rows must be in sight, and the one whose collection it is must be the caller's to write.
    let anna = server.sign_in("anna").await;
    assert_eq!(
        anna.send("POST", &format!("{of_account}/$ref"), &[], &link(&format!("contacts({ann})")))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn what_was_allowed_with_a_table_or_column_goes_with_it() {
    let server = with_table().await;
    let attributes = format!("{TABLE}/Attributes");
    for name in ["new_Code", "new_Note"] {
        made(&server, &attributes, &attribute("String", name, json!({"MaxLength": 10}))).await;
    }
    let who = server.get("WhoAmI").await.json();
    let unit = format!("businessunits({})", who["BusinessUnitId"].as_str().unwrap());
    let role =
        server.create("roles", &json!({"name": "r", "businessunitid@odata.bind": unit}).to_string()).await;
    let profile = server.create("fieldsecurityprofiles", r#"{"name":"p"}"#).await;
    for table in ["new_bankaccount", "contact"] {
        let level =
            json!({"roleid@odata.bind": format!("roles({role})"), "objecttypecode": table, "readlevel": 8});
        server.create("roleprivileges", &level.to_string()).await;
    }
    for (table, column) in
        [("new_bankaccount", "new_code"), ("new_bankaccount", "new_note"), ("contact", "lastname")]
    {
        let allowed = json!({
            "fieldsecurityprofileid@odata.bind": format!("fieldsecurityprofiles({profile})"),
            "entityname": table, "attributelogicalname": column, "canread": 4,
        });
        server.create("fieldpermissions", &allowed.to_string()).await;
    }
    let mine = json!({"name": "Mine", "returnedtypecode": "new_bankaccount", "querytype": 0,
        "fetchxml": "<fetch><entity name='new_bankaccount'/></fetch>"});
    server.create("userqueries", &mine.to_string()).await;
    let track = [("Prefer", "odata.track-changes")];
    let (_, link) = server.drain("roleprivileges?$select=objecttypecode", &track).await;
    let columns = || async {
        server.list("fieldpermissions?$orderby=attributelogicalname").await.column("attributelogicalname")
    };
    assert_eq!(
        server.send("DELETE", &format!("{attributes}(LogicalName='new_note')"), &[], "").await.status,
        204
    );
    assert_eq!(columns().await, ["lastname", "new_code"]);
    assert_eq!(server.send("DELETE", TABLE, &[], "").await.status, 204);
    assert_eq!(columns().await, ["lastname"]);
    let of_role = format!("roleprivileges?$filter=_roleid_value eq {role}");
    assert_eq!(server.list(&of_role).await.column("objecttypecode"), ["contact"]);
    for set in ["userqueries", "savedqueries"] {
        let left = server.list(&format!("{set}?$filter=returnedtypecode eq 'new_bankaccount'")).await;
        assert!(left.rows().is_empty(), "{set}: {}", left.body);
    }
    let (told, _) = server.drain(&link.unwrap(), &[]).await;
    assert_eq!((told.len(), &told[0]["reason"]), (1, &json!("deleted")), "followers hear of it");
}

#[tokio::test]
async fn every_kind_of_list_tells_the_version_of_the_definitions_to_those_who_ask() {
    let server = with_table().await;
    server.create("new_bankaccounts", r#"{"new_accountname":"x"}"#).await;
    let view =
        server.list("savedqueries?$filter=returnedtypecode eq 'new_bankaccount' and querytype eq 0").await;
    let view = view.column("savedqueryid").remove(0);
    let name = "@Microsoft.Dynamics.CRM.globalmetadataversion";
    let expected = server.get("RetrieveTimestamp()").await.json()["Timestamp"].clone();
    for (url, more) in [
        ("new_bankaccounts".to_owned(), ""),
        ("new_bankaccounts?$apply=aggregate($count as n)".to_owned(), ""),
        ("new_bankaccounts?fetchXml=<fetch><entity name='new_bankaccount'/></fetch>".to_owned(), ""),
        (format!("new_bankaccounts?savedQuery={view}"), ""),
        ("new_bankaccounts?$select=new_accountname".to_owned(), "odata.track-changes,"),
    ] {
        for (annotations, told) in [("*", true), ("Microsoft.Dynamics.CRM.*", true), ("OData.*", false)] {
            let prefer = format!("{more}odata.include-annotations=\"{annotations}\"");
            let answer = server.send("GET", &url, &[("Prefer", &prefer)], "").await;
            let found = answer.json().get(name).cloned();
            assert_eq!(found, told.then(|| expected.clone()), "{url} {annotations}: {}", answer.body);
        }
        assert!(!server.get(&url).await.body.contains(name), "{url}");
    }
}
