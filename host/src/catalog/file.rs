//! The format of a catalogue file: its columns, and its rows checked each for itself. Pure.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;

use super::error::Error;
use super::model::{Country, Facts, Gtin, HsCode, Problem, Sku, VariantPatch, clean_title};
use crate::id::ProductId;
use crate::patch::Patch;
use crate::sheet::{BadRow, Row, Sheet, unguard};

/// What a file may hold, in the order of an export. Only `sku` must be there.
///
/// `product`: title of the product, found by it or made; `product_id`: which of several with one title; `title`: what tells
/// the variant from its siblings; `weight_g` and `*_mm`: whole grams and millimetres; `origin`: two-letter country;
/// `safety_stock`: units that no channel is shown.
pub const COLUMNS: [&str; 12] = [
    "sku",
    "product",
    "product_id",
    "title",
    "gtin",
    "weight_g",
    "length_mm",
    "width_mm",
    "height_mm",
    "hs_code",
    "origin",
    "safety_stock",
];

const BATCH_ROWS: usize = 500;

/// Rows of a file, checked each for itself.
pub struct Importer<R> {
    sheet: Sheet<R>,
    /// Where each of [`COLUMNS`] is in the file.
    positions: [Option<usize>; COLUMNS.len()],
    /// Line by hash of the SKU.
    seen: HashMap<u64, u64>,
}

/// A line that cannot be kept, and everything that is wrong with it.
#[derive(Clone)]
pub struct Refusal {
    pub line: u64,
    pub problems: Vec<Problem>,
}

/// Rows to apply together, and what was refused on the way.
pub struct Batch {
    pub rows: Vec<Parsed>,
    pub refused: Vec<Refusal>,
}

/// A row that can be kept as far as it can tell by itself.
pub struct Parsed {
    pub line: u64,
    pub sku: Sku,
    pub product: Option<String>,
    pub product_id: Option<ProductId>,
    pub patch: VariantPatch,
}

impl<R: Read> Importer<R> {
    pub fn open(source: R) -> Result<Self, Error> {
        let sheet = Sheet::open(source)?;
        if let Some(unknown) = sheet.columns().iter().find(|column| !COLUMNS.contains(&column.as_str())) {
            return Err(Error::UnknownColumn { column: unknown.chars().take(80).collect() });
        }
        let positions = COLUMNS.map(|column| sheet.columns().iter().position(|found| found == column));
        if positions[0].is_none() {
            return Err(Error::NoSkuColumn);
        }
        Ok(Self { sheet, positions, seen: HashMap::new() })
    }

    /// `None` at the end of the file.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, Error> {
        let mut batch = Batch { rows: Vec::new(), refused: Vec::new() };
        while batch.rows.len() + batch.refused.len() < BATCH_ROWS {
            match self.sheet.next_row()? {
                None if batch.rows.is_empty() && batch.refused.is_empty() => return Ok(None),
                None => break,
                Some(Err(BadRow { line, what, remedy })) => {
                    batch.refused.push(Refusal { line, problems: vec![Problem::new("row", &what, remedy)] })
                }
                Some(Ok(row)) => match self.parse(&row) {
                    Ok(parsed) => batch.rows.push(parsed),
                    Err(problems) => batch.refused.push(Refusal { line: row.line, problems }),
                },
            }
        }
        Ok(Some(batch))
    }

    fn parse(&mut self, row: &Row) -> Result<Parsed, Vec<Problem>> {
        let mut problems = Vec::new();
        let cell = |column: &str| {
            let at = COLUMNS.iter().position(|known| *known == column).and_then(|n| self.positions[n])?;
            row.cells.get(at).map(|text| unguard(text))
        };
        let mut keep = |problem: Problem| problems.push(problem);
        let mut patch = VariantPatch {
            product: None,
            sku: None,
            title: cell("title").map(str::to_owned),
            gtin: three(cell("gtin"), Gtin::parse).unwrap_or_else(|p| {
                keep(p);
                Patch::Keep
            }),
            hs_code: three(cell("hs_code"), HsCode::parse).unwrap_or_else(|p| {
                keep(p);
                Patch::Keep
            }),
            origin: three(cell("origin"), Country::parse).unwrap_or_else(|p| {
                keep(p);
                Patch::Keep
            }),
            ..VariantPatch::default()
        };
        for (field, slot) in [
            ("weight_g", &mut patch.weight_g),
            ("length_mm", &mut patch.length_mm),
            ("width_mm", &mut patch.width_mm),
            ("height_mm", &mut patch.height_mm),
        ] {
            *slot = three(cell(field), |text| whole(field, text)).unwrap_or_else(|p| {
                keep(p);
                Patch::Keep
            });
        }
        match three(cell("safety_stock"), |text| whole("safety_stock", text)) {
            Ok(Patch::Keep) => {}
            Ok(Patch::Clear) => patch.safety = Some(0),
            Ok(Patch::Set(units)) => patch.safety = Some(units),
            Err(problem) => keep(problem),
        }
        let product = cell("product").filter(|text| !text.is_empty()).map(|text| clean_title("product", text, 1)).transpose();
        let product = product.unwrap_or_else(|p| {
            keep(p);
            None
        });
        let product_id = cell("product_id").filter(|text| !text.is_empty()).map(ProductId::parse).transpose();
        let product_id = product_id.unwrap_or_else(|bad| {
            keep(Problem::new("product_id", &bad.value, "give the id of a product, such as an export shows it, or leave it empty"));
            None
        });
        let sku = Sku::parse(cell("sku").unwrap_or_default()).map_err(&mut keep).ok();
        if let Some(sku) = &sku {
            // The same check as when it is applied, so that every fault of a line is told at once.
            if let Err(problem) = patch.clone().onto(Facts::of(sku.clone())).checked() {
                keep(problem);
            }
            if let Some(first) = self.seen.insert(hash_of(sku), row.line) {
                keep(Problem::new("sku", sku.as_str(), format!("it is in line {first} already: remove one of the two")));
            }
        }
        match sku {
            Some(sku) if problems.is_empty() => Ok(Parsed { line: row.line, sku, product, product_id, patch }),
            _ => Err(problems),
        }
    }
}

fn hash_of(sku: &Sku) -> u64 {
    let mut hasher = DefaultHasher::new();
    sku.hash(&mut hasher);
    hasher.finish()
}

fn three<T>(cell: Option<&str>, parse: impl FnOnce(&str) -> Result<T, Problem>) -> Result<Patch<T>, Problem> {
    match cell {
        None => Ok(Patch::Keep),
        Some("") => Ok(Patch::Clear),
        Some(text) => parse(text).map(Patch::Set).map_err(|problem| match text.contains("E+") {
            true => Problem {
                remedy: "the spreadsheet program has shortened this number: format the column as text and enter it again".into(),
                ..problem
            },
            false => problem,
        }),
    }
}

fn whole(field: &'static str, text: &str) -> Result<i64, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.ok_or_else(|| Problem::new(field, text, "give a whole number, without separators or unit"))
}
