//! The XML of forms and views.

use crate::schema::id_of;
use flette_odata::edm::Required;
use flette_odata::{Column, ColumnKind, Table};

/// Columns of a list, beside those that were added by customisers.
const LISTED_MAX: usize = 6;
/// Columns of a form, beside those that were added by customisers.
const ON_FORM_MAX: usize = 40;
/// Width of a column in a list, pixels.
const WIDTH: u32 = 150;

/// Columns that say nothing to a person.
const TECHNICAL: [&str; 9] = [
    "importsequencenumber",
    "overriddencreatedon",
    "timezoneruleversionnumber",
    "utcconversiontimezonecode",
    "traversedpath",
    "versionnumber",
    "exchangerate",
    "activityadditionalparams",
    "sortdate",
];

/// Columns of the table's lists: the name, what customisers added, then the first of the others.
pub(super) fn listed(table: &Table) -> Vec<&Column> {
    let name = table.column(&table.primary_name);
    let readable = |column: &&Column| {
        is_plain(table, column)
            && !matches!(column.kind, ColumnKind::Memo { .. } | ColumnKind::Boolean { .. })
            && column.logical_name != table.primary_name
    };
    let custom = table.columns.iter().filter(readable).filter(|column| table.custom && column.custom);
    let own = table.columns.iter().filter(readable).filter(|column| !column.custom && is_written(column));
    let moment = table.column("modifiedon").into_iter();
    name.into_iter().chain(custom).chain(own.take(LISTED_MAX - 2)).chain(moment).collect()
}

/// Columns of the table's form.
fn on_form(table: &Table) -> Vec<&Column> {
    let shown = |column: &&Column| is_plain(table, column) && is_written(column);
    let name = table.column(&table.primary_name);
    let others = |column: &&Column| column.logical_name != table.primary_name;
    let custom = table.columns.iter().filter(shown).filter(others).filter(|c| table.custom && c.custom);
    let own = table.columns.iter().filter(shown).filter(others).filter(|c| !c.custom);
    name.into_iter().chain(custom).chain(own.take(ON_FORM_MAX)).collect()
}

fn is_written(column: &Column) -> bool {
    column.valid_for_create && column.valid_for_update
}

fn is_plain(table: &Table, column: &Column) -> bool {
    let id =
        column.logical_name == table.primary_id || matches!(column.kind, ColumnKind::Id | ColumnKind::Guid);
    !id && column.logical_name != "statecode"
        && column.logical_name != "documentbody"
        && !TECHNICAL.contains(&column.logical_name.as_str())
}

/// `fetchxml` of a view: its columns by name, rows that meet `conditions`.
pub(super) fn fetch(table: &Table, conditions: &str) -> String {
    let mut out = format!(
        "<fetch version=\"1.0\" mapping=\"logical\"><entity name=\"{}\"><attribute name=\"{}\"/>",
        escaped(&table.logical_name),
        escaped(&table.primary_id)
    );
    for column in listed(table) {
        out.push_str(&format!("<attribute name=\"{}\"/>", escaped(&column.logical_name)));
    }
    if !table.primary_name.is_empty() {
        out.push_str(&format!(
            "<order attribute=\"{}\" descending=\"false\"/>",
            escaped(&table.primary_name)
        ));
    }
    if !conditions.is_empty() {
        out.push_str(&match conditions.starts_with("<filter") {
            true => conditions.to_owned(),
            false => format!("<filter type=\"and\">{conditions}</filter>"),
        });
    }
    out.push_str("</entity></fetch>");
    out
}

/// `layoutxml` of a view.
pub(super) fn layout(table: &Table) -> String {
    let jump = if table.primary_name.is_empty() { &table.primary_id } else { &table.primary_name };
    let mut out = format!(
        "<grid name=\"resultset\" object=\"{}\" jump=\"{}\" select=\"1\" icon=\"1\" preview=\"1\">\
         <row name=\"result\" id=\"{}\">",
        table.type_code,
        escaped(jump),
        escaped(&table.primary_id)
    );
    for column in listed(table) {
        out.push_str(&format!("<cell name=\"{}\" width=\"{WIDTH}\"/>", escaped(&column.logical_name)));
    }
    out.push_str("</row></grid>");
    out
}

/// `formxml` of the main form: one tab, one section, a row for each column.
pub(super) fn form(table: &Table) -> String {
    let id = |what: &str| id_of(&format!("form/{}/{what}", table.metadata_id));
    let mut out = format!(
        "<form><tabs><tab name=\"general\" id=\"{{{}}}\" expanded=\"true\" showlabel=\"true\"><labels>\
         <label description=\"General\" languagecode=\"1033\"/></labels><columns><column width=\"100%\"><sections>\
         <section name=\"information\" id=\"{{{}}}\" showlabel=\"true\" columns=\"1\"><labels><label \
         description=\"{}\" languagecode=\"1033\"/></labels><rows>",
        id("tab"),
        id("section"),
        escaped(&table.display_name)
    );
    for column in on_form(table) {
        let is_required = matches!(column.required, Required::Application | Required::System);
        let (name, label) = (escaped(&column.logical_name), escaped(&column.display_name));
        let (cell, class) = (id(&column.logical_name), class_id(&column.kind));
        let required = if is_required { " isrequired=\"true\"" } else { "" };
        out.push_str(&format!(
            "<row><cell id=\"{{{cell}}}\" showlabel=\"true\"><labels><label description=\"{label}\" \
             languagecode=\"1033\"/></labels><control id=\"{name}\" classid=\"{class}\" \
             datafieldname=\"{name}\" disabled=\"false\"{required}/></cell></row>"
        ));
    }
    out.push_str("</rows></section></sections></column></columns></tab></tabs></form>");
    out
}

/// The control that Dataverse's forms use for a type.
fn class_id(kind: &ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text { .. } | ColumnKind::Id | ColumnKind::Guid => {
            "{4273EDBD-AC1D-40d3-9FB2-095C621B552D}"
        }
        ColumnKind::Memo { .. } => "{E0DECE4B-6FC8-4a8f-A065-082708572369}",
        ColumnKind::Integer { .. } | ColumnKind::BigInt => "{C6D124CA-7EDA-4a60-AEA9-7FB8D318B68F}",
        ColumnKind::Decimal { .. } => "{C3EFE0C3-0EC6-42be-8349-CBD9079DFD8E}",
        ColumnKind::Money { .. } => "{533B9E00-756B-4312-95A0-DC888637AC78}",
        ColumnKind::Double { .. } => "{0D2C745A-E5A8-4c8f-BA63-C6D3BB604660}",
        ColumnKind::Boolean { .. } => "{67FAC785-CD58-4f9f-ABB3-4B7DDC6ED5ED}",
        ColumnKind::DateTime | ColumnKind::Date => "{5B773807-9FB2-42db-97C3-7A91EFF8ADFF}",
        ColumnKind::Picklist { .. } => "{3EF39988-22BB-4f0b-BBBE-64B5A3748AEE}",
        ColumnKind::MultiPicklist { .. } => "{4AA28AB7-9C13-4F57-A73D-AD894D048B5F}",
        ColumnKind::State { .. } | ColumnKind::Status { .. } => "{5D68B988-0661-4db2-BC3E-17598AD3BE6C}",
        ColumnKind::Lookup { .. } => "{270BD3DB-D9AF-4782-9025-509E298DEC0A}",
    }
}

/// An XML text without what shows, fetches, orders or asks by a column: whole elements, and the rows of a form that
/// are empty then.
pub(super) fn without(xml: &str, column: &str) -> String {
    let mut out = xml.to_owned();
    for (element, attribute) in [
        ("row", "datafieldname"),
        ("cell", "name"),
        ("attribute", "name"),
        ("order", "attribute"),
        ("condition", "attribute"),
    ] {
        out = without_element(&out, element, attribute, column);
    }
    out
}

/// Removes the elements of a name that have the attribute, or (a row of a form) hold an element that has it. The
/// elements of these names do not nest.
fn without_element(xml: &str, element: &str, attribute: &str, value: &str) -> String {
    let (open, close) = (format!("<{element}"), format!("</{element}>"));
    let marks = [format!("{attribute}=\"{value}\""), format!("{attribute}='{value}'")];
    let mut out = String::with_capacity(xml.len());
    let mut rest = xml;
    while let Some(start) = find_open(rest, &open) {
        let tag_end = rest[start..].find('>').map_or(rest.len(), |at| start + at + 1);
        let end = match rest[..tag_end].ends_with("/>") {
            true => tag_end,
            false => rest[tag_end..].find(&close).map_or(tag_end, |at| tag_end + at + close.len()),
        };
        // What a condition holds are values, and what a cell of a form holds is its control: only rows are looked into.
        let searched = if element == "row" { &rest[start..end] } else { &rest[start..tag_end] };
        let goes = marks.iter().any(|mark| searched.contains(mark.as_str()));
        // The row of a list holds all its cells: it stays, and they are looked at by themselves.
        let holds_cells = element == "row" && searched.contains("<cell name");
        let kept_to = if goes && !holds_cells {
            start
        } else if element == "row" {
            end
        } else {
            tag_end
        };
        out.push_str(&rest[..kept_to]);
        rest = if goes && !holds_cells { &rest[end..] } else { &rest[kept_to..] };
    }
    out.push_str(rest);
    out
}

/// Where an element of exactly this name begins.
fn find_open(xml: &str, open: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = xml[from..].find(open).map(|at| from + at) {
        let after = xml[at + open.len()..].chars().next();
        if after.is_some_and(|c| c.is_whitespace() || matches!(c, '>' | '/')) {
            return Some(at);
        }
        from = at + open.len();
    }
    None
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
