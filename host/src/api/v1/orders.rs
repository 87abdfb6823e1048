//! Orders: reading, shipping. Personal data only for those who may do everything.

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;

use crate::access::Scope;
use crate::api::answer::{Answer, all, created, page, told};
use crate::api::error::{Code, Error};
use crate::api::request::{Body, Query, Reader, Viewer, Writer};
use crate::api::routes::Routes;
use crate::app::App;
use crate::ctx::Ctx;
use crate::fulfilment::{self, Dispatch};
use crate::id::OrderId;
use crate::orders::{self, model::LineUnits};
use crate::page::{Cursor, Page, PageRequest};
use crate::sync::{fanout, shelves, writeback_lane};
use crate::{connections, lanes, locations};

pub fn add(routes: Routes) -> Routes {
    routes
        .get("/orders", "Orders, newest first; attention=true: only parked or oversold ones", list)
        .get("/orders/{order}", "An order with lines, shipments and timeline; personal data with the scope admin", show)
        .get("/orders/{order}/events", "Its timeline", events)
        .post("/orders/{order}/ship", "Book a shipment and tell the channel", ship)
        .post("/orders/{order}/serve", "Serve it again, from several places if need be; `from` is asked first", serve)
        .post("/orders/{order}/return", "Book goods that came back, to the shelf or not", take_back)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    connection: Option<String>,
    status: Option<orders::Status>,
    #[serde(default)]
    attention: bool,
    cursor: Option<String>,
    limit: Option<u32>,
}

async fn list(State(app): State<App>, Reader(ctx): Reader, Query(wanted): Query<Wanted>) -> Answer {
    let request = PageRequest { cursor: wanted.cursor, limit: wanted.limit };
    let bad = || Error::new(Code::Invalid, "this is not a cursor of this list; hint: use `next_cursor` unchanged").about("cursor");
    let after = match request.after("orders", 2)? {
        Some(keys) => Some((keys[0].parse::<i64>().map_err(|_| bad())?, OrderId::parse(&keys[1])?)),
        None => None,
    };
    let mut conn = app.store.read().await?;
    let connection = match &wanted.connection {
        Some(name) => Some(connections::resolve(&mut conn, &ctx.tenant, name).await?.id),
        None => None,
    };
    let filter = orders::Filter { connection, status: wanted.status, attention: wanted.attention };
    let rows = orders::list(&mut conn, &ctx.tenant, &filter, after.as_ref(), request.limit() + 1).await?;
    page(Page::cut(rows, request.limit(), |last| Cursor::new("orders", &[&last.placed_at.to_string(), last.id.as_str()])))
}

async fn show(State(app): State<App>, Viewer { ctx, scope }: Viewer, Path(id): Path<String>) -> Answer {
    let mut conn = app.store.read().await?;
    let id = orders::resolve(&mut conn, &ctx.tenant, &id).await?;
    let order = orders::find(&mut conn, &ctx.tenant, &id).await?.ok_or_else(|| orders::Error::Missing(id.clone()))?;
    let shipments = fulfilment::of_order(&mut conn, &ctx.tenant, &id).await?;
    let mut answer = serde_json::to_value(order)?;
    answer["shipments"] = serde_json::to_value(shipments)?;
    answer["shortages"] = serde_json::to_value(orders::remedies(&mut conn, &ctx.tenant, &id).await?)?;
    if scope == Scope::Admin {
        answer["personal"] = serde_json::to_value(orders::personal(&mut conn, &ctx, &app.vault, &id).await?)?;
    }
    told(answer)
}

async fn events(State(app): State<App>, Reader(ctx): Reader, Path(id): Path<String>) -> Answer {
    let id = orders::resolve(&mut app.store.read().await?, &ctx.tenant, &id).await?;
    let order = orders::find(&mut app.store.read().await?, &ctx.tenant, &id).await?;
    all(order.ok_or(orders::Error::Missing(id))?.events)
}

async fn ship(State(app): State<App>, Writer(ctx): Writer, Path(id): Path<String>, Body(dispatch): Body<Dispatch>) -> Answer {
    let id = orders::resolve(&mut app.store.read().await?, &ctx.tenant, &id).await?;
    let order = orders::find(&mut app.store.read().await?, &ctx.tenant, &id).await?.ok_or_else(|| orders::Error::Missing(id.clone()))?;
    let shipped = app.store.write(move |tx| {
        Box::pin(async move {
            let (shipment, change) = fulfilment::ship(tx, &ctx, &id, &dispatch).await?;
            fanout::stock_changed(tx, &ctx, &change.variants).await?;
            lanes::make_due(tx, &ctx, &writeback_lane(&order.connection), ctx.now_ms()).await?;
            Ok::<_, Error>(shipment)
        })
    });
    created(shipped.await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Serve {
    from: Option<String>,
}

async fn serve(State(app): State<App>, Writer(ctx): Writer, Path(id): Path<String>, Body(wanted): Body<Serve>) -> Answer {
    let id = orders::resolve(&mut app.store.read().await?, &ctx.tenant, &id).await?;
    let first = match &wanted.from {
        Some(name) => Some(locations::resolve(&mut app.store.read().await?, &ctx.tenant, name).await?.id),
        None => None,
    };
    shelves::serve_again(&app.store, &ctx, &id, first.as_ref()).await?;
    stands(&app, &ctx, &id).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CameBack {
    lines: Vec<LineUnits>,
    #[serde(default = "yes")]
    to_shelf: bool,
}

fn yes() -> bool {
    true
}

async fn take_back(State(app): State<App>, Writer(ctx): Writer, Path(id): Path<String>, Body(back): Body<CameBack>) -> Answer {
    let id = orders::resolve(&mut app.store.read().await?, &ctx.tenant, &id).await?;
    if back.lines.is_empty() {
        return Err(Error::new(Code::Invalid, "nothing is said to have come back; hint: name lines and units").about("lines"));
    }
    let units: Vec<(String, i64)> = back.lines.into_iter().map(|line| (line.line, line.quantity)).collect();
    shelves::take_back(&app.store, &ctx, &id, &units, back.to_shelf).await?;
    stands(&app, &ctx, &id).await
}

/// What an order holds and lacks now.
async fn stands(app: &App, ctx: &Ctx, id: &OrderId) -> Answer {
    let mut conn = app.store.read().await?;
    let order = orders::find(&mut conn, &ctx.tenant, id).await?.ok_or_else(|| orders::Error::Missing(id.clone()))?;
    let shortages = orders::remedies(&mut conn, &ctx.tenant, id).await?;
    told(json!({ "id": id, "short": order.short, "lines": order.lines, "shortages": shortages }))
}
