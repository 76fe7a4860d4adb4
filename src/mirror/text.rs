//! Text columns: distinct texts in one buffer and a code per row, or one text per row where most differ.

use super::bits::Bits;
use super::bytes::{stored, Damage, Packed, Reader};
use crate::model::{planted, Bug};
use flette_odata::collate;
use hashbrown::HashTable;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::hash::Hasher;

/// Stands for the number of shared texts where each row has one of its own.
pub(super) const TEXT_PER_ROW: u32 = u32::MAX;

/// After this many entries a builder looks whether sharing pays.
const SHARING_TRIAL: usize = 512;

/// Texts one after the other in one buffer.
#[derive(Debug, Clone, Default)]
pub(super) struct TextList {
    text: String,
    /// Where each text ends, bytes.
    ends: Vec<u32>,
}

impl TextList {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(stored(self.text.len()));
    }

    pub(super) fn get(&self, at: usize) -> &str {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.text[start..self.ends[at] as usize]
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|at| self.get(at))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<u32>()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let longest = self.iter().map(str::len).max().unwrap_or(0);
        Packed::new(self.iter().map(|text| text.len() as u64), longest as u64).write(out);
        out.extend_from_slice(&stored(self.text.len()).to_le_bytes());
        out.extend_from_slice(self.text.as_bytes());
    }

    /// Reads `count` texts.
    pub(super) fn read(reader: &mut Reader<'_>, count: usize) -> Result<TextList, Damage> {
        let lengths = Packed::read(reader, count)?;
        let total = reader.length()?;
        let text = std::str::from_utf8(reader.take(total)?).map_err(|_| Damage("text is not UTF-8"))?;
        let mut end = 0u64;
        let mut ends = Vec::with_capacity(count);
        for length in lengths.iter() {
            end = end.saturating_add(length);
            let at = u32::try_from(end).map_err(|_| Damage("text too long"))?;
            if !text.is_char_boundary(at as usize) {
                return Err(Damage("text cut inside a character"));
            }
            ends.push(at);
        }
        if end == total as u64 {
            Ok(TextList { text: text.to_owned(), ends })
        } else {
            Err(Damage("texts and their lengths differ"))
        }
    }

    /// The same texts folded as [`collate::fold`] does.
    fn folded(&self) -> TextList {
        if planted(Bug::OtherCaseRules) {
            return self.clone();
        }
        if self.text.is_ascii() {
            return TextList { text: self.text.to_ascii_lowercase(), ends: self.ends.clone() };
        }
        let mut text = String::with_capacity(self.text.len());
        let mut ends = Vec::with_capacity(self.len());
        for entry in self.iter() {
            let start = text.len();
            match entry.is_ascii() {
                // Without a text of its own for each entry: most have no other letters.
                true => {
                    text.push_str(entry);
                    text[start..].make_ascii_lowercase();
                }
                false => text.push_str(&collate::fold(entry)),
            }
            ends.push(stored(text.len()));
        }
        TextList { text, ends }
    }

    /// Entries that are this text.
    pub(super) fn equal_to(&self, text: &str) -> Bits {
        let (bytes, wanted) = (self.text.as_bytes(), text.as_bytes());
        let mut start = 0;
        Bits::of(&self.ends, |end| {
            let entry = start..end as usize;
            start = entry.end;
            entry.len() == wanted.len() && bytes[entry] == *wanted
        })
    }

    /// Entries that hold `pattern` somewhere: one search over the whole buffer.
    pub(super) fn containing(&self, pattern: &str) -> Bits {
        if pattern.is_empty() {
            return Bits::all(self.len());
        }
        let mut found = Bits::none(self.len());
        let finder = memchr::memmem::Finder::new(pattern);
        let bytes = self.text.as_bytes();
        let (mut from, mut entry) = (0, 0);
        while let Some(at) = finder.find(&bytes[from..]).map(|at| at + from) {
            // Hits come in order, so the entry is looked for from the last one on.
            entry += self.ends[entry..].partition_point(|end| *end as usize <= at);
            let end = self.ends[entry] as usize;
            if at + pattern.len() <= end {
                found.set(entry);
                from = end;
            } else {
                from = at + 1;
            }
        }
        found
    }
}

/// A text column that rows can still be added to.
#[derive(Debug, Default)]
pub(super) struct TextBuilder {
    entries: TextList,
    codes: Vec<u32>,
    known: HashTable<u32>,
    /// Whether equal texts are no longer looked for.
    plain: bool,
}

impl TextBuilder {
    pub(super) fn push(&mut self, text: &str) {
        if !self.plain {
            let entries = &self.entries;
            let hash = hash_text(text);
            if let Some(code) = self.known.find(hash, |code| entries.get(*code as usize) == text) {
                return self.codes.push(*code);
            }
            let code = stored(entries.len());
            self.known.insert_unique(hash, code, |code| hash_text(entries.get(*code as usize)));
            if entries.len() >= SHARING_TRIAL && entries.len() > self.codes.len() / 8 * 7 {
                self.plain = true;
                self.known = HashTable::new();
            }
        }
        self.codes.push(stored(self.entries.len()));
        self.entries.push(text);
    }

    pub(super) fn push_null(&mut self) {
        self.codes.push(0);
    }

    pub(super) fn get(&self, row: usize) -> &str {
        self.entries.get(self.codes[row] as usize)
    }

    /// Shared texts while fewer than three in four rows have one of their own; else a text per row.
    pub(super) fn write(&self, nulls: &Bits, out: &mut Vec<u8>) {
        let rows = self.codes.len();
        if self.entries.len() < rows / 4 * 3 {
            out.extend_from_slice(&stored(self.entries.len()).to_le_bytes());
            self.entries.write(out);
            let codes = self.codes.iter().map(|code| u64::from(*code));
            Packed::new(codes, self.entries.len().saturating_sub(1) as u64).write(out);
            return;
        }
        out.extend_from_slice(&TEXT_PER_ROW.to_le_bytes());
        let mut list = TextList::default();
        (0..rows).for_each(|row| list.push(if nulls.get(row) { "" } else { self.get(row) }));
        list.write(out);
    }
}

/// A sealed text column.
#[derive(Debug)]
pub(super) struct Texts {
    entries: TextList,
    /// Entry of each row; without it entry and row are the same.
    codes: Option<Packed>,
    folded: OnceCell<TextList>,
}

impl Texts {
    pub(super) fn read(reader: &mut Reader<'_>, rows: usize) -> Result<Texts, Damage> {
        let count = reader.u32()?;
        let shared = count != TEXT_PER_ROW;
        let count = if shared { count as usize } else { rows };
        if count > rows {
            return Err(Damage("more texts than rows"));
        }
        let entries = TextList::read(reader, count)?;
        let codes = if shared { Some(Packed::read_below(reader, rows, count)?) } else { None };
        Ok(Texts { entries, codes, folded: OnceCell::new() })
    }

    pub(super) fn entry_of(&self, row: usize) -> usize {
        self.codes.as_ref().map_or(row, |codes| codes.index(row))
    }

    pub(super) fn get(&self, row: usize) -> &str {
        self.entries.get(self.entry_of(row))
    }

    /// The entries folded, made when first needed.
    pub(super) fn folded(&self) -> &TextList {
        self.folded.get_or_init(|| self.entries.folded())
    }

    /// The entry of a row and how many there are, where rows share texts.
    pub(super) fn code(&self, row: usize) -> Option<(usize, usize)> {
        self.codes.as_ref().map(|codes| (codes.index(row), self.entries.len()))
    }

    /// A row's text folded.
    pub(super) fn folded_row(&self, row: usize) -> &str {
        self.folded().get(self.entry_of(row))
    }

    /// Rows of the entries in `found`.
    pub(super) fn rows_of(&self, found: Bits) -> Bits {
        match &self.codes {
            None => found,
            Some(codes) => codes.among(&found),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.entries.heap_bytes()
            + self.codes.as_ref().map_or(0, Packed::heap_bytes)
            + self.folded.get().map_or(0, TextList::heap_bytes)
    }
}

/// Etags: versions in Dataverse's form as numbers, all others as text.
#[derive(Debug)]
pub(super) struct EtagBuilder {
    numbers: Vec<i64>,
    /// Once an etag of another form was seen: all of them, `numbers` being empty.
    texts: Option<TextList>,
}

impl EtagBuilder {
    pub(super) fn new() -> EtagBuilder {
        EtagBuilder { numbers: Vec::new(), texts: None }
    }

    /// Appends an etag; empty for none.
    pub(super) fn push(&mut self, etag: &str) {
        match (&mut self.texts, etag_number(etag)) {
            (None, Some(number)) => self.numbers.push(number),
            (Some(texts), _) => texts.push(etag),
            (None, None) => {
                let mut texts = TextList::default();
                self.numbers.drain(..).for_each(|number| texts.push(&etag_text(number)));
                texts.push(etag);
                self.texts = Some(texts);
            }
        }
    }

    pub(super) fn get(&self, row: usize) -> Cow<'_, str> {
        match &self.texts {
            Some(texts) => Cow::Borrowed(texts.get(row)),
            None => Cow::Owned(etag_text(self.numbers[row])),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match &self.texts {
            Some(texts) => {
                out.push(1);
                texts.write(out);
            }
            None => {
                out.push(0);
                super::number::Ints::new(&self.numbers).write(out);
            }
        }
    }
}

/// Sealed etags.
#[derive(Debug)]
pub(super) enum Etags {
    Numbers(super::number::Ints),
    Texts(TextList),
}

impl Etags {
    pub(super) fn read(reader: &mut Reader<'_>, rows: usize) -> Result<Etags, Damage> {
        match reader.u8()? {
            0 => super::number::Ints::read(reader, rows).map(Etags::Numbers),
            1 => TextList::read(reader, rows).map(Etags::Texts),
            _ => Err(Damage("unknown kind of etags")),
        }
    }

    /// Empty for none.
    pub(super) fn get(&self, row: usize) -> Cow<'_, str> {
        match self {
            Etags::Numbers(numbers) => Cow::Owned(etag_text(numbers.get(row))),
            Etags::Texts(texts) => Cow::Borrowed(texts.get(row)),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Etags::Numbers(numbers) => numbers.heap_bytes(),
            Etags::Texts(texts) => texts.heap_bytes(),
        }
    }
}

/// Stands for an empty etag among numbers; versions are never negative.
const ETAG_NONE: i64 = -1;

/// `W/"468026"` as a number, when that number gives the same text back.
fn etag_number(etag: &str) -> Option<i64> {
    if etag.is_empty() {
        return Some(ETAG_NONE);
    }
    let digits = etag.strip_prefix("W/\"")?.strip_suffix('"')?;
    let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && (!digits.starts_with('0') || digits == "0");
    if canonical {
        digits.parse().ok()
    } else {
        None
    }
}

fn etag_text(number: i64) -> String {
    match number {
        ETAG_NONE => String::new(),
        _ => format!("W/\"{number}\""),
    }
}

/// Spreads text over 64 bits quickly; nothing outside the process depends on it.
fn hash_text(text: &str) -> u64 {
    let mut hasher = Mixer(text.len() as u64);
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// Multiply and fold, eight bytes at a time. Begins with any number.
#[derive(Debug, Default)]
pub struct Mixer(pub u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let mut eight = [0; 8];
            eight.copy_from_slice(chunk);
            self.0 = mix(self.0 ^ u64::from_le_bytes(eight));
        }
        let mut eight = [0; 8];
        let rest = chunks.remainder();
        eight[..rest.len()].copy_from_slice(rest);
        self.0 = mix(self.0 ^ u64::from_le_bytes(eight));
    }

    fn write_u64(&mut self, eight: u64) {
        self.0 = mix(self.0 ^ eight);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// One multiplication carries every bit upwards, and the fold what came up down again. A wider product would be better mixed,
/// and is a function call in WebAssembly.
fn mix(state: u64) -> u64 {
    let product = (state ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xd6e8_feb8_6659_fd93);
    product ^ (product >> 32)
}
