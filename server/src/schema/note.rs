//! Table `annotation`: notes and attached files of other rows.

use super::activity::{ACTIVITIES, REGARDED};
use super::builder::{Ownership, TableBuilder};
use super::common::{owned_columns, NO_YES};
use flette_odata::edm::OnDelete::{self, Cascade};
use flette_odata::edm::Table;

/// Longest attached file in base64, UTF-16 units.
const FILE_LENGTH_MAX: u32 = 1_073_741_823;

/// The table. `filesize` and `objecttypecode` follow from the file and the row that is noted.
pub(super) fn table() -> Table {
    let noted = REGARDED.into_iter().chain(ACTIVITIES.map(|(table, schema_name, _)| (table, schema_name)));
    let names: Vec<(&str, String, String)> = noted
        .map(|(table, start)| (table, format!("objectid_{table}"), format!("{start}_Annotation")))
        .collect();
    let targets: Vec<(&str, &str, &str, OnDelete)> = names
        .iter()
        .map(|(table, navigation, relationship)| {
            (*table, navigation.as_str(), relationship.as_str(), Cascade)
        })
        .collect();
    let builder = TableBuilder::new(("Annotation", "Note", "Notes"), "annotations", 5, Ownership::User)
        .id(("AnnotationId", "Note"))
        .text(("Subject", "Title"), 500)
        .primary_name()
        .memo(("NoteText", "Description"), 100_000)
        .lookup(("ObjectId", "Regarding"), &targets)
        .text(("ObjectTypeCode", "Object Type"), 64)
        .computed()
        .boolean(("IsDocument", "Is Document"), NO_YES)
        .text(("FileName", "File Name"), 255)
        .text(("MimeType", "Mime Type"), 256)
        .memo(("DocumentBody", "Document"), FILE_LENGTH_MAX)
        .integer(("FileSize", "File Size (Bytes)"), 0, 1_000_000_000)
        .computed()
        .text(("LangId", "Language ID"), 2)
        .text(("StepId", "Step Id"), 32);
    owned_columns(builder, "annotation").build()
}
