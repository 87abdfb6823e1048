//! Tables in files: rows of a comma-, semicolon- or tab-separated text with their line numbers, one at a time.
//!
//! Takes what spreadsheet programs write: a byte order mark, CRLF, quoted cells with line breaks, a header in any case.
//! Memory is bounded by the longest row, and that by [`MAX_ROW_BYTES`]. Cells are trimmed; blank rows are skipped.

use std::io::{Chain, Cursor, Read};

/// A forgotten closing quote would otherwise swallow the rest of the file.
const MAX_ROW_BYTES: u64 = 1 << 20;
const MAX_HEADER_BYTES: usize = 64 << 10;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the file cannot be read")]
    Read(#[source] std::io::Error),
    #[error("the file is empty; hint: its first line must name the columns")]
    Empty,
    #[error("the file is not UTF-8 text; hint: save it as `CSV UTF-8`")]
    NotUtf8,
    #[error("the column `{column}` appears twice in the first line; hint: remove one of them")]
    DoubleColumn { column: String },
    #[error("the row that begins in line {line} is longer than 1 MiB; hint: a closing quote is probably missing in it")]
    EndlessRow { line: u64 },
}

/// One row; as many cells as the header has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it begins, the header being line 1.
    pub line: u64,
    pub cells: Vec<String>,
}

/// A row that cannot be read; the ones after it can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    pub line: u64,
    pub what: String,
    pub remedy: &'static str,
}

pub struct Sheet<R> {
    reader: csv::Reader<Counted<R>>,
    columns: Vec<String>,
    /// Where the row read last begins.
    line: u64,
}

impl<R: Read> Sheet<R> {
    pub fn open(mut source: R) -> Result<Self, Error> {
        let mut head = Vec::new();
        let mut chunk = [0u8; 4_096];
        while !head.contains(&b'\n') && head.len() < MAX_HEADER_BYTES {
            match source.read(&mut chunk).map_err(Error::Read)? {
                0 => break,
                n => head.extend_from_slice(&chunk[..n]),
            }
        }
        if head.starts_with(&[0xFF, 0xFE]) || head.starts_with(&[0xFE, 0xFF]) {
            return Err(Error::NotUtf8);
        }
        let bom = if head.starts_with(&[0xEF, 0xBB, 0xBF]) { 3 } else { 0 };
        let text = head.split_off(bom);
        let delimiter = delimiter_of(&text);
        let source = Counted { source: Cursor::new(text).chain(source).chain(Cursor::new(LAST_LINE_END)), left: MAX_ROW_BYTES };
        // With CRLF the reader would count a line's end to the row behind it; the carriage return goes when cells are trimmed.
        let end = csv::Terminator::Any(b'\n');
        let reader = csv::ReaderBuilder::new().delimiter(delimiter).terminator(end).has_headers(false).flexible(true).from_reader(source);
        let mut sheet = Self { reader, columns: Vec::new(), line: 1 };
        let header = sheet.read()?.ok_or(Error::Empty)?;
        let name = |cell: &[u8]| std::str::from_utf8(cell).map(|text| text.trim().to_lowercase().replace(' ', "_"));
        sheet.columns = header.iter().map(name).collect::<Result<_, _>>().map_err(|_| Error::NotUtf8)?;
        for (n, column) in sheet.columns.iter().enumerate() {
            if sheet.columns[..n].contains(column) {
                return Err(Error::DoubleColumn { column: column.clone() });
            }
        }
        Ok(sheet)
    }

    /// Lower case, blanks as `_`.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// `None` at the end.
    pub fn next_row(&mut self) -> Result<Option<Result<Row, BadRow>>, Error> {
        loop {
            let Some(record) = self.read()? else { return Ok(None) };
            let line = self.line;
            let bad = |what: String, remedy| Ok(Some(Err(BadRow { line, what, remedy })));
            let cells: Result<Vec<String>, _> =
                record.iter().map(|cell| std::str::from_utf8(cell).map(|text| text.trim().to_owned())).collect();
            let Ok(cells) = cells else {
                return bad("text that is not UTF-8".into(), "save the file as `CSV UTF-8`");
            };
            if cells.iter().all(String::is_empty) {
                continue;
            }
            if cells.len() != self.columns.len() {
                let what = format!("{} cells where the header has {}", cells.len(), self.columns.len());
                return bad(what, "put cells that contain the separator in double quotes");
            }
            return Ok(Some(Ok(Row { line, cells })));
        }
    }

    fn read(&mut self) -> Result<Option<csv::ByteRecord>, Error> {
        self.reader.get_mut().left = MAX_ROW_BYTES;
        let mut record = csv::ByteRecord::new();
        match self.reader.read_byte_record(&mut record) {
            Ok(false) => Ok(None),
            Ok(true) => {
                // The reader's own word for where a row begins includes the blank lines before it.
                let inside = record.iter().flatten().filter(|byte| **byte == b'\n').count() as u64;
                self.line = self.reader.position().line().saturating_sub(1 + inside);
                Ok(Some(record))
            }
            Err(error) => Err(match error.into_kind() {
                csv::ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::FileTooLarge => Error::EndlessRow { line: self.line + 1 },
                csv::ErrorKind::Io(error) => Error::Read(error),
                other => Error::Read(std::io::Error::other(format!("{other:?}"))),
            }),
        }
    }
}

/// Every row ends with one, so that the last counts like the others.
const LAST_LINE_END: &[u8] = b"\n";

/// What was read to find the separator, and the rest.
type Head<R> = Chain<Cursor<Vec<u8>>, R>;

/// Counts what one row takes from the source.
struct Counted<R> {
    source: Chain<Head<R>, Cursor<&'static [u8]>>,
    left: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let n = self.source.read(buffer)?;
        self.left = self.left.saturating_sub(n as u64);
        Ok(n)
    }
}

/// The separator that is most frequent in the first line, outside quotes.
fn delimiter_of(text: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for byte in text {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            other if !quoted => counts.iter_mut().filter(|(d, _)| d == other).for_each(|(_, n)| *n += 1),
            _ => {}
        }
    }
    counts.iter().rev().max_by_key(|(_, n)| *n).map_or(b',', |(d, n)| if *n == 0 { b',' } else { *d })
}

/// Text for a cell of a file that people open in a spreadsheet program: a leading apostrophe keeps it from being read as a
/// formula. [`unguard`] takes it off again, so that what was exported comes back unchanged.
pub fn guard(text: &str) -> std::borrow::Cow<'_, str> {
    if is_guarded(text.trim_start_matches('\'')) { format!("'{text}").into() } else { text.into() }
}

pub fn unguard(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_guarded(rest.trim_start_matches('\'')) => rest,
        _ => text,
    }
}

fn is_guarded(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rows(bytes: &[u8]) -> Vec<Result<Row, BadRow>> {
        let mut sheet = Sheet::open(bytes).unwrap();
        std::iter::from_fn(|| sheet.next_row().unwrap()).collect()
    }

    fn row(line: u64, cells: &[&str]) -> Result<Row, BadRow> {
        Ok(Row { line, cells: cells.iter().map(|c| (*c).to_owned()).collect() })
    }

    #[test]
    fn commas_semicolons_and_tabs_are_told_apart_by_the_header() {
        for separator in [",", ";", "\t"] {
            let text = format!("SKU{separator}Safety stock\nA{separator}1\n");
            assert_eq!(Sheet::open(text.as_bytes()).unwrap().columns(), ["sku", "safety_stock"]);
            assert_eq!(rows(text.as_bytes()), [row(2, &["A", "1"])]);
        }
        let quoted = b"\"a,b,c\";d\n1;2\n";
        assert_eq!(rows(quoted), [row(2, &["1", "2"])]);
    }

    #[test]
    fn a_byte_order_mark_crlf_and_quoted_line_breaks_do_not_disturb_the_line_numbers() {
        let text = "\u{feff}sku,title\r\nA,\"one\r\ntwo\"\r\n\r\nB,three\r\nC,\"say \"\"four\"\"\"";
        assert_eq!(rows(text.as_bytes()), [row(2, &["A", "one\r\ntwo"]), row(5, &["B", "three"]), row(6, &["C", "say \"four\""])]);
    }

    #[test]
    fn a_row_with_another_number_of_cells_is_refused_and_the_next_one_is_read() {
        let found = rows(b"a,b\n1,2,3\n4,5\n");
        assert!(found[0].as_ref().unwrap_err().what.contains("3 cells"));
        assert_eq!(found[1], row(3, &["4", "5"]));
    }

    #[test]
    fn a_row_that_is_not_utf_8_is_refused_alone_and_a_utf_16_file_as_a_whole() {
        let found = rows(b"a,b\n1,\xE9\n4,5\n");
        assert_eq!((found[0].as_ref().unwrap_err().line, &found[1]), (2, &row(3, &["4", "5"])));
        assert!(matches!(Sheet::open(&b"\xFF\xFEa\0"[..]), Err(Error::NotUtf8)));
    }

    #[test]
    fn a_forgotten_quote_ends_with_the_line_where_it_began() {
        let text = format!("a,b\n1,2\n3,\"4\n{}", "5,6\n".repeat(1 << 20));
        let mut sheet = Sheet::open(text.as_bytes()).unwrap();
        sheet.next_row().unwrap();
        assert!(matches!(sheet.next_row(), Err(Error::EndlessRow { line: 3 })));
    }

    #[test]
    fn empty_files_and_double_columns_are_refused() {
        assert!(matches!(Sheet::open(&b""[..]), Err(Error::Empty)));
        assert!(matches!(Sheet::open(&b"\xEF\xBB\xBF"[..]), Err(Error::Empty)));
        assert!(matches!(Sheet::open(&b"sku,SKU\n"[..]), Err(Error::DoubleColumn { .. })));
    }

    #[test]
    fn what_looks_like_a_formula_is_guarded_and_comes_back() {
        for text in ["=1+1", "'=1+1", "''@x", "-5", "plain", "'plain", "", "'"] {
            assert_eq!(unguard(&guard(text)), text);
            assert!(!guard(text).starts_with(['=', '+', '-', '@']), "{text}");
        }
    }
}
