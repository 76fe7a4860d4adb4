//! Words the demo data is made of. The people and companies do not exist.

/// A town with what belongs to it.
pub(super) struct Town {
    pub(super) name: &'static str,
    pub(super) postal_code: &'static str,
    pub(super) country: &'static str,
    /// International prefix and area.
    pub(super) dialling: &'static str,
    /// Legal form of companies.
    pub(super) form: &'static str,
    pub(super) streets: &'static [&'static str],
}

const GERMAN: &[&str] =
    &["Hauptstraße", "Gartenweg", "Müllerstraße", "Am Bahnhof", "Lindenallee", "Schloßplatz"];
const NORSE: &[&str] = &["Storgata", "Kirkeveien", "Bjørnegata", "Åsveien", "Sjøgata", "Fjellveien"];
const FRENCH: &[&str] =
    &["rue de la Gare", "avenue des Érables", "place de l'Église", "rue Molière", "quai Voltaire"];
const ENGLISH: &[&str] =
    &["High Street", "Station Road", "Church Lane", "King's Road", "Mill Lane", "Park Avenue"];
const SPANISH: &[&str] =
    &["Calle Mayor", "Avenida de la Constitución", "Calle Nuñez", "Plaza España", "Camino Real"];
const POLISH: &[&str] = &["ulica Długa", "ulica Krótka", "ulica Świętojańska", "aleja Róż", "ulica Łąkowa"];

#[rustfmt::skip]
pub(super) const TOWNS: &[Town] = &[
    Town { name: "Oslo", postal_code: "0155", country: "Norway", dialling: "+47 22", form: "AS", streets: NORSE },
    Town { name: "Tromsø", postal_code: "9008", country: "Norway", dialling: "+47 77", form: "AS", streets: NORSE },
    Town { name: "Malmö", postal_code: "211 20", country: "Sweden", dialling: "+46 40", form: "AB", streets: NORSE },
    Town { name: "München", postal_code: "80331", country: "Germany", dialling: "+49 89", form: "GmbH", streets: GERMAN },
    Town { name: "Köln", postal_code: "50667", country: "Germany", dialling: "+49 221", form: "GmbH & Co. KG", streets: GERMAN },
    Town { name: "Zürich", postal_code: "8001", country: "Switzerland", dialling: "+41 44", form: "AG", streets: GERMAN },
    Town { name: "Wien", postal_code: "1010", country: "Austria", dialling: "+43 1", form: "GesmbH", streets: GERMAN },
    Town { name: "Besançon", postal_code: "25000", country: "France", dialling: "+33 3 81", form: "SARL", streets: FRENCH },
    Town { name: "Liège", postal_code: "4000", country: "Belgium", dialling: "+32 4", form: "SA", streets: FRENCH },
    Town { name: "Leeds", postal_code: "LS1 4AP", country: "United Kingdom", dialling: "+44 113", form: "Ltd.", streets: ENGLISH },
    Town { name: "Cork", postal_code: "T12 W8KP", country: "Ireland", dialling: "+353 21", form: "Ltd.", streets: ENGLISH },
    Town { name: "A Coruña", postal_code: "15001", country: "Spain", dialling: "+34 981", form: "S.L.", streets: SPANISH },
    Town { name: "Málaga", postal_code: "29015", country: "Spain", dialling: "+34 952", form: "S.A.", streets: SPANISH },
    Town { name: "Łódź", postal_code: "90-001", country: "Poland", dialling: "+48 42", form: "Sp. z o.o.", streets: POLISH },
    Town { name: "Gdańsk", postal_code: "80-831", country: "Poland", dialling: "+48 58", form: "S.A.", streets: POLISH },
];

pub(super) const FIRST: &[&str] = &[
    "Anna",
    "Björn",
    "Chloé",
    "David",
    "Elif",
    "François",
    "Gülşen",
    "Håkon",
    "Inés",
    "Jürgen",
    "Kåre",
    "Łucja",
    "Małgorzata",
    "Noël",
    "Øystein",
    "Paula",
    "Quentin",
    "Renée",
    "Søren",
    "Thérèse",
    "Ümit",
    "Violeta",
    "Wojciech",
    "Xavier",
    "Yvonne",
    "Zoë",
    "Åse",
    "Ägidius",
    "Siobhán",
    "José",
    "Karin",
    "Liam",
    "Maria",
    "Nora",
    "Oskar",
    "Petra",
    "Rasmus",
    "Sofia",
    "Tomáš",
    "Ursula",
    "Emma",
    "Finn",
    "Grete",
    "Hanne",
    "Ivar",
    "Johannes",
    "Kirsten",
    "Lars",
];

pub(super) const LAST: &[&str] = &[
    "Ångström",
    "Bäcker",
    "Çelik",
    "Dąbrowski",
    "Eriksen",
    "Fernández",
    "Großmann",
    "Hågensen",
    "Ibáñez",
    "Jørgensen",
    "Köhler",
    "Lindqvist",
    "Müller",
    "Nuñez",
    "O'Brien",
    "Østergaard",
    "Pérez",
    "Quist",
    "Rössler",
    "Sørlie",
    "Tørnqvist",
    "Übelacker",
    "van den Berg",
    "Weiß",
    "Yılmaz",
    "Żukowski",
    "Ærø",
    "D'Angelo",
    "Kowalczyk",
    "Smith-Jones",
    "Dupont",
    "Lefèvre",
    "Moreau",
    "Schäfer",
    "Bauer",
    "Hansen",
    "Johansson",
    "Nilsen",
    "Walsh",
    "McCarthy",
    "Garcia",
    "Šimek",
];

pub(super) const BUSINESS: &[&str] = &[
    "Maschinenbau",
    "Bakeri",
    "Boats",
    "Textiles",
    "Consulting",
    "Møbler",
    "Vins",
    "Logistics",
    "Elektro",
    "Bücher",
    "Foods",
    "Instruments",
    "Software",
    "Papir",
    "Keramik",
    "Timber",
    "Optik",
    "Travel",
    "Energi",
    "Toys",
];

pub(super) const TITLES: &[&str] = &[
    "Owner",
    "Managing Director",
    "Sales Manager",
    "Purchasing Manager",
    "Accountant",
    "Engineer",
    "Office Manager",
    "Head of Research",
    "Clerk",
    "Technician",
    "Marketing Assistant",
    "Logistics Planner",
];

pub(super) const DEPARTMENTS: &[&str] =
    &["Sales", "Purchasing", "Accounts", "Research", "Production", "Service", "Marketing"];

pub(super) const SUBJECTS: &[&str] = &[
    "Call back about the offer",
    "Send price list",
    "Prepare the visit",
    "Check the complaint",
    "Renew the contract",
    "Thank for the order",
    "Ask for references",
    "Clarify delivery date",
    "Invite to the trade fair",
    "Book the café table",
];
