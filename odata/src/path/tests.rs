use super::*;
use crate::fixture::schema;
use proptest::prelude::*;
use uuid::Uuid;

const ROOT: &str = "/api/data/v9.2/";
const ID: &str = "a0000000-0000-4000-8000-000000000001";

fn id() -> Uuid {
    Uuid::try_parse(ID).unwrap()
}

fn key() -> RowKey {
    RowKey::Id(id())
}

fn row(table: &str) -> Resource {
    Resource::Row { table: table.into(), key: key() }
}

#[test]
fn urls_name_resources() {
    fn check(path: &str, expected: Resource) {
        let schema = schema();
        let target = parse_url(&format!("{ROOT}{path}"), ROOT, &schema).map(|t| t.resource);
        assert_eq!(target, Ok(expected.clone()), "{path}");
        let absolute = format!("https://crm.example/api/data/v9.2/{path}");
        assert_eq!(
            parse_url(&absolute, ROOT, &schema).map(|t| t.resource),
            Ok(expected.clone()),
            "{absolute}"
        );
        let root = "http://127.0.0.1:8080/api/data/v9.2/";
        assert_eq!(
            parse_url(&absolute, root, &schema).map(|t| t.resource),
            Ok(expected.clone()),
            "{absolute}"
        );
        assert_eq!(parse_url(&format!("/{path}"), "/", &schema).map(|t| t.resource), Ok(expected), "/{path}");
    }
    let table = || "account".to_owned();
    check("", Resource::Service);
    check("$metadata", Resource::Metadata);
    check("%24metadata", Resource::Metadata);
    check("WhoAmI", Resource::WhoAmI);
    check("WhoAmI()", Resource::WhoAmI);
    check("Microsoft.Dynamics.CRM.WhoAmI()", Resource::WhoAmI);
    check("$batch", Resource::Batch);
    check("accounts", Resource::Collection { table: table() });
    check("accounts/", Resource::Collection { table: table() });
    check("accounts?$select=name#part", Resource::Collection { table: table() });
    check("accounts/$count", Resource::Count { table: table() });
    check(&format!("accounts({ID})"), row("account"));
    check(&format!("accounts({})", ID.to_uppercase()), row("account"));
    check(&format!("accounts(accountid={ID})"), row("account"));
    check(&format!("accounts%28{ID}%29"), row("account"));
    check(&format!("pointers(activityid={ID})"), row("pointer"));
    let property = |column: &str| Resource::Property { table: table(), key: key(), column: column.into() };
    check(&format!("accounts({ID})/name"), property("name"));
    check(&format!("accounts({ID})/_primarycontactid_value"), property("primarycontactid"));
    let reference = |navigation: &str| Resource::Reference {
        table: "contact".into(),
        key: key(),
        navigation: navigation.into(),
    };
    check(&format!("contacts({ID})/parentcustomerid_account/$ref"), reference("parentcustomerid_account"));
    let collection = || "contact_customer_accounts".to_owned();
    check(
        &format!("accounts({ID})/contact_customer_accounts"),
        Resource::Related { table: table(), key: key(), collection: collection() },
    );
    check(
        &format!("accounts({ID})/contact_customer_accounts/$count"),
        Resource::RelatedCount { table: table(), key: key(), collection: collection() },
    );
    check(
        &format!("accounts({ID})/primarycontactid"),
        Resource::Navigation { table: table(), key: key(), navigation: "primarycontactid".into() },
    );
    check(
        &format!("accounts({ID})/name/$value"),
        Resource::PropertyValue { table: table(), key: key(), column: "name".into() },
    );
    let links =
        |child| Resource::CollectionReference { table: table(), key: key(), collection: collection(), child };
    check(&format!("accounts({ID})/contact_customer_accounts/$ref"), links(None));
    check(&format!("accounts({ID})/contact_customer_accounts({ID})/$ref"), links(Some(key())));
    let function = |parameters: &[(&str, &str)]| Resource::Function {
        name: "RetrieveTotalRecordCount".into(),
        parameters: parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
    };
    check("RetrieveTotalRecordCount()", function(&[]));
    check("Microsoft.Dynamics.CRM.RetrieveTotalRecordCount()", function(&[]));
    check(
        "RetrieveTotalRecordCount(EntityNames=['account','contact'],X=1)",
        function(&[("EntityNames", "['account','contact']"), ("X", "1")]),
    );
    check(
        "RetrieveTotalRecordCount(EntityNames=@p1,X=@p2)?@p1=%5B'a'%5D",
        function(&[("EntityNames", "['a']"), ("X", "null")]),
    );
}

#[test]
fn definitions_are_named_in_every_documented_way() {
    fn check(path: &str, entity: Option<Selector>, part: Option<DefinitionPart>) {
        let target = parse_url(&format!("{ROOT}{path}"), ROOT, &schema()).map(|t| t.resource);
        assert_eq!(
            target,
            Ok(Resource::Definitions(DefinitionPath { entity, part, ..DefinitionPath::default() })),
            "{path}"
        );
    }
    let account = || Some(Selector::LogicalName("account".into()));
    let attributes = |name: Option<&str>, cast: Option<&str>| {
        let attribute = name.map(|name| Selector::LogicalName(name.into()));
        Some(DefinitionPart::Attributes { attribute, cast: cast.map(str::to_owned) })
    };
    let one = "EntityDefinitions(LogicalName='account')";
    check("EntityDefinitions", None, None);
    check("EntityDefinitions?$select=LogicalName", None, None);
    check(one, account(), None);
    check("EntityDefinitions(LogicalName=%27account%27)", account(), None);
    check(&format!("EntityDefinitions({ID})"), Some(Selector::MetadataId(id())), None);
    check(&format!("EntityDefinitions(MetadataId={ID})"), Some(Selector::MetadataId(id())), None);
    check(&format!("{one}/Attributes"), account(), attributes(None, None));
    check(&format!("{one}/Attributes(LogicalName='name')"), account(), attributes(Some("name"), None));
    let picklist = Some("PicklistAttributeMetadata");
    check(
        &format!("{one}/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata"),
        account(),
        attributes(None, picklist),
    );
    check(
        &format!("{one}/Attributes(LogicalName='x')/Microsoft.Dynamics.CRM.PicklistAttributeMetadata"),
        account(),
        attributes(Some("x"), picklist),
    );
    check(&format!("{one}/ManyToOneRelationships"), account(), Some(DefinitionPart::ManyToOneRelationships));
    check(&format!("{one}/OneToManyRelationships"), account(), Some(DefinitionPart::OneToManyRelationships));
    check(
        &format!("{one}/ManyToManyRelationships"),
        account(),
        Some(DefinitionPart::ManyToManyRelationships),
    );
    check(&format!("{one}/Keys"), account(), Some(DefinitionPart::Keys));
    let named = |name: &str| Selector::LogicalName(name.into());
    check(&format!("{one}/Keys(LogicalName='x')"), account(), Some(DefinitionPart::Key(named("x"))));
    check(
        &format!("{one}/OneToManyRelationships(SchemaName='x')"),
        account(),
        Some(DefinitionPart::Relationship(named("x"))),
    );
    let (attribute, cast) = (named("x"), "PicklistAttributeMetadata".to_owned());
    check(
        &format!("{one}/Attributes(LogicalName='x')/Microsoft.Dynamics.CRM.{cast}/GlobalOptionSet"),
        account(),
        Some(DefinitionPart::OptionSet { attribute, cast, global: true }),
    );
    for (path, kind, entity, cast) in [
        ("RelationshipDefinitions", DefinitionKind::Relationships, None, None),
        (
            "RelationshipDefinitions(SchemaName='x')/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
            DefinitionKind::Relationships,
            Some("x"),
            Some("OneToManyRelationshipMetadata"),
        ),
        ("GlobalOptionSetDefinitions(Name='x')", DefinitionKind::OptionSets, Some("x"), None),
    ] {
        let expected =
            DefinitionPath { kind, entity: entity.map(named), part: None, cast: cast.map(str::to_owned) };
        let found = parse_url(&format!("{ROOT}{path}"), ROOT, &schema()).map(|t| t.resource);
        assert_eq!(found, Ok(Resource::Definitions(expected)), "{path}");
    }
}

#[test]
fn what_is_no_resource_is_refused() {
    fn check(url: &str, status: u16, part: &str) {
        let error = parse_url(url, ROOT, &schema()).expect_err(url);
        assert_eq!((error.status, error.code.as_str()), (status, "0x80060888"), "{url}: {}", error.message);
        assert!(error.message.contains(part), "{url}: {}", error.message);
    }
    let below = |path: &str| format!("{ROOT}{path}");
    check("/api/data/v9.20/accounts", 404, "segment");
    check("/api/data/accounts", 404, "segment");
    check("https://crm.example", 404, "segment");
    check("https://crm.example?x=/api/data/v9.2/accounts", 404, "segment");
    check(&below("account"), 404, "Resource not found for the segment 'account'.");
    check(&below("Accounts"), 404, "'Accounts'");
    check(&below(&format!("nonsense({ID})")), 404, "'nonsense'");
    check(&below("RetrieveNothing"), 404, "'RetrieveNothing'");
    check(&below("/accounts"), 404, "''");
    check(&below("accounts//$count"), 404, "''");
    check(&below("accounts/name"), 404, "'name'");
    check(&below("accounts/$count/x"), 404, "'$count'");
    check(&below(&format!("accounts({ID})/nonsense")), 404, "'nonsense'");
    check(&below(&format!("accounts({ID})/name/x/y")), 404, "'x'");
    check(&below(&format!("accounts({ID})/ownerid_x/$ref")), 404, "'ownerid_x'");
    check(&below(&format!("accounts({ID})/PrimaryContactId/$ref")), 404, "'PrimaryContactId'");
    check(&below("$metadata/x"), 404, "'$metadata'");
    check(&below("accounts(1)"), 400, "Error in query syntax");
    check(&below("accounts()"), 400, "Error in query syntax");
    check(&below(&format!("accounts('{ID}')")), 400, "Error in query syntax");
    check(&below(&format!("accounts({{{ID}}})")), 400, "Error in query syntax");
    check(&below(&format!("accounts({})", ID.replace('-', ""))), 400, "Error in query syntax");
    check(&below(&format!("accounts({ID}")), 400, "Error in query syntax");
    check(&below(&format!("accounts({ID})x")), 400, "Error in query syntax");
    check(&below("accounts(name='x')"), 400, "The key in the request URI is not valid");
    check(&below(&format!("accounts(contactid={ID})")), 400, "The key in the request URI is not valid");
    check(&below("EntityDefinitions(Name='x')"), 400, "Error in query syntax");
    check(&below("EntityDefinitions(LogicalName=x)"), 400, "Error in query syntax");
    check(&below("EntityDefinitions/Attributes"), 404, "'Attributes'");
    check(&below("EntityDefinitions(LogicalName='x')/Nonsense"), 404, "'Nonsense'");
    check(&below("EntityDefinitions(LogicalName='x')/Attributes/Nonsense"), 404, "'Nonsense'");
    check(&below("EntityDefinitions(LogicalName='x')/Keys(1)"), 400, "Error in query syntax");
    check(&below("ManagedPropertyDefinitions"), 501, "ManagedPropertyDefinitions");
    check(&below(&format!("accounts({ID})/primarycontactid/name")), 404, "'name'");
    check(&below(&format!("accounts({ID})/primarycontactid({ID})")), 404, "'primarycontactid'");
    check(&below(&format!("accounts({ID})/contact_customer_accounts/lastname")), 404, "'lastname'");
    check(&below(&format!("accounts({ID})/contact_customer_accounts(1)")), 400, "Error in query syntax");
    check(&below(&format!("accounts({ID})/ownerid/fullname")), 404, "'fullname'");
    check(&below(&format!("accounts({ID})/name/$ref")), 404, "'$ref'");
    check(&below("accounts/Microsoft.Dynamics.CRM.DeleteMultiple"), 404, "DeleteMultiple");
    check(&below(&format!("accounts({ID})/Microsoft.Dynamics.CRM.X")), 404, "'Microsoft.Dynamics.CRM.X'");
    check(&below(&format!("accounts({ID})/Microsoft.Dynamics.CRM.X(Secret='s')")), 404, "CRM.X'");
    let cast = "Microsoft.Dynamics.CRM.contact";
    check(&below(&format!("accounts({ID})/primarycontactid/{cast}")), 501, "cast to 'contact'");
    check(&below(&format!("accounts/{cast}")), 501, "cast to 'contact'");
    check(&below("accounts%2"), 400, "percent-encoding");
    check(&below("accounts%zz"), 400, "percent-encoding");
    check(&below("accounts?$filter=%"), 400, "percent-encoding");
    check(&below("accounts?%ff=1"), 400, "percent-encoding");
    check(&below("accounts?$filter=%c3%28"), 400, "percent-encoding");
    check(&below("accounts?$filter=%ed%a0%80"), 400, "percent-encoding");
    check(&below(&"a".repeat(500)), 404, &format!("'{}'", "a".repeat(100)));
}

#[test]
fn paths_go_on_behind_rows_and_below_them() {
    fn check(path: &str, expected: Resource) {
        let found = parse_url(&format!("{ROOT}{path}"), ROOT, &schema()).map(|target| target.resource);
        assert_eq!(found, Ok(expected), "{path}");
    }
    let account = |key: RowKey| RowKey::Behind {
        table: "contact".into(),
        key: Box::new(key),
        navigation: "parentcustomerid_account".into(),
    };
    let contact = |key: RowKey| RowKey::Within {
        table: "account".into(),
        key: Box::new(key),
        collection: "contact_customer_accounts".into(),
        child: Box::new(RowKey::Id(id())),
    };
    let table = || "account".to_owned();
    let from = format!("contacts({ID})/parentcustomerid_account");
    let name = || "name".to_owned();
    check(
        &format!("{from}/name"),
        Resource::Property { table: table(), key: account(key()), column: name() },
    );
    check(
        &format!("{from}/name/$value"),
        Resource::PropertyValue { table: table(), key: account(key()), column: name() },
    );
    let collection = || "contact_customer_accounts".to_owned();
    check(
        &format!("{from}/contact_customer_accounts"),
        Resource::Related { table: table(), key: account(key()), collection: collection() },
    );
    check(
        &format!("{from}/contact_customer_accounts/$count"),
        Resource::RelatedCount { table: table(), key: account(key()), collection: collection() },
    );
    check(
        &format!("{from}/primarycontactid/$ref"),
        Resource::Reference { table: table(), key: account(key()), navigation: "primarycontactid".into() },
    );
    let child = format!("accounts({ID})/contact_customer_accounts({ID})");
    check(&child, Resource::Row { table: "contact".into(), key: contact(key()) });
    check(
        &format!("{child}/parentcustomerid_account"),
        Resource::Navigation {
            table: "contact".into(),
            key: contact(key()),
            navigation: "parentcustomerid_account".into(),
        },
    );
    check(
        &format!("{child}/parentcustomerid_account/name"),
        Resource::Property { table: table(), key: account(contact(key())), column: name() },
    );
}

#[test]
fn lengths_and_counts_end_at_their_caps() {
    let schema = schema();
    let status = |url: &str| parse_url(url, ROOT, &schema).map_or_else(|error| error.status, |_| 200);
    let url = format!("{ROOT}accounts?tag=");
    let padded = |length: usize| format!("{url}{}", "x".repeat(length - url.len()));
    assert_eq!(status(&padded(URL_LENGTH_MAX)), 200);
    assert_eq!(status(&padded(URL_LENGTH_MAX + 1)), 414);
    assert_eq!(status(&format!("{ROOT}accounts?{}", "a=1&".repeat(OPTIONS_MAX))), 200);
    assert_eq!(status(&format!("{ROOT}accounts?{}", "a=1&".repeat(OPTIONS_MAX + 1))), 400);
    assert_eq!(status(&format!("{ROOT}{}", "/".repeat(60_000))), 404);
    assert_eq!(status(&format!("{ROOT}X({})", "(".repeat(60_000))), 400);
    let through = |steps: usize| {
        let row = format!("/contact_customer_accounts({ID})/parentcustomerid_account");
        status(&format!("{ROOT}accounts({ID}){}/name", row.repeat(steps / 2)))
    };
    assert_eq!(through(PATH_STEPS_MAX), 200);
    assert_eq!(through(PATH_STEPS_MAX + 2), 400);
}

#[test]
fn options_are_decoded_in_order() {
    fn check(query: &str, expected: &[(&str, &str)]) {
        let target = parse_url(&format!("{ROOT}accounts?{query}"), ROOT, &schema()).unwrap();
        let options: Vec<_> = target.options.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(options, expected, "{query}");
    }
    check("", &[]);
    check("&&", &[]);
    check("$top", &[("$top", "")]);
    check("$select=name,revenue&$top=3", &[("$select", "name,revenue"), ("$top", "3")]);
    check("%24filter=name+eq%20'a%26b%2B%3D'", &[("$filter", "name eq 'a&b+='")]);
    check("$filter=name eq 'Søn'", &[("$filter", "name eq 'Søn'")]);
    check("$filter=a%23b#c&$top=1", &[("$filter", "a#b")]);
    check("$filter=a=b=c", &[("$filter", "a=b=c")]);
    check("$filter=contains(name,'?')", &[("$filter", "contains(name,'?')")]);
    check("$deltatoken=919042%2108%2f22%2f2017", &[("$deltatoken", "919042!08/22/2017")]);
    check(
        "$skiptoken=%3Ccookie%20pagenumber=%222%22%20/%3E",
        &[("$skiptoken", "<cookie pagenumber=\"2\" />")],
    );
}

#[test]
fn values_of_parameters_end_where_their_brackets_do() {
    fn check(call: &str, expected: Option<&str>) {
        let target = parse_url(&format!("{ROOT}{call}"), ROOT, &schema());
        let value = target.ok().and_then(|target| match target.resource {
            Resource::Function { parameters, .. } => parameters.first().map(|(_, value)| value.clone()),
            _ => None,
        });
        assert_eq!(value.as_deref(), expected, "{call}");
    }
    check("Name(A=1)", Some("1"));
    check("Name(A='(')", Some("'('"));
    check("Name(A='O''Neil)')", Some("'O''Neil)'"));
    check("Name(A=@p)?@p=[\"O'Neil\",{\"a\":\"\\\"]\"}]", Some("[\"O'Neil\",{\"a\":\"\\\"]\"}]"));
    check("Name(A=1))", None);
    check("Name(A=1)(2)", None);
    check("Name(A='x)", None);
    check("Name(A=@p)?@p=[1", None);
    check("Name(A=@p)?@p=[1)", None);
    check("Name(A=@p)?@p='", None);
}

proptest! {
    #[test]
    fn reading_never_panics(url in "\\PC*") {
        let schema = schema();
        let _ = parse_url(&url, ROOT, &schema);
        let _ = parse_url(&format!("{ROOT}{url}"), ROOT, &schema);
        let _ = parse_url(&format!("{ROOT}accounts({ID})/{url}"), ROOT, &schema);
        let _ = parse_url(&url, &url, &schema);
    }

    #[test]
    fn any_text_survives_encoding(value in "\\PC{0,20}") {
        let encoded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let target = parse_url(&format!("{ROOT}accounts?tag={encoded}"), ROOT, &schema()).unwrap();
        prop_assert_eq!(target.options, vec![("tag".to_owned(), value)]);
    }
}
