//! Catalogue files out: the columns of an import, by SKU, a page of variants at a time.

use super::error::Error;
use super::file::COLUMNS;
use super::model::{Country, Filter, Gtin, HsCode, Variant};
use super::store;
use crate::ctx::Tenant;
use crate::sheet::guard;
use crate::store::Sql;

const PAGE: u32 = 1_000;

/// Comma-separated UTF-8 text in pieces. Each piece is read by itself, so an export holds up nobody.
pub struct Export {
    tenant: Tenant,
    after: Option<String>,
    done: bool,
    mark: bool,
}

impl Export {
    pub fn new(tenant: &Tenant) -> Self {
        Self { tenant: tenant.clone(), after: None, done: false, mark: false }
    }

    /// Begins with a byte order mark, without which some spreadsheet programs do not believe in UTF-8.
    pub fn with_byte_order_mark(mut self) -> Self {
        self.mark = true;
        self
    }

    /// The first piece has the header; `None` after the last one.
    pub async fn next_piece(&mut self, conn: &mut impl Sql) -> Result<Option<Vec<u8>>, Error> {
        if self.done {
            return Ok(None);
        }
        let mut out = Vec::new();
        if self.after.is_none() && self.mark {
            out.extend_from_slice("\u{feff}".as_bytes());
        }
        let variants = store::after_sku(conn, &self.tenant, &Filter::default(), self.after.as_deref().unwrap_or_default(), PAGE).await?;
        let mut writer = csv::Writer::from_writer(&mut out);
        let failed = |error: csv::Error| Error::Sheet(crate::sheet::Error::Read(std::io::Error::other(error)));
        if self.after.is_none() {
            writer.write_record(COLUMNS).map_err(failed)?;
        }
        for variant in &variants {
            writer.write_record(cells(variant)).map_err(failed)?;
        }
        writer.flush().map_err(|error| failed(error.into()))?;
        drop(writer);
        self.done = variants.len() < PAGE as usize;
        self.after = Some(variants.last().map_or(String::new(), |last| last.facts.sku.to_string()));
        Ok(Some(out))
    }
}

fn cells(variant: &Variant) -> [String; COLUMNS.len()] {
    let f = &variant.facts;
    let number = |value: Option<i64>| value.map_or(String::new(), |value| value.to_string());
    [
        guard(f.sku.as_str()).into_owned(),
        guard(&variant.product_title).into_owned(),
        variant.product.to_string(),
        guard(&f.title).into_owned(),
        f.gtin.as_ref().map_or("", Gtin::as_str).to_owned(),
        number(f.weight_g),
        number(f.length_mm),
        number(f.width_mm),
        number(f.height_mm),
        f.hs_code.as_ref().map_or("", HsCode::as_str).to_owned(),
        f.origin.as_ref().map_or("", Country::as_str).to_owned(),
        f.safety.to_string(),
    ]
}
