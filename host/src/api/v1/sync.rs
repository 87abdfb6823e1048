//! What the hub is busy with, the first plan, and repairs.

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::answer::{Answer, all, created, page, told};
use crate::api::error::{Code, Error};
use crate::api::request::{Body, Query, Reader, Writer};
use crate::api::routes::Routes;
use crate::app::App;
use crate::clock::from_rfc3339;
use crate::ctx::Ctx;
use crate::id::ConnectionId;
use crate::id::PlanId;
use crate::lanes::{self, Filter, Lane, LaneKey, LaneKind, Quarantined};
use crate::page::{Cursor, Page, PageRequest};
use crate::store::ReadConn;
use crate::sync::guards::{self as limits, Limits, Scope};
use crate::sync::imports::{Seen as Import, State as ImportState};
use crate::sync::push::Field;
use crate::sync::{self, golive, trouble};
use crate::{connections, inbox, sync as flows};

pub fn add(routes: Routes) -> Routes {
    routes
        .get("/sync/status", "Causes with the money at risk, lanes by kind and connection, what was not sent, what was refused", status)
        .get("/sync/imports", "How far the reading of each connection has come, and when it will be through", imports)
        .get("/sync/drift", "What channels showed and had not been told, newest first", drifts)
        .get("/sync/lanes", "Lanes that failed or stand still", failing)
        .get("/sync/dead", "Lanes that stand still: of a connection, a kind, a cause, a span of time", dead)
        .post("/sync/lanes/retry", "Let every lane that stands still and fits run now", retry)
        .post("/sync/lanes/skip", "Drop a lane, and end the deliveries that wait on it", skip)
        .post("/sync/lanes/release", "Let a lane that stands still run now", release)
        .post("/sync/run", "Ask for a run: orders-in, listings-in, webhooks, rates-in, push, prices or fulfilment", run)
        .post("/connections/{connection}/plan", "What a push would change now, and what is held", plan)
        .post(
            "/plans/{plan}/accept",
            "Accept a plan: a connection goes live, held values go out, or prices are pushed from then on",
            accept,
        )
        .get("/sync/pauses", "What a person stopped: pushes, and imports", pauses)
        .post("/sync/pauses", "Push nothing to a channel's connections or to one listing; or stop a connection's import", pause)
        .delete("/sync/pauses", "Push there again; or go on with the import", resume)
        .get("/connections/{connection}/guards", "How much may be pushed there without a person looking", guards)
        .patch("/connections/{connection}/guards", "Change that", set_guards)
}

async fn status(State(app): State<App>, Reader(ctx): Reader) -> Answer {
    let mut conn = app.store.read().await?;
    let flows = lanes::overview(&mut conn, &ctx).await?;
    let flow = |flow: &lanes::Flow| {
        json!({
            "kind": flow.kind.as_str(), "connection": flow.connection, "due": flow.due, "waiting": flow.waiting, "running": flow.running,
            "failing": flow.failing, "quarantined": flow.quarantined, "oldest_due_at": flow.oldest_due_at,
        })
    };
    let stuck = lanes::list(&mut conn, &ctx, Filter::Failing, None, SHOWN).await?;
    told(json!({
        "causes": trouble::causes(&mut conn, &ctx).await?,
        "lanes": flows.iter().map(flow).collect::<Vec<_>>(),
        "failing": stuck.iter().map(lane).collect::<Vec<_>>(),
        "imports": underway(&mut conn, &ctx).await?,
        "unsent": flows::unsent(&mut conn, &ctx.tenant, None, SHOWN).await?,
        "refusals": flows::refusals(&mut conn, &ctx.tenant, SHOWN).await?,
    }))
}

const SHOWN: u32 = 100;

async fn underway(conn: &mut ReadConn, ctx: &Ctx) -> Result<Vec<Value>, Error> {
    let found = sync::imports::list(conn, ctx, None).await?;
    Ok(found.iter().filter(|seen| seen.state != ImportState::Done).map(|seen| import(seen, ctx.now_ms())).collect())
}

fn import(seen: &Import, now_ms: i64) -> Value {
    let import = &seen.import;
    let runs = matches!(seen.state, ImportState::Running | ImportState::Waiting) && seen.problem.is_none();
    json!({
        "connection": seen.connection.name, "connection_id": import.connection, "stream": import.stream, "state": seen.state,
        "done": import.done, "total": import.total, "per_cent": import.per_cent(), "per_minute": import.per_minute(),
        "began_at": import.began_at, "read_at": import.read_at, "again_at": import.again_at, "finished_at": import.finished_at,
        "ends_at": import.ends_at(now_ms).filter(|_| runs), "problem": seen.problem,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfConnection {
    connection: Option<String>,
}

async fn imports(State(app): State<App>, Reader(ctx): Reader, Query(of): Query<OfConnection>) -> Answer {
    let connection = named_connection(&app, &ctx, of.connection.as_deref()).await?;
    let found = sync::imports::list(&mut app.store.read().await?, &ctx, connection.as_ref()).await?;
    all(found.iter().map(|seen| import(seen, ctx.now_ms())).collect())
}

fn lane(lane: &Lane) -> Value {
    json!({
        "lane": lane.key.id(), "running": lane.running, "due_at": lane.next_due, "failures": lane.failures, "claims": lane.claims,
        "quarantined_at": lane.quarantined_at, "reason": lane.reason,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    #[serde(default)]
    quarantined: bool,
    limit: Option<u32>,
}

async fn failing(State(app): State<App>, Reader(ctx): Reader, Query(which): Query<Which>) -> Answer {
    let filter = if which.quarantined { Filter::Quarantined } else { Filter::Failing };
    let limit = PageRequest { cursor: None, limit: which.limit }.limit();
    let found = lanes::list(&mut app.store.read().await?, &ctx, filter, None, limit).await?;
    all(found.iter().map(lane).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    connection: Option<String>,
    /// RFC 3339.
    since: Option<jiff::Timestamp>,
    limit: Option<u32>,
}

async fn drifts(State(app): State<App>, Reader(ctx): Reader, Query(seen): Query<Seen>) -> Answer {
    let mut conn = app.store.read().await?;
    let connection = match &seen.connection {
        Some(name) => Some(connections::resolve(&mut conn, &ctx.tenant, name).await?.id),
        None => None,
    };
    let since_ms = seen.since.map_or(0, jiff::Timestamp::as_millisecond);
    let limit = PageRequest { cursor: None, limit: seen.limit }.limit();
    let found = sync::drift::list(&mut conn, &ctx.tenant, connection.as_ref(), since_ms, limit).await?;
    let names = connections::names(&mut conn, &ctx.tenant).await?;
    let ids: Vec<_> = found.iter().map(|drift| drift.listing.clone()).collect();
    let listings = crate::listings::find_many(&mut conn, &ctx.tenant, &ids).await?;
    let row = |drift: &sync::drift::Drift| {
        let sku = listings.iter().find(|listing| listing.id == drift.listing).and_then(|listing| listing.sku.clone());
        json!({
            "seen_at": drift.seen_at, "connection": names.get(&drift.connection), "listing": drift.listing, "sku": sku, "field": drift.field,
            "told": drift.told.to_string(), "found": drift.found.to_string(), "was_read": drift.was_read,
        })
    };
    all(found.iter().map(row).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    lane: String,
}

fn lane_key(text: &str) -> Result<LaneKey, Error> {
    LaneKey::parse(text).ok_or_else(|| absent(text))
}

fn absent(lane: &str) -> Error {
    Error::new(Code::NotFound, format!("there is no lane `{lane}`; hint: `entrepot sync dead` lists those that stand still")).about("lane")
}

async fn release(State(app): State<App>, Writer(ctx): Writer, Body(named): Body<Named>) -> Answer {
    let key = lane_key(&named.lane)?;
    match app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(lanes::release(tx, &ctx, &key).await?) })).await? {
        true => told(json!({ "lane": named.lane, "released": true })),
        false => Err(absent(&named.lane)),
    }
}

async fn skip(State(app): State<App>, Writer(ctx): Writer, Body(named): Body<Named>) -> Answer {
    let key = lane_key(&named.lane)?;
    let skipped = app.store.write(move |tx| {
        Box::pin(async move {
            // The lane first: a handler that holds it would end its deliveries otherwise.
            match lanes::forget(tx, &ctx, &key).await? {
                true => Ok::<_, Error>(Some(inbox::skip_waiting(tx, &ctx, &key).await?)),
                false => Ok(None),
            }
        })
    });
    match skipped.await? {
        Some(deliveries) => told(json!({ "lane": named.lane, "skipped": true, "deliveries": deliveries })),
        None => {
            let message =
                format!("there is no lane `{}`, or it is at work now; hint: `entrepot sync dead` lists those that stand still", named.lane);
            Err(Error::new(Code::Conflict, message).about("lane"))
        }
    }
}

/// Lanes that stand still; what is not given does not matter.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    connection: Option<String>,
    kind: Option<String>,
    /// Part of the reason, word for word.
    cause: Option<String>,
    /// RFC 3339; since then or later.
    since: Option<String>,
    /// RFC 3339; since before then.
    until: Option<String>,
}

impl Group {
    async fn which(self, app: &App, ctx: &Ctx) -> Result<Quarantined, Error> {
        let no_kind = |text: &String| {
            let known: Vec<&str> = LaneKind::ALL.iter().map(|kind| kind.as_str()).collect();
            Error::new(Code::Invalid, format!("`{text}` is no kind of lane; hint: {}", known.join(", "))).about("kind")
        };
        Ok(Quarantined {
            connection: named_connection(app, ctx, self.connection.as_deref()).await?,
            kind: self.kind.as_ref().map(|text| LaneKind::parse(text).ok_or_else(|| no_kind(text))).transpose()?,
            since_ms: instant("since", self.since.as_deref())?,
            until_ms: instant("until", self.until.as_deref())?,
            reason: self.cause,
        })
    }
}

pub(super) async fn named_connection(app: &App, ctx: &Ctx, name: Option<&str>) -> Result<Option<ConnectionId>, Error> {
    match name {
        Some(name) => Ok(Some(connections::resolve(&mut app.store.read().await?, &ctx.tenant, name).await?.id)),
        None => Ok(None),
    }
}

/// A time in a request.
pub(super) fn instant(field: &str, text: Option<&str>) -> Result<Option<i64>, Error> {
    let wrong = |text| Error::new(Code::Invalid, format!("`{text}` is not a time; hint: write 2027-01-31T00:00:00Z")).about(field);
    text.map(|text| from_rfc3339(text).ok_or_else(|| wrong(text))).transpose()
}

/// Fields of [`Group`] and of a page; a query cannot nest them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupPage {
    connection: Option<String>,
    kind: Option<String>,
    cause: Option<String>,
    since: Option<String>,
    until: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

async fn dead(State(app): State<App>, Reader(ctx): Reader, Query(wanted): Query<GroupPage>) -> Answer {
    let GroupPage { connection, kind, cause, since, until, cursor, limit } = wanted;
    let request = PageRequest { cursor, limit };
    let after = request.after("dead", 1)?.map(|mut keys| keys.swap_remove(0)).unwrap_or_default();
    let which = Group { connection, kind, cause, since, until }.which(&app, &ctx).await?;
    let found = lanes::list_quarantined(&mut app.store.read().await?, &ctx, &which, &after, request.limit() + 1).await?;
    let cut = Page::cut(found, request.limit(), |last| Cursor::new("dead", &[&last.key.id()]));
    page(Page { items: cut.items.iter().map(lane).collect::<Vec<_>>(), next_cursor: cut.next_cursor })
}

async fn retry(State(app): State<App>, Writer(ctx): Writer, Body(group): Body<Group>) -> Answer {
    let which = group.which(&app, &ctx).await?;
    let released = app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(lanes::release_quarantined(tx, &ctx, &which).await?) }));
    told(json!({ "released": released.await? }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    connection: String,
    run: What,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    OrdersIn,
    ListingsIn,
    Webhooks,
    RatesIn,
    Push,
    Prices,
    Fulfilment,
}

async fn run(State(app): State<App>, Writer(ctx): Writer, Body(wish): Body<Wish>) -> Answer {
    let connection = connections::resolve(&mut app.store.read().await?, &ctx.tenant, &wish.connection).await?;
    let lane = match wish.run {
        What::OrdersIn => sync::poll_lane(&connection.id),
        What::ListingsIn => sync::listings_lane(&connection.id),
        What::Webhooks => sync::subscriptions_lane(&connection.id),
        What::RatesIn => sync::rates_lane(&connection.id),
        What::Push => Field::Stock.lane(&connection.id),
        What::Prices => Field::Price.lane(&connection.id),
        What::Fulfilment => sync::writeback_lane(&connection.id),
    };
    let answer = json!({ "lane": lane.id(), "due_at": ctx.now_ms() });
    app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(lanes::make_due(tx, &ctx, &lane, ctx.now_ms()).await?) })).await?;
    told(answer)
}

async fn plan(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>) -> Answer {
    let connection = connections::resolve(&mut app.store.read().await?, &ctx.tenant, &name).await?;
    created(golive::plan(&app.sync, &ctx, &connection).await?)
}

async fn accept(State(app): State<App>, Writer(ctx): Writer, Path(plan): Path<String>) -> Answer {
    let accepted = golive::accept(&app.sync, &ctx, &PlanId::parse(&plan)?).await?;
    told(super::connections::view(&accepted))
}

/// One connection is paused by its own address; these are wider and narrower.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stopped {
    scope: Scope,
    subject: String,
}

async fn pauses(State(app): State<App>, Reader(ctx): Reader) -> Answer {
    all(limits::pauses(&mut app.store.read().await?, &ctx.tenant).await?)
}

async fn pause(State(app): State<App>, Writer(ctx): Writer, Body(what): Body<Stopped>) -> Answer {
    let answer = json!({ "scope": what.scope, "subject": what.subject, "paused": true });
    app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(limits::pause(tx, &ctx, what.scope, &what.subject).await?) })).await?;
    told(answer)
}

async fn resume(State(app): State<App>, Writer(ctx): Writer, Query(what): Query<Stopped>) -> Answer {
    let answer = json!({ "scope": what.scope, "subject": what.subject, "paused": false });
    app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(limits::resume(tx, &ctx, what.scope, &what.subject).await?) })).await?;
    told(answer)
}

async fn guards(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>) -> Answer {
    let mut conn = app.store.read().await?;
    let connection = connections::resolve(&mut conn, &ctx.tenant, &name).await?;
    told(limits::limits(&mut conn, &ctx.tenant, &connection.id).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsChange {
    zero_share_bps: Option<i64>,
    zero_free: Option<i64>,
    price_move_bps: Option<i64>,
}

async fn set_guards(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Body(change): Body<LimitsChange>) -> Answer {
    let mut conn = app.store.read().await?;
    let connection = connections::resolve(&mut conn, &ctx.tenant, &name).await?;
    let now = limits::limits(&mut conn, &ctx.tenant, &connection.id).await?;
    drop(conn);
    let wanted = Limits {
        zero_share_bps: change.zero_share_bps.unwrap_or(now.zero_share_bps),
        zero_free: change.zero_free.unwrap_or(now.zero_free),
        price_move_bps: change.price_move_bps.unwrap_or(now.price_move_bps),
    };
    let set =
        app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(limits::set_limits(tx, &ctx, &connection.id, wanted).await?) }));
    told(set.await?)
}
