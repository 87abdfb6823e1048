//! Prices: base prices and costs, price lists, how connections price, and what channels took.

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::answer::{Answer, all, created, page, told};
use crate::api::error::Error;
use crate::api::request::{Body, Query, Raw, Reader, Writer};
use crate::api::routes::Routes;
use crate::app::App;
use crate::catalog;
use crate::connections::{self, Connection};
use crate::ctx::Ctx;
use crate::id::PriceLineId;
use crate::lanes;
use crate::page::PageRequest;
use crate::pricing::{self, Base, NewLine, Policy, Quoted, Report};
use crate::store::Sql;
use crate::sync::push::Field;
use crate::sync::{fanout, plan};

pub fn add(routes: Routes) -> Routes {
    routes
        .get("/prices", "Lines of price lists, oldest first; of one connection or variant", list)
        .post("/prices", "Add a line, or replace the one for the same variant, connection, country, group and first day", set_line)
        .delete("/prices/{line}", "Remove a line", remove)
        .post("/prices/import", "Read a CSV file of base prices, costs and fixed prices; with dry_run=true only report", import)
        .get("/prices/variants/{variant}", "What a variant costs everywhere, step by step", show)
        .patch("/prices/variants/{variant}", "Set base price and cost; null clears", set_base)
        .get("/prices/history", "Prices that channels took for a variant, newest first", history)
        .get("/prices/channels/{connection}", "How a connection prices, and whether its prices are pushed", policy)
        .put("/prices/channels/{connection}", "Say how a connection prices", set_policy)
        .post("/prices/channels/{connection}/plan", "What its listings would cost; accepting the plan pushes them from then on", plan_one)
        .post("/prices/channels/{connection}/stop", "Push no prices any more", stop)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    connection: Option<String>,
    variant: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

async fn list(State(app): State<App>, Reader(ctx): Reader, Query(which): Query<Which>) -> Answer {
    let mut conn = app.store.read().await?;
    let connection = connection_of(&mut conn, &ctx, which.connection.as_deref()).await?.map(|found| found.id);
    let variant = match &which.variant {
        Some(name) => Some(catalog::resolve(&mut conn, &ctx.tenant, name).await?.id),
        None => None,
    };
    let request = PageRequest { cursor: which.cursor, limit: which.limit };
    page(pricing::list(&mut conn, &ctx.tenant, connection.as_ref(), variant.as_ref(), &request).await?)
}

async fn connection_of(conn: &mut impl Sql, ctx: &Ctx, name: Option<&str>) -> Result<Option<Connection>, Error> {
    match name {
        Some(name) => Ok(Some(connections::resolve(conn, &ctx.tenant, name).await?)),
        None => Ok(None),
    }
}

/// A line as people give it: variant by id or SKU, connection by id or name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    variant: Option<String>,
    connection: Option<String>,
    country: Option<String>,
    group: Option<String>,
    valid_from: Option<jiff::civil::Date>,
    valid_to: Option<jiff::civil::Date>,
    fixed: Option<crate::money::Money>,
    #[serde(default)]
    adjustment: crate::money::Decimal,
    charm: Option<entrepot_crossborder::pricing::Charm>,
}

async fn set_line(State(app): State<App>, Writer(ctx): Writer, Body(given): Body<Given>) -> Answer {
    let mut conn = app.store.read().await?;
    let variant = match &given.variant {
        Some(name) => Some(catalog::resolve(&mut conn, &ctx.tenant, name).await?.id),
        None => None,
    };
    let connection = connection_of(&mut conn, &ctx, given.connection.as_deref()).await?.map(|found| found.id);
    drop(conn);
    let new = NewLine {
        variant,
        connection,
        country: given.country,
        group: given.group,
        valid_from: given.valid_from,
        valid_to: given.valid_to,
        fixed: given.fixed,
        adjustment: given.adjustment,
        charm: given.charm,
    };
    let line = app.store.write(move |tx| {
        Box::pin(async move {
            fanout::prices_changed(tx, &ctx, new.variant.as_ref().map(std::slice::from_ref)).await?;
            Ok::<_, Error>(pricing::set_line(tx, &ctx, &new).await?)
        })
    });
    created(line.await?)
}

async fn remove(State(app): State<App>, Writer(ctx): Writer, Path(id): Path<String>) -> Answer {
    let id = PriceLineId::parse(&id)?;
    let removed = app.store.write(move |tx| {
        Box::pin(async move {
            let line = pricing::remove_line(tx, &ctx, &id).await?;
            fanout::prices_changed(tx, &ctx, line.line.variant.as_ref().map(std::slice::from_ref)).await?;
            Ok::<_, Error>(line)
        })
    });
    told(removed.await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct How {
    #[serde(default)]
    dry_run: bool,
}

/// Why the unit of work of a file ends without a commit.
enum Undone {
    OnlyLooked(Box<Report>),
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Undone {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

async fn import(State(app): State<App>, Writer(ctx): Writer, Query(how): Query<How>, Raw(file): Raw) -> Answer {
    let dry_run = how.dry_run;
    let read = app.store.write(move |tx| {
        Box::pin(async move {
            let report = pricing::import(tx, &ctx, std::io::Cursor::new(file)).await?;
            if dry_run {
                return Err(Undone::OnlyLooked(Box::new(report)));
            }
            fanout::prices_changed(tx, &ctx, Some(&report.variants)).await?;
            Ok::<_, Undone>(report)
        })
    });
    let report = match read.await {
        Ok(report) => report,
        Err(Undone::OnlyLooked(report)) => *report,
        Err(Undone::Failed(error)) => return Err(error),
    };
    let mut answer = serde_json::to_value(report)?;
    answer["dry_run"] = json!(dry_run);
    told(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Among {
    connection: Option<String>,
    country: Option<String>,
    group: Option<String>,
}

async fn show(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>, Query(among): Query<Among>) -> Answer {
    let mut conn = app.store.read().await?;
    let variant = catalog::resolve(&mut conn, &ctx.tenant, &name).await?;
    let base = pricing::bases(&mut conn, &ctx.tenant, std::slice::from_ref(&variant.id)).await?.remove(&variant.id).unwrap_or_default();
    let wanted = match connection_of(&mut conn, &ctx, among.connection.as_deref()).await? {
        Some(one) => vec![one],
        None => connections::list(&mut conn, &ctx.tenant, &PageRequest::first(crate::page::MAX_LIMIT)).await?.items,
    };
    let mut shown = Vec::new();
    for connection in wanted {
        let asked = pricing::standard(&mut conn, &ctx, &connection).await?.among(among.country.as_deref(), among.group.as_deref())?;
        let quoted = pricing::quote(&mut conn, &ctx, &asked, std::slice::from_ref(&variant.id)).await?.remove(&variant.id);
        let lowest = pricing::lowest(&mut conn, &ctx.tenant, &connection.id, &asked.of(&variant.id), asked.on).await?;
        shown.push(json!({
            "connection": connection.name, "country": asked.country, "group": asked.group, "lowest_of_30_days": lowest,
            "pushed": pricing::pushes(&mut conn, &ctx.tenant, &connection.id).await?,
            "price": quoted.as_ref().and_then(|quoted| match quoted { Quoted::Price { priced, .. } => Some(priced.price), Quoted::Refused { .. } => None }),
            "steps": match &quoted {
                Some(Quoted::Price { priced, .. }) => priced.steps.clone(),
                Some(Quoted::Refused { reason }) => vec![reason.clone()],
                None => vec!["neither a base price nor a fixed one; hint: `entrepot price set`".to_owned()],
            },
        }));
    }
    told(json!({ "variant": variant.id, "sku": variant.facts.sku, "base": base.price, "cost": base.cost, "channels": shown }))
}

/// Three-state: what is absent stays, null clears.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseChange {
    #[serde(default, deserialize_with = "given")]
    price: Option<Option<crate::money::Money>>,
    #[serde(default, deserialize_with = "given")]
    cost: Option<Option<crate::money::Money>>,
}

fn given<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(source: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(source).map(Some)
}

async fn set_base(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Body(change): Body<BaseChange>) -> Answer {
    let variant = catalog::resolve(&mut app.store.read().await?, &ctx.tenant, &name).await?;
    let id = variant.id.clone();
    let set = app.store.write(move |tx| {
        Box::pin(async move {
            let one = std::slice::from_ref(&id);
            fanout::prices_changed(tx, &ctx, Some(one)).await?;
            let before = pricing::bases(tx, &ctx.tenant, one).await?.remove(&id).unwrap_or_default();
            let base = Base { price: change.price.unwrap_or(before.price), cost: change.cost.unwrap_or(before.cost) };
            pricing::set_base(tx, &ctx, &id, &base).await?;
            Ok::<_, Error>(base)
        })
    });
    let base = set.await?;
    told(json!({ "variant": variant.id, "sku": variant.facts.sku, "price": base.price, "cost": base.cost }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Past {
    variant: String,
    connection: Option<String>,
    limit: Option<u32>,
}

async fn history(State(app): State<App>, Reader(ctx): Reader, Query(past): Query<Past>) -> Answer {
    let mut conn = app.store.read().await?;
    let variant = catalog::resolve(&mut conn, &ctx.tenant, &past.variant).await?;
    let connection = connection_of(&mut conn, &ctx, past.connection.as_deref()).await?.map(|found| found.id);
    let limit = PageRequest { cursor: None, limit: past.limit }.limit();
    let names = connections::names(&mut conn, &ctx.tenant).await?;
    let rows = pricing::history(&mut conn, &ctx.tenant, &variant.id, connection.as_ref(), limit).await?;
    let row = |row: &pricing::Remembered| json!({ "at": row.at, "connection": names.get(&row.connection), "country": row.country, "price": row.price, "actor": row.actor });
    all(rows.iter().map(row).collect())
}

async fn view(app: &App, ctx: &Ctx, connection: &Connection) -> Result<Value, Error> {
    let mut conn = app.store.read().await?;
    let asked = pricing::standard(&mut conn, ctx, connection).await?;
    let pushes = pricing::pushes(&mut conn, &ctx.tenant, &connection.id).await?;
    let mut answer = serde_json::to_value(&asked.policy)?;
    answer["connection"] = json!(connection.name);
    answer["shown_in"] = json!(asked.currency);
    answer["shown_to"] = json!(asked.country);
    answer["pushed"] = json!(pushes);
    Ok(answer)
}

async fn policy(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>) -> Answer {
    let connection = connections::resolve(&mut app.store.read().await?, &ctx.tenant, &name).await?;
    told(view(&app, &ctx, &connection).await?)
}

async fn set_policy(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Body(policy): Body<Policy>) -> Answer {
    let connection = connections::resolve(&mut app.store.read().await?, &ctx.tenant, &name).await?;
    let (inner, id) = (ctx.clone(), connection.id.clone());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if pricing::pushes(tx, &inner.tenant, &id).await? {
                    lanes::make_due(tx, &inner, &Field::Price.lane(&id), inner.now_ms()).await?;
                    fanout::all_of(tx, &inner, &id, Field::Price).await?;
                }
                Ok::<_, Error>(pricing::set_policy(tx, &inner, &id, &policy).await?)
            })
        })
        .await?;
    told(view(&app, &ctx, &connection).await?)
}

async fn plan_one(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>) -> Answer {
    let connection = connections::resolve(&mut app.store.read().await?, &ctx.tenant, &name).await?;
    created(plan::plan_prices(&app.sync, &ctx, &connection).await?)
}

async fn stop(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>) -> Answer {
    let connection = connections::resolve(&mut app.store.read().await?, &ctx.tenant, &name).await?;
    let (inner, id) = (ctx.clone(), connection.id.clone());
    app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(pricing::switch(tx, &inner, &id, false).await?) })).await?;
    told(view(&app, &ctx, &connection).await?)
}
