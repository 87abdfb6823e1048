//! What channels show of our stock, for people; the SQL of it.

use crate::ctx::Tenant;
use crate::id::ListingId;
use crate::store::{Row, Sql, Value};
use crate::sync::Error;
use crate::sync::push::Shows;

/// What a channel was told for a listing, and since when.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Shown {
    pub listing: ListingId,
    /// Over all of the channel's places; `None` while it is not known.
    pub quantity: Option<i64>,
    pub told_at: Option<i64>,
    /// A newer value is on its way.
    pub waits: bool,
    pub problem: Option<String>,
}

/// What channels were told for these listings.
pub async fn shown(conn: &mut impl Sql, tenant: &Tenant, listings: &[ListingId]) -> Result<Vec<Shown>, Error> {
    if listings.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = vec![Value::from(tenant)];
    values.extend(listings.iter().map(Value::from));
    let marks: Vec<String> = (2..values.len() + 1).map(|n| format!("${n}")).collect();
    let sql = format!(
        "SELECT listing, told, told_at, version, sent_version, problem FROM desired WHERE tenant = $1 AND field = 'stock' AND listing IN ({})",
        marks.join(", ")
    );
    let rows = conn.fetch_built(sql, &values).await?;
    let shown = |row: &Row| {
        let (version, sent): (i64, i64) = (row.get(3)?, row.get(4)?);
        let told: Option<String> = row.get(1)?;
        let told: Option<Shows> = told.map(|text| serde_json::from_str(&text)).transpose()?;
        let quantity = told.as_ref().and_then(Shows::quantities).map(|told| told.0.values().sum());
        Ok(Shown { listing: row.get(0)?, quantity, told_at: row.get(2)?, waits: version > sent, problem: row.get(5)? })
    };
    rows.iter().map(shown).collect()
}
