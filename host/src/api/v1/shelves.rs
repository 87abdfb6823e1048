//! Kits, places, and who is served from where and shown what: what the merchant decides about stock.

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::answer::{Answer, all, page, told};
use crate::api::error::{Code, Error};
use crate::api::request::{Body, Query, Reader, Writer};
use crate::api::routes::Routes;
use crate::app::App;
use crate::catalog::{self, Part};
use crate::ctx::Ctx;
use crate::id::{ConnectionId, LocationId, VariantId};
use crate::listings::{self, Allotment};
use crate::page::{Cursor, Page, PageRequest};
use crate::patch::Patch;
use crate::stock::{Allocation, Rule, Serving, Split};
use crate::store::Sql;
use crate::sync::shelves::{self, Mark};
use crate::{connections, locations, stock};

pub fn add(routes: Routes) -> Routes {
    routes
        .get("/kits", "Variants that are made of others, with their components", kits)
        .get("/variants/{variant}/components", "What a kit is made of", components)
        .put("/variants/{variant}/components", "Say what a kit is made of; an empty list: it is no kit", set_components)
        .post("/stock/{variant}/transfer", "Move goods from one of our places to another", transfer)
        .put("/stock/{variant}/safety", "Units never published from a place", safety)
        .put("/stock/{variant}/backorder", "Units that may be promised before they exist", backorder)
        .post("/stock/rebuild", "Compare the sums with the ledger; with apply=true write them anew", rebuild)
        .get("/stock/rules", "How orders are served; the rule without a connection is for all that have none", rules)
        .put("/stock/rules", "Say how orders of a connection, or of all, are served", set_rule)
        .delete("/stock/rules", "Take a rule away", drop_rule)
        .get("/allotments", "How much of a variant connections may show", allotments)
        .put("/connections/{connection}/allotments", "Say how much of a variant, or of all, a connection may show", set_allotment)
        .delete("/connections/{connection}/allotments", "Take that back", drop_allotment)
}

async fn find(conn: &mut impl Sql, ctx: &Ctx, name: &str) -> Result<VariantId, Error> {
    Ok(catalog::resolve(conn, &ctx.tenant, name).await?.id)
}

/// The one that is named, or the one that is asked first.
async fn place(app: &App, ctx: &Ctx, name: Option<&str>) -> Result<LocationId, Error> {
    if let Some(name) = name {
        return Ok(locations::resolve(&mut app.store.read().await?, &ctx.tenant, name).await?.id);
    }
    let ctx = ctx.clone();
    app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(locations::ensure_default(tx, &ctx).await?) })).await
}

async fn connection(conn: &mut impl Sql, ctx: &Ctx, name: Option<&str>) -> Result<Option<ConnectionId>, Error> {
    match name {
        Some(name) => Ok(Some(connections::resolve(conn, &ctx.tenant, name).await?.id)),
        None => Ok(None),
    }
}

async fn with_skus(conn: &mut impl Sql, ctx: &Ctx, parts: &[Part]) -> Result<Vec<Value>, Error> {
    let ids: Vec<VariantId> = parts.iter().map(|part| part.component.clone()).collect();
    let known = catalog::find_many(conn, &ctx.tenant, &ids).await?;
    let sku = |id: &VariantId| known.get(id).map(|variant| variant.facts.sku.to_string());
    Ok(parts.iter().map(|part| json!({ "component": part.component, "sku": sku(&part.component), "quantity": part.quantity })).collect())
}

async fn kits(State(app): State<App>, Reader(ctx): Reader, Query(request): Query<PageRequest>) -> Answer {
    let after = request.after("kits", 1)?.map(|keys| VariantId::parse(&keys[0])).transpose()?;
    let mut conn = app.store.read().await?;
    let found = catalog::list_kits(&mut conn, &ctx.tenant, after.as_ref(), request.limit() + 1).await?;
    let cut = Page::cut(found, request.limit(), |(kit, _)| Cursor::new("kits", &[kit.as_str()]));
    let ids: Vec<VariantId> = cut.items.iter().map(|(kit, _)| kit.clone()).collect();
    let known = catalog::find_many(&mut conn, &ctx.tenant, &ids).await?;
    let mut items = Vec::with_capacity(cut.items.len());
    for (kit, parts) in cut.items {
        let sku = known.get(&kit).map(|variant| variant.facts.sku.to_string());
        items.push(json!({ "kit": kit, "sku": sku, "components": with_skus(&mut conn, &ctx, &parts).await? }));
    }
    page(Page { items, next_cursor: cut.next_cursor })
}

async fn components(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>) -> Answer {
    let mut conn = app.store.read().await?;
    let kit = catalog::resolve(&mut conn, &ctx.tenant, &name).await?;
    let parts = catalog::components(&mut conn, &ctx.tenant, &kit.id).await?;
    told(json!({ "kit": kit.id, "sku": kit.facts.sku, "components": with_skus(&mut conn, &ctx, &parts).await? }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedPart {
    /// Id or SKU.
    component: String,
    #[serde(default = "one")]
    quantity: i64,
}

fn one() -> i64 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    components: Vec<NamedPart>,
}

async fn set_components(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Body(wanted): Body<Parts>) -> Answer {
    let mut conn = app.store.read().await?;
    let kit = find(&mut conn, &ctx, &name).await?;
    let mut parts = Vec::with_capacity(wanted.components.len());
    for part in &wanted.components {
        parts.push(Part { component: find(&mut conn, &ctx, &part.component).await?, quantity: part.quantity });
    }
    drop(conn);
    let changed = shelves::set_kit(&app.store, &ctx, &kit, &parts).await?;
    parts.sort();
    let shown = with_skus(&mut app.store.read().await?, &ctx, &parts).await?;
    told(json!({ "kit": kit, "changed": changed, "components": shown }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    units: i64,
    from: String,
    to: String,
    /// The same reference books once; made up if there is none.
    reference: Option<String>,
}

async fn transfer(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Body(wanted): Body<Transfer>) -> Answer {
    let mut conn = app.store.read().await?;
    let variant = find(&mut conn, &ctx, &name).await?;
    let from = locations::resolve(&mut conn, &ctx.tenant, &wanted.from).await?.id;
    let to = locations::resolve(&mut conn, &ctx.tenant, &wanted.to).await?.id;
    drop(conn);
    let reference = wanted.reference.unwrap_or_else(|| format!("hand:{}", ctx.ids.body()));
    let booked = shelves::transfer(&app.store, &ctx, &variant, (&from, &to), wanted.units, &reference).await?;
    levels(&app, &ctx, &variant, json!({ "booked": booked })).await
}

async fn levels(app: &App, ctx: &Ctx, variant: &VariantId, mut answer: Value) -> Answer {
    answer["variant"] = json!(variant);
    answer["levels"] = json!(stock::levels(&mut app.store.read().await?, &ctx.tenant, variant).await?);
    told(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Units {
    units: i64,
    location: Option<String>,
}

async fn safety(state: State<App>, by: Writer, name: Path<String>, body: Body<Units>) -> Answer {
    mark(state, by, name, body, Mark::Safety).await
}

async fn backorder(state: State<App>, by: Writer, name: Path<String>, body: Body<Units>) -> Answer {
    mark(state, by, name, body, Mark::Backorder).await
}

async fn mark(
    State(app): State<App>,
    Writer(ctx): Writer,
    Path(name): Path<String>,
    Body(wanted): Body<Units>,
    mark: fn(i64) -> Mark,
) -> Answer {
    let variant = find(&mut app.store.read().await?, &ctx, &name).await?;
    let location = place(&app, &ctx, wanted.location.as_deref()).await?;
    shelves::set_mark(&app.store, &ctx, &variant, &location, mark(wanted.units)).await?;
    levels(&app, &ctx, &variant, json!({})).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Apply {
    #[serde(default)]
    apply: bool,
}

async fn rebuild(State(app): State<App>, Writer(ctx): Writer, Body(wanted): Body<Apply>) -> Answer {
    let differences = match wanted.apply {
        true => shelves::rebuild(&app.store, &ctx).await?,
        false => stock::differences(&mut app.store.read().await?, &ctx.tenant).await?,
    };
    told(json!({ "applied": wanted.apply, "differences": differences }))
}

const HOUR_MS: i64 = 3_600_000;

fn rule_view(connection: Option<&ConnectionId>, rule: &Rule) -> Value {
    json!({
        "connection": connection, "allocation": rule.serving.allocation, "split": rule.serving.split,
        "unpaid_hours": rule.unpaid_ms.map(|ms| ms / HOUR_MS),
    })
}

async fn rules(State(app): State<App>, Reader(ctx): Reader) -> Answer {
    let found = stock::rules(&mut app.store.read().await?, &ctx.tenant).await?;
    all(found.iter().map(|(connection, rule)| rule_view(connection.as_ref(), rule)).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleChange {
    connection: Option<String>,
    allocation: Option<Allocation>,
    split: Option<Split>,
    #[serde(default)]
    unpaid_hours: Patch<i64>,
}

/// What is not named stays as it applies now.
async fn set_rule(State(app): State<App>, Writer(ctx): Writer, Body(wanted): Body<RuleChange>) -> Answer {
    let mut conn = app.store.read().await?;
    let connection = connection(&mut conn, &ctx, wanted.connection.as_deref()).await?;
    let now = stock::rule(&mut conn, &ctx.tenant, connection.as_ref()).await?;
    drop(conn);
    let mut hours = now.unpaid_ms.map(|ms| ms / HOUR_MS);
    wanted.unpaid_hours.apply(&mut hours);
    if let Some(hours) = hours.filter(|hours| !(1..=87_600).contains(hours)) {
        let message = format!("{hours} hours is no time to wait for a payment; hint: give 1 to 87600, or null to wait for ever");
        return Err(Error::new(Code::Invalid, message).about("unpaid_hours"));
    }
    let serving =
        Serving { allocation: wanted.allocation.unwrap_or(now.serving.allocation), split: wanted.split.unwrap_or(now.serving.split) };
    let rule = Rule { serving, unpaid_ms: hours.map(|hours| hours * HOUR_MS) };
    shelves::set_rule(&app.store, &ctx, connection.as_ref(), Some(rule)).await?;
    told(rule_view(connection.as_ref(), &rule))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfConnection {
    connection: Option<String>,
}

async fn drop_rule(State(app): State<App>, Writer(ctx): Writer, Query(of): Query<OfConnection>) -> Answer {
    let connection = connection(&mut app.store.read().await?, &ctx, of.connection.as_deref()).await?;
    shelves::set_rule(&app.store, &ctx, connection.as_ref(), None).await?;
    told(rule_view(connection.as_ref(), &stock::rule(&mut app.store.read().await?, &ctx.tenant, connection.as_ref()).await?))
}

async fn allotments(State(app): State<App>, Reader(ctx): Reader, Query(of): Query<OfConnection>) -> Answer {
    let mut conn = app.store.read().await?;
    let connection = connection(&mut conn, &ctx, of.connection.as_deref()).await?;
    let rows = listings::list_allotments(&mut conn, &ctx.tenant, connection.as_ref()).await?;
    let ids: Vec<VariantId> = rows.iter().filter_map(|row| row.variant.clone()).collect();
    let known = catalog::find_many(&mut conn, &ctx.tenant, &ids).await?;
    let view = |row: &listings::Allotted| {
        let mut value = json!(row);
        value["sku"] = json!(row.variant.as_ref().and_then(|id| known.get(id)).map(|variant| &variant.facts.sku));
        value
    };
    all(rows.iter().map(view).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllotmentChange {
    /// Id or SKU; without it, for all that have none of their own.
    variant: Option<String>,
    #[serde(default)]
    at_least: i64,
    at_most: Option<i64>,
    #[serde(default = "whole")]
    share_bps: i64,
}

fn whole() -> i64 {
    Allotment::default().share_bps
}

async fn set_allotment(
    State(app): State<App>,
    Writer(ctx): Writer,
    Path(name): Path<String>,
    Body(wanted): Body<AllotmentChange>,
) -> Answer {
    let allotment = Allotment { at_least: wanted.at_least, at_most: wanted.at_most, share_bps: wanted.share_bps };
    allot(&app, &ctx, &name, wanted.variant.as_deref(), Some(allotment)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfVariant {
    variant: Option<String>,
}

async fn drop_allotment(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Query(of): Query<OfVariant>) -> Answer {
    allot(&app, &ctx, &name, of.variant.as_deref(), None).await
}

async fn allot(app: &App, ctx: &Ctx, name: &str, variant: Option<&str>, allotment: Option<Allotment>) -> Answer {
    let mut conn = app.store.read().await?;
    let connection = connections::resolve(&mut conn, &ctx.tenant, name).await?.id;
    let variant = match variant {
        Some(name) => Some(find(&mut conn, ctx, name).await?),
        None => None,
    };
    drop(conn);
    let changed = shelves::set_allotment(&app.store, ctx, &connection, variant.as_ref(), allotment).await?;
    told(json!({ "connection": connection, "variant": variant, "changed": changed, "allotment": allotment }))
}
