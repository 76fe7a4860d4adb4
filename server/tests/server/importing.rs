//! Imports: the shared sample where this machine has it, a small file of our own always.

use super::support::{database, shared, Server};
use flette_server::api::Profile;
use flette_server::db::Database;
use flette_server::import::{Job, Summary};
use flette_server::{people, web};
use std::path::Path;

const CUSTOMERS: &str = "customerID,companyName,contactName,contactTitle,address,city,\
    region,postalCode,country,phone,fax\n\
    BLONP,Blondel père et fils,Frédérique Citeaux,Marketing Manager,\
    24, place Kléber,Strasbourg,NULL,67000,France,88.60,NULL\n\
    BONAP,Bon app',José Pedro Freyre,Owner,\
    \"12, rue des Bouchers\",Marseille,NULL,13008,France,91.24,91.25\n";

fn load(database: &Database, table: &str, maps: &[&str], file: &Path) -> anyhow::Result<Summary> {
    let mappings: Vec<_> = maps.iter().map(|m| m.parse().unwrap()).collect();
    let job = Job { database, table, mappings: &mappings, owner: people::ADMIN, now: web::now() };
    job.load(file, &mut |_, _| {})
}

fn file(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

async fn serve(database: Database) -> Server {
    people::add_demo_people(&database, web::now()).unwrap();
    Server::over(database, Profile::Open, None).sign_in("demo").await
}

/// What a list of customers must look like, whoever's it is.
async fn check_customers(server: &Server, count: usize) {
    let accounts = server
        .list(
            "accounts?$select=name,address1_line1,address1_city,\
             address1_stateorprovince,telephone1,\
             _primarycontactid_value&$expand=primarycontactid($select=fullname,\
             firstname,lastname,jobtitle,_parentcustomerid_value)",
        )
        .await
        .rows();
    assert_eq!(accounts.len(), count);
    for account in &accounts {
        assert_eq!(
            account["primarycontactid"]["_parentcustomerid_value"], account["accountid"],
            "{}",
            account["name"]
        );
    }
    let named = |name: &str| accounts.iter().find(|a| a["name"] == name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!(named("Bon app'")["address1_line1"], "12, rue des Bouchers");
    assert!(named("Bon app'")["address1_stateorprovince"].is_null());
    let contacts =
        server.list("contacts?$select=fullname,firstname,lastname&$filter=lastname eq 'freyre'").await.rows();
    assert_eq!(
        (contacts[0]["firstname"].as_str(), contacts[0]["lastname"].as_str()),
        (Some("José Pedro"), Some("Freyre"))
    );
    assert_eq!(server.get("contacts/$count").await.body, count.to_string());
}

#[tokio::test]
async fn northwind_comes_in_with_its_people_linked() {
    let Some(shared) = shared() else {
        eprintln!("the shared sample is not on this machine; the small file's test stands for it");
        return;
    };
    let database = database();
    let folder = shared.join("data/northwind");
    let customers = load(&database, "accounts", &[], &folder.join("customers.csv")).unwrap();
    assert_eq!((customers.rows, customers.linked, customers.ignored.len()), (91, 91, 0));
    let count =
        |server: Server, set: &'static str| async move { server.get(&format!("{set}/$count")).await.body };
    let database = {
        let suppliers = load(&database, "accounts", &[], &folder.join("suppliers.csv")).unwrap();
        assert_eq!((suppliers.rows, suppliers.linked), (29, 29));
        database
    };
    let server = serve(database).await;
    assert_eq!(count(server.clone(), "accounts").await, "120");
    assert_eq!(count(server.clone(), "contacts").await, "120");
    for (name, city) in [
        ("Pavlova, Ltd.", "Melbourne"),
        ("Heli Süßwaren GmbH & Co. KG", "Berlin"),
        ("Cooperativa de Quesos 'Las Cabras'", "Oviedo"),
        ("Comércio Mineiro", "Sao Paulo"),
    ] {
        let filter = name.replace('\'', "''").replace('&', "%26");
        let rows =
            server.list(&format!("accounts?$select=address1_city&$filter=name eq '{filter}'")).await.rows();
        assert_eq!(rows.len(), 1, "{name}");
        assert_eq!(rows[0]["address1_city"], city);
    }
}

#[tokio::test]
async fn a_small_file_of_customers_comes_in_by_preset_and_by_mapping() {
    let (_folder, path) = file("customers.csv", CUSTOMERS);
    let database = database();
    let summary = load(&database, "accounts", &[], &path).unwrap();
    assert_eq!((summary.rows, summary.linked, summary.repaired), (2, 2, 1));
    assert_eq!(
        summary.to_string(),
        "imported 2 accounts and 2 linked contacts; 1 lines held unquoted commas"
    );
    check_customers(&serve(database).await, 2).await;

    let renamed = CUSTOMERS.replace("companyName", "firm").replace("contactName", "person");
    let (_folder, path) = file("firms.csv", &renamed);
    let database = super::support::database();
    let maps = [
        "firm=name",
        "person=contact.fullname",
        "contactTitle=contact.jobtitle",
        "address=address1_line1",
        "phone=telephone1",
    ];
    let summary = load(&database, "accounts", &maps, &path).unwrap();
    assert_eq!(summary.ignored, ["customerID", "city", "region", "postalCode", "country"]);
    check_customers(&serve(database).await, 2).await;
}

#[tokio::test]
async fn people_come_in_with_types_and_companies() {
    let text = "LastName,firstname,birthDate,gendercode,donotphone,creditlimit,company,extra\n\
        Åsen,Bo,1948-12-08 00:00:00.000,Male,yes,12.5,Én AS,x\n\
        Dahl,Kari,1952-02-19,2,0,NULL,én as,y\n";
    let (_folder, path) = file("people.csv", text);
    let database = database();
    let summary = load(&database, "contacts", &["company=account.name"], &path).unwrap();
    assert_eq!((summary.rows, summary.linked, summary.ignored), (2, 1, vec!["extra".to_owned()]));
    let server = serve(database).await;
    let rows = server
        .list(
            "contacts?$select=fullname,birthdate,gendercode,donotphone,creditlimit&$orderby=lastname\
             &$expand=parentcustomerid_account($select=name)",
        )
        .await
        .rows();
    let kari = &rows[0];
    assert_eq!((kari["birthdate"].as_str(), kari["gendercode"].as_i64()), (Some("1952-02-19"), Some(2)));
    let bo = &rows[1];
    assert_eq!((bo["fullname"].as_str(), bo["donotphone"].as_bool()), (Some("Bo Åsen"), Some(true)));
    assert_eq!(bo["creditlimit"].to_string(), "12.5", "{bo}");
    assert_eq!(bo["parentcustomerid_account"]["name"], kari["parentcustomerid_account"]["name"]);

    let card = "BEGIN:VCARD\nVERSION:3.0\nFN:Eva Strøm\nORG:Én AS\nTEL;TYPE=CELL:+47 1\nEND:VCARD\n";
    let (_folder, path) = file("eva.vcf", card);
    let database = super::support::database();
    let summary = load(&database, "contacts", &[], &path).unwrap();
    assert_eq!((summary.rows, summary.linked), (1, 1));
    let row =
        serve(database).await.list("contacts?$select=firstname,lastname,mobilephone").await.rows().remove(0);
    assert_eq!((row["lastname"].as_str(), row["mobilephone"].as_str()), (Some("Strøm"), Some("+47 1")));
}

#[tokio::test]
async fn a_file_that_does_not_fit_is_refused_as_a_whole_and_says_where() {
    let database = database();
    let long = "x".repeat(161);
    for (table, text, maps, part) in [
        ("accounts", format!("name\nGood\n{long}\n"), vec![], "line 3"),
        ("accounts", "name,revenue\nGood,1\nBad,many\n".to_owned(), vec![], "line 3"),
        ("accounts", "name\nGood\n\"Bad\",2\n".to_owned(), vec![], "line 3"),
        ("accounts", "firm\nGood\n".to_owned(), vec![], "no column"),
        ("accounts", "name\nGood\n".to_owned(), vec!["firm=name"], "no column firm"),
        ("accounts", "name\nGood\n".to_owned(), vec!["name=createdon"], "createdon"),
        ("accounts", "name\nGood\n".to_owned(), vec!["name=task.subject"], "task.subject"),
        ("accountleadscollection", "fullname\nx\n".to_owned(), vec![], "read-only"),
        ("nothing", "name\nx\n".to_owned(), vec![], "no table"),
    ] {
        let (_folder, path) = file("x.csv", &text);
        let error = format!("{:#}", load(&database, table, &maps, &path).unwrap_err());
        assert!(error.contains(part), "{table} {text}: {error}");
        assert!(!error.contains("many"), "values are not repeated: {error}");
    }
    assert_eq!(serve(database).await.get("accounts/$count").await.body, "0");
}
