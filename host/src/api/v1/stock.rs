//! Stock: levels, the ledger, counts by hand and the opening count.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;

use crate::api::answer::{Answer, all, page, told};
use crate::api::error::{Code, Error};
use crate::api::request::{Body, Query, Raw, Reader, Writer};
use crate::api::routes::Routes;
use crate::app::App;
use crate::ctx::Ctx;
use crate::id::{LocationId, VariantId};
use crate::page::{Cursor, Page, PageRequest};
use crate::sheet::{Sheet, unguard};
use crate::sync::golive::{self, StockChange, StockChangeKind};
use crate::{catalog, connections, locations, stock};

pub fn add(routes: Routes) -> Routes {
    routes
        .get("/stock", "Every level: variant, location, on hand, reserved", list)
        .get("/stock/{variant}", "One variant's levels, by id or SKU", levels)
        .get("/stock/{variant}/ledger", "The newest rows of its ledger", ledger)
        .post("/stock/{variant}/count", "Set what was counted", count)
        .post("/stock/{variant}/receive", "Book goods that arrived", receive)
        .post("/stock/{variant}/adjust", "Book a difference found", adjust)
        .post("/stock/opening/connection/{connection}", "Take one shop's quantities as the opening count", opening)
        .post("/stock/opening/file", "Take a CSV file (sku, units, location) as the opening count", opening_file)
        .get("/stock/audit", "Compares sums, ledger and reservations; an empty list is the only good answer", audit)
}

async fn list(State(app): State<App>, Reader(ctx): Reader, Query(request): Query<PageRequest>) -> Answer {
    let after =
        request.after("levels", 2)?.map(|keys| Ok::<_, Error>((VariantId::parse(&keys[0])?, LocationId::parse(&keys[1])?))).transpose()?;
    let mut conn = app.store.read().await?;
    let rows = stock::list_levels(&mut conn, &ctx.tenant, after, request.limit() + 1).await?;
    let cut = Page::cut(rows, request.limit(), |(variant, level)| Cursor::new("levels", &[variant.as_str(), level.location.as_str()]));
    let ids: Vec<VariantId> = cut.items.iter().map(|(variant, _)| variant.clone()).collect();
    let variants = catalog::find_many(&mut conn, &ctx.tenant, &ids).await?;
    page(cut.map(|(variant, level)| {
        let sku = variants.get(&variant).map(|variant| variant.facts.sku.to_string());
        json!({
            "variant": variant, "sku": sku, "location": level.location, "on_hand": level.on_hand, "reserved": level.reserved,
            "available": level.on_hand - level.reserved, "backorder_limit": level.backorder_limit,
        })
    }))
}

async fn levels(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>) -> Answer {
    let mut conn = app.store.read().await?;
    let variant = catalog::resolve(&mut conn, &ctx.tenant, &name).await?;
    let levels = stock::levels(&mut conn, &ctx.tenant, &variant.id).await?;
    let (on_hand, reserved) = levels.iter().fold((0, 0), |(a, b), level| (a + level.on_hand, b + level.reserved));
    let mut answer = json!({
        "variant": variant.id, "sku": variant.facts.sku, "title": variant.full_title(), "on_hand": on_hand, "reserved": reserved,
        "available": on_hand - reserved, "safety": variant.facts.safety, "levels": levels,
    });
    let sellable = stock::sellable(&mut conn, &ctx.tenant, std::slice::from_ref(&variant.id)).await?.remove(&variant.id);
    if let Some(kit) = sellable.filter(stock::Sellable::is_kit) {
        // A kit is worth what its components allow.
        answer["available"] = json!(kit.total(None, |_| 0).max(0));
        answer["components"] = json!(kit.counted().collect::<Vec<_>>());
    }
    told(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Newest {
    limit: Option<u32>,
}

async fn ledger(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>, Query(newest): Query<Newest>) -> Answer {
    let mut conn = app.store.read().await?;
    let variant = catalog::resolve(&mut conn, &ctx.tenant, &name).await?;
    let limit = PageRequest { cursor: None, limit: newest.limit }.limit();
    all(stock::ledger(&mut conn, &ctx.tenant, &variant.id, limit).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Booking {
    units: i64,
    location: Option<String>,
    /// The same reference books once; made up if there is none.
    reference: Option<String>,
}

async fn count(state: State<App>, by: Writer, name: Path<String>, body: Body<Booking>) -> Answer {
    book(state, by, name, body, StockChangeKind::Count).await
}

async fn receive(state: State<App>, by: Writer, name: Path<String>, body: Body<Booking>) -> Answer {
    book(state, by, name, body, StockChangeKind::Receive).await
}

async fn adjust(state: State<App>, by: Writer, name: Path<String>, body: Body<Booking>) -> Answer {
    book(state, by, name, body, StockChangeKind::Adjust).await
}

async fn book(
    State(app): State<App>,
    Writer(ctx): Writer,
    Path(name): Path<String>,
    Body(booking): Body<Booking>,
    kind: fn(i64) -> StockChangeKind,
) -> Answer {
    let mut conn = app.store.read().await?;
    let variant = catalog::resolve(&mut conn, &ctx.tenant, &name).await?.id;
    let location = match &booking.location {
        Some(name) => Some(locations::resolve(&mut conn, &ctx.tenant, name).await?.id),
        None => None,
    };
    drop(conn);
    let reference = booking.reference.unwrap_or_else(|| format!("hand:{}", ctx.ids.body()));
    let change = StockChange { variant: variant.clone(), location, kind: kind(booking.units), reference };
    let booked = golive::stock_set(&app.store, &ctx, change).await?;
    let levels = stock::levels(&mut app.store.read().await?, &ctx.tenant, &variant).await?;
    told(json!({ "variant": variant, "booked": booked, "levels": levels }))
}

async fn opening(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>) -> Answer {
    let connection = connections::resolve(&mut app.store.read().await?, &ctx.tenant, &name).await?;
    let counted = golive::opening_from(&app.sync, &ctx, &connection).await?;
    told(json!({ "counted": counted.len(), "from": connection.name }))
}

/// Each row stands for itself: a refused one changes nothing and stops nothing.
async fn opening_file(State(app): State<App>, Writer(ctx): Writer, Raw(file): Raw) -> Answer {
    let mut sheet = Sheet::open(std::io::Cursor::new(file))?;
    let at = |name: &str| sheet.columns().iter().position(|column| column == name);
    let missing = |name: &str| {
        Error::new(Code::Invalid, format!("the column `{name}` is missing in the first line; hint: sku,units or sku,units,location"))
            .about(name.to_owned())
    };
    let (sku, units) = (at("sku").ok_or_else(|| missing("sku"))?, at("units").ok_or_else(|| missing("units"))?);
    let location = at("location");
    if let Some(unknown) = sheet.columns().iter().find(|column| !["sku", "units", "location"].contains(&column.as_str())) {
        return Err(
            Error::new(Code::Invalid, format!("there is no column `{unknown}`; known are sku, units, location")).about(unknown.clone())
        );
    }
    let places: BTreeMap<String, LocationId> = {
        let known = locations::list(&mut app.store.read().await?, &ctx.tenant).await?;
        known.into_iter().flat_map(|place| [(place.name, place.id.clone()), (place.id.to_string(), place.id)]).collect()
    };
    let (mut counted, mut refused) = (0u64, Vec::new());
    let reference = format!("opening:{}", ctx.ids.body());
    while let Some(row) = sheet.next_row()? {
        let row = match row {
            Ok(row) => row,
            Err(bad) => {
                refused.push(json!({ "line": bad.line, "message": format!("{}; hint: {}", bad.what, bad.remedy) }));
                continue;
            }
        };
        let place = location.map(|at| row.cells[at].as_str()).filter(|name| !name.is_empty());
        let booked = count_row(&app, &ctx, unguard(&row.cells[sku]), &row.cells[units], place, &places, &reference).await;
        match booked {
            Ok(()) => counted += 1,
            Err(error) if error.code == Code::Internal => return Err(error),
            Err(error) => refused.push(json!({ "line": row.line, "message": error.message })),
        }
    }
    told(json!({ "counted": counted, "refused": refused }))
}

async fn count_row(
    app: &App,
    ctx: &Ctx,
    sku: &str,
    units: &str,
    place: Option<&str>,
    places: &BTreeMap<String, LocationId>,
    reference: &str,
) -> Result<(), Error> {
    let whole = units
        .parse::<i64>()
        .map_err(|_| Error::new(Code::Invalid, format!("`{units}` is not a number of units; hint: write a whole number")))?;
    let location = match place {
        Some(name) => Some(places.get(name).cloned().ok_or_else(|| locations::Error::Unknown { what: name.into() })?),
        None => None,
    };
    let variant = catalog::resolve(&mut app.store.read().await?, &ctx.tenant, sku).await?.id;
    golive::stock_set(&app.store, ctx, StockChange { variant, location, kind: StockChangeKind::Count(whole), reference: reference.into() })
        .await?;
    Ok(())
}

async fn audit(State(app): State<App>, Reader(ctx): Reader) -> Answer {
    all(stock::audit(&mut app.store.read().await?, &ctx.tenant).await?)
}
