//! All SQL on `stock`, `movement` and `reservation`; reads the places from `location`. In [`rules`] the merchant's rules and what
//! is missing, in [`books`] the comparison of sums and ledger.

pub mod books;
pub mod rules;

use std::collections::BTreeMap;

use super::error::Error;
use super::model::{Availability, Kind, Level, Movement, MovementRow};
use crate::ctx::{Ctx, Tenant};
use crate::id::{LocationId, MovementId, OrderId, VariantId};
use crate::store::{Row, Sql, Value, WriteTx, placeholders};
use crate::{args, cells};

/// What one line of an order holds at one place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    pub line: String,
    pub variant: VariantId,
    pub location: LocationId,
    pub quantity: i64,
    pub shipped: i64,
    pub returned: i64,
}

impl Held {
    /// Units that are neither here nor coming back.
    pub fn gone(&self) -> i64 {
        self.shipped - self.returned
    }
}

/// One of our places.
pub struct KnownPlace {
    pub id: LocationId,
    pub priority: i64,
    pub country: Option<String>,
}

/// Our places, in the order in which they are asked.
pub async fn places(tx: &mut WriteTx, ctx: &Ctx) -> Result<Vec<KnownPlace>, Error> {
    let sql = "SELECT id, priority, country FROM location WHERE tenant = $1 ORDER BY priority, id";
    let rows = tx.fetch_all(sql, args![&ctx.tenant]).await?;
    let place =
        |row: &Row| -> Result<_, crate::store::Error> { Ok(KnownPlace { id: row.get(0)?, priority: row.get(1)?, country: row.get(2)? }) };
    Ok(rows.iter().map(place).collect::<Result<_, _>>()?)
}

/// Locks these rows in the order given (callers sort), creating the ones that are missing.
pub async fn lock(tx: &mut WriteTx, ctx: &Ctx, keys: &[(VariantId, LocationId)]) -> Result<Vec<Level>, Error> {
    // A hub that has counted nothing yet has no place, and PostgreSQL takes no empty list.
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let found = select(tx, ctx, keys).await?;
    let missing: Vec<&(VariantId, LocationId)> = keys.iter().filter(|key| !found.contains_key(key)).collect();
    let found = if missing.is_empty() {
        found
    } else {
        let mut values: Vec<Value> = Vec::with_capacity(missing.len() * 8);
        for (variant, location) in &missing {
            values.extend(cells![&ctx.tenant, variant, location, 0i64, 0i64, 0i64, 0i64, 0i64]);
        }
        let sql = format!(
            "INSERT INTO stock (tenant, variant, location, on_hand, reserved, backorder_limit, safety, version) VALUES {} ON CONFLICT DO NOTHING",
            placeholders(missing.len(), 8)
        );
        tx.execute_built(sql, &values).await?;
        select(tx, ctx, keys).await?
    };
    let zero = |location: &LocationId| Level { location: location.clone(), on_hand: 0, reserved: 0, backorder_limit: 0, safety: 0 };
    Ok(keys.iter().map(|key| found.get(key).cloned().unwrap_or_else(|| zero(&key.1))).collect())
}

async fn select(tx: &mut WriteTx, ctx: &Ctx, keys: &[(VariantId, LocationId)]) -> Result<BTreeMap<(VariantId, LocationId), Level>, Error> {
    let mut variants: Vec<&VariantId> = keys.iter().map(|(variant, _)| variant).collect();
    variants.dedup();
    let mut values = vec![Value::from(&ctx.tenant)];
    values.extend(variants.iter().map(|variant| Value::from(*variant)));
    let list: Vec<String> = (2..=values.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "SELECT variant, location, on_hand, reserved, backorder_limit, safety FROM stock WHERE tenant = $1 AND variant IN ({}) ORDER BY variant, location{}",
        list.join(", "),
        tx.dialect().for_update()
    );
    let mut found = BTreeMap::new();
    for row in tx.fetch_built(sql, &values).await? {
        let level = level(&row, 1)?;
        found.insert((row.get(0)?, level.location.clone()), level);
    }
    Ok(found)
}

/// Writes ledger rows and their effect on the sums. The rows must be locked.
pub async fn book(tx: &mut WriteTx, ctx: &Ctx, movements: &[Movement]) -> Result<(), Error> {
    if movements.is_empty() {
        return Ok(());
    }
    let mut values: Vec<Value> = Vec::with_capacity(movements.len() * 11);
    let mut sums: BTreeMap<(&VariantId, &LocationId), (i64, i64)> = BTreeMap::new();
    for m in movements {
        values.extend(cells![
            &ctx.tenant,
            &MovementId::new(&ctx.ids),
            ctx.now_ms(),
            &m.variant,
            &m.location,
            m.kind.as_str(),
            m.on_hand,
            m.reserved,
            &m.reference,
            &m.line,
            &ctx.actor,
        ]);
        let sum = sums.entry((&m.variant, &m.location)).or_default();
        sum.0 += m.on_hand;
        sum.1 += m.reserved;
    }
    let sql = format!(
        "INSERT INTO movement (tenant, id, at, variant, location, kind, on_hand, reserved, ref, line, actor) VALUES {}",
        placeholders(movements.len(), 11)
    );
    tx.execute_built(sql, &values).await?;
    for ((variant, location), (on_hand, reserved)) in sums {
        tx.execute(
            "UPDATE stock SET on_hand = on_hand + $4, reserved = reserved + $5, version = version + 1 \
             WHERE tenant = $1 AND variant = $2 AND location = $3",
            args![&ctx.tenant, variant, location, on_hand, reserved],
        )
        .await?;
    }
    Ok(())
}

pub async fn is_booked(
    tx: &mut WriteTx,
    ctx: &Ctx,
    reference: &str,
    kind: Kind,
    variant: &VariantId,
    location: &LocationId,
) -> Result<bool, Error> {
    let row = tx
        .fetch_optional(
            "SELECT 1 FROM movement WHERE tenant = $1 AND ref = $2 AND line = '' AND kind = $3 AND variant = $4 AND location = $5",
            args![&ctx.tenant, reference, kind.as_str(), variant, location],
        )
        .await?;
    Ok(row.is_some())
}

pub async fn set_backorder_limit(tx: &mut WriteTx, ctx: &Ctx, variant: &VariantId, location: &LocationId, limit: i64) -> Result<(), Error> {
    tx.execute(
        "UPDATE stock SET backorder_limit = $4, version = version + 1 WHERE tenant = $1 AND variant = $2 AND location = $3",
        args![&ctx.tenant, variant, location, limit],
    )
    .await?;
    Ok(())
}

pub async fn set_safety(tx: &mut WriteTx, ctx: &Ctx, variant: &VariantId, location: &LocationId, units: i64) -> Result<(), Error> {
    tx.execute(
        "UPDATE stock SET safety = $4, version = version + 1 WHERE tenant = $1 AND variant = $2 AND location = $3",
        args![&ctx.tenant, variant, location, units],
    )
    .await?;
    Ok(())
}

pub async fn held(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId) -> Result<Vec<Held>, Error> {
    let rows = tx
        .fetch_all(
            "SELECT line, variant, location, quantity, shipped, returned FROM reservation WHERE tenant = $1 AND order_id = $2",
            args![&ctx.tenant, order],
        )
        .await?;
    let held = |row: &Row| -> Result<Held, crate::store::Error> {
        Ok(Held {
            line: row.get(0)?,
            variant: row.get(1)?,
            location: row.get(2)?,
            quantity: row.get(3)?,
            shipped: row.get(4)?,
            returned: row.get(5)?,
        })
    };
    Ok(rows.iter().map(held).collect::<Result<_, _>>()?)
}

pub async fn put_held(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, held: &[Held]) -> Result<(), Error> {
    if held.is_empty() {
        return Ok(());
    }
    let mut values: Vec<Value> = Vec::with_capacity(held.len() * 8);
    for h in held {
        values.extend(cells![&ctx.tenant, order, &h.line, &h.variant, &h.location, h.quantity, h.shipped, h.returned]);
    }
    let sql = format!(
        "INSERT INTO reservation (tenant, order_id, line, variant, location, quantity, shipped, returned) VALUES {} \
         ON CONFLICT (tenant, order_id, line, variant, location) DO UPDATE SET \
         quantity = excluded.quantity, shipped = excluded.shipped, returned = excluded.returned",
        placeholders(held.len(), 8)
    );
    tx.execute_built(sql, &values).await?;
    Ok(())
}

pub async fn availability(
    conn: &mut impl Sql,
    tenant: &Tenant,
    variants: &[VariantId],
) -> Result<BTreeMap<VariantId, Availability>, Error> {
    let mut found: BTreeMap<VariantId, Availability> = variants.iter().map(|v| (v.clone(), Availability::default())).collect();
    for chunk in variants.chunks(500) {
        let mut values = vec![Value::from(tenant)];
        values.extend(chunk.iter().map(Value::from));
        let list: Vec<String> = (2..=values.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT variant, CAST(SUM(on_hand) AS BIGINT), CAST(SUM(reserved) AS BIGINT) FROM stock WHERE tenant = $1 AND variant IN ({}) GROUP BY variant",
            list.join(", ")
        );
        for row in conn.fetch_built(sql, &values).await? {
            found.insert(row.get(0)?, Availability { on_hand: row.get(1)?, reserved: row.get(2)? });
        }
    }
    Ok(found)
}

pub async fn levels(conn: &mut impl Sql, tenant: &Tenant, variant: &VariantId) -> Result<Vec<Level>, Error> {
    let rows = conn
        .fetch_all(
            "SELECT location, on_hand, reserved, backorder_limit, safety FROM stock WHERE tenant = $1 AND variant = $2 ORDER BY location",
            args![tenant, variant],
        )
        .await?;
    Ok(rows.iter().map(|row| level(row, 0)).collect::<Result<_, _>>()?)
}

fn level(row: &Row, first: usize) -> Result<Level, crate::store::Error> {
    Ok(Level {
        location: row.get(first)?,
        on_hand: row.get(first + 1)?,
        reserved: row.get(first + 2)?,
        backorder_limit: row.get(first + 3)?,
        safety: row.get(first + 4)?,
    })
}

/// Per location, for many variants.
pub async fn levels_of(conn: &mut impl Sql, tenant: &Tenant, variants: &[VariantId]) -> Result<BTreeMap<VariantId, Vec<Level>>, Error> {
    let mut found: BTreeMap<VariantId, Vec<Level>> = BTreeMap::new();
    for chunk in variants.chunks(250) {
        let values: Vec<Value> = std::iter::once(Value::from(tenant)).chain(chunk.iter().map(Value::from)).collect();
        let list: Vec<String> = (2..=values.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT variant, location, on_hand, reserved, backorder_limit, safety FROM stock WHERE tenant = $1 AND variant IN ({})",
            list.join(", ")
        );
        for row in conn.fetch_built(sql, &values).await? {
            found.entry(row.get(0)?).or_default().push(level(&row, 1)?);
        }
    }
    Ok(found)
}

pub async fn list_levels(
    conn: &mut impl Sql,
    tenant: &Tenant,
    after: Option<(VariantId, LocationId)>,
    limit: u32,
) -> Result<Vec<(VariantId, Level)>, Error> {
    let (variant, location) = after.map_or((String::new(), String::new()), |(v, l)| (v.to_string(), l.to_string()));
    let rows = conn
        .fetch_all(
            "SELECT variant, location, on_hand, reserved, backorder_limit, safety FROM stock \
             WHERE tenant = $1 AND (variant > $2 OR (variant = $2 AND location > $3)) ORDER BY variant, location LIMIT $4",
            args![tenant, variant, location, limit],
        )
        .await?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, level(row, 1)?))).collect::<Result<_, crate::store::Error>>()?)
}

pub async fn ledger(conn: &mut impl Sql, tenant: &Tenant, variant: &VariantId, limit: u32) -> Result<Vec<MovementRow>, Error> {
    let rows = conn
        .fetch_all(
            "SELECT at, location, kind, on_hand, reserved, ref, line, actor FROM movement \
             WHERE tenant = $1 AND variant = $2 ORDER BY at DESC, id DESC LIMIT $3",
            args![tenant, variant, limit],
        )
        .await?;
    let movement = |row: &Row| -> Result<MovementRow, crate::store::Error> {
        Ok(MovementRow {
            at: row.get(0)?,
            location: row.get(1)?,
            kind: row.get(2)?,
            on_hand: row.get(3)?,
            reserved: row.get(4)?,
            reference: row.get(5)?,
            line: row.get(6)?,
            actor: row.get(7)?,
        })
    };
    Ok(rows.iter().map(movement).collect::<Result<_, _>>()?)
}
