//! Connections: our accounts at channels, from adding one to removing it. Secrets go in and never out.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::answer::{Answer, all, created, page, told};
use crate::api::error::{Code, Error};
use crate::api::request::{Admin, Body, Query, Reader, Writer};
use crate::api::routes::Routes;
use crate::app::App;
use crate::clock::from_rfc3339;
use crate::connections::{self, Connection, NewConnection, Origin};
use crate::ctx::Ctx;
use crate::lanes::schedule::{self, Run};
use crate::listings;
use crate::page::PageRequest;
use crate::secrets::Secret;
use crate::sync::{setup, subscriptions};

pub fn add(routes: Routes) -> Routes {
    routes
        .get("/connections", "Connections, oldest first", list)
        .post("/connections", "Add a connection; it observes until a plan is accepted", add_one)
        .get("/connections/{connection}", "A connection, by id or name", show)
        .patch("/connections/{connection}", "Rename it, change its settings or the units it holds back", change)
        .delete("/connections/{connection}", "Remove it; with force=true although work is open", remove)
        .post("/connections/{connection}/check", "Do the credentials work, and whose are they?", check)
        .post("/connections/{connection}/pause", "Neither read nor push", pause)
        .post("/connections/{connection}/resume", "Back to where it was", resume)
        .post("/connections/{connection}/origins", "Let it call an origin beyond its manifest, private addresses included", grant)
        .delete("/connections/{connection}/origins", "Take that back", revoke)
        .put("/connections/{connection}/secrets/{name}", "Store a secret", put_secret)
        .get("/connections/{connection}/schedules", "When it reads by itself", schedules)
        .put("/connections/{connection}/schedules/{run}", "Set a schedule: five cron fields in the merchant's zone", set_schedule)
}

/// Without the webhook path, which is for the channel only.
pub fn view(connection: &Connection) -> Value {
    let mut value = serde_json::to_value(connection).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("webhook_path");
    }
    value
}

async fn find(app: &App, ctx: &Ctx, name: &str) -> Result<Connection, Error> {
    Ok(connections::resolve(&mut app.store.read().await?, &ctx.tenant, name).await?)
}

async fn list(State(app): State<App>, Reader(ctx): Reader, Query(request): Query<PageRequest>) -> Answer {
    page(connections::list(&mut app.store.read().await?, &ctx.tenant, &request).await?.map(|connection| view(&connection)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    plugin: String,
    name: String,
    #[serde(default)]
    settings: Option<serde_json::Map<String, Value>>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    #[serde(default)]
    origins: Vec<String>,
    /// Older orders are kept but never reserve; now, if not given.
    since_at: Option<String>,
}

async fn add_one(State(app): State<App>, Admin(ctx): Admin, Body(new): Body<New>) -> Answer {
    let not_time =
        |text: &String| Error::new(Code::Invalid, format!("`{text}` is not a time; hint: write 2026-01-31T00:00:00Z")).about("since_at");
    let since_at = new.since_at.as_ref().map(|text| from_rfc3339(text).ok_or_else(|| not_time(text))).transpose()?;
    let grants = new.origins.iter().map(|text| Origin::parse(text)).collect::<Result<_, _>>()?;
    let secrets = new.secrets.iter().map(|(name, value)| (name.clone(), Secret::from_text(value))).collect();
    let settings = Value::Object(new.settings.unwrap_or_default());
    let new = NewConnection { plugin: new.plugin, name: new.name, settings, since_at };
    created(view(&setup::add(&app.sync, &ctx, setup::Setup { new, secrets, grants }).await?))
}

async fn show(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>) -> Answer {
    let mut conn = app.store.read().await?;
    let connection = connections::resolve(&mut conn, &ctx.tenant, &name).await?;
    let links = listings::count_links(&mut conn, &ctx.tenant, &connection.id).await?;
    let mut answer = view(&connection);
    answer["secrets"] = json!(app.vault.names(&mut conn, &ctx.tenant, connection.id.as_str()).await?);
    answer["listings"] =
        links.into_iter().map(|(link, count)| (link.as_str().to_owned(), json!(count))).collect::<serde_json::Map<_, _>>().into();
    answer["open_work"] = serde_json::to_value(connections::open_work(&mut conn, &ctx.tenant, &connection.id).await?)?;
    answer["webhook_url"] = json!(app.sync.public_url.as_deref().map(|base| subscriptions::callback_url(base, &connection)));
    told(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    settings: Option<serde_json::Map<String, Value>>,
    buffer: Option<i64>,
}

async fn change(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Body(wanted): Body<Change>) -> Answer {
    let connection = find(&app, &ctx, &name).await?;
    let schema = match &wanted.settings {
        Some(_) => Some(app.sync.connectors.registry.get(&ctx.tenant, &connection.plugin)?.manifest().settings.clone()),
        None => None,
    };
    let changed = app.store.write(move |tx| {
        Box::pin(async move {
            let (id, mut now) = (connection.id.clone(), connection);
            if let Some(name) = &wanted.name {
                now = connections::rename(tx, &ctx, &id, name).await?;
            }
            if let (Some(settings), Some(schema)) = (wanted.settings, &schema) {
                now = connections::set_settings(tx, &ctx, &id, &Value::Object(settings), schema).await?;
            }
            if let Some(units) = wanted.buffer {
                now = connections::set_buffer(tx, &ctx, &id, units).await?;
                crate::sync::fanout::connection_changed(tx, &ctx, &id).await?;
            }
            Ok::<_, Error>(now)
        })
    });
    told(view(&changed.await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Force {
    #[serde(default)]
    force: bool,
}

async fn remove(State(app): State<App>, Admin(ctx): Admin, Path(name): Path<String>, Query(how): Query<Force>) -> Answer {
    let connection = find(&app, &ctx, &name).await?;
    let left = setup::remove(&app.sync, &ctx, &connection, how.force).await?;
    told(json!({ "id": connection.id, "removed": true, "left_open": left }))
}

async fn check(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>) -> Answer {
    let connection = find(&app, &ctx, &name).await?;
    setup::check(&app.sync, &ctx, &connection).await?;
    told(view(&find(&app, &ctx, connection.id.as_str()).await?))
}

async fn pause(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>) -> Answer {
    let id = find(&app, &ctx, &name).await?.id;
    told(view(&app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(connections::pause(tx, &ctx, &id).await?) })).await?))
}

async fn resume(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>) -> Answer {
    let connection = find(&app, &ctx, &name).await?;
    let plugin = app.sync.connectors.registry.get(&ctx.tenant, &connection.plugin)?;
    let resumed = app.store.write(move |tx| {
        Box::pin(async move {
            let id = connection.id;
            let resumed = connections::resume(tx, &ctx, &id).await?;
            let mut due = setup::reading_lanes(&id, plugin.manifest());
            due.extend(crate::sync::guards::push_lanes(&id));
            due.push(crate::sync::writeback_lane(&id));
            crate::lanes::make_due_many(tx, &ctx, &due, ctx.now_ms()).await?;
            crate::sync::imports::resumed(tx, &ctx, &id).await?;
            Ok::<_, Error>(resumed)
        })
    });
    told(view(&resumed.await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    origin: String,
}

async fn grant(State(app): State<App>, Admin(ctx): Admin, Path(name): Path<String>, Body(named): Body<Named>) -> Answer {
    let (id, origin) = (find(&app, &ctx, &name).await?.id, Origin::parse(&named.origin)?);
    told(view(
        &app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(connections::grant(tx, &ctx, &id, &origin).await?) })).await?,
    ))
}

async fn revoke(State(app): State<App>, Admin(ctx): Admin, Path(name): Path<String>, Query(named): Query<Named>) -> Answer {
    let (id, origin) = (find(&app, &ctx, &name).await?.id, Origin::parse(&named.origin)?);
    told(view(
        &app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(connections::revoke(tx, &ctx, &id, &origin).await?) })).await?,
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hidden {
    value: String,
}

async fn put_secret(
    State(app): State<App>,
    Admin(ctx): Admin,
    Path((name, secret)): Path<(String, String)>,
    Body(hidden): Body<Hidden>,
) -> Answer {
    let connection = find(&app, &ctx, &name).await?;
    let plugin = app.sync.connectors.registry.get(&ctx.tenant, &connection.plugin)?;
    if !plugin.manifest().secrets.iter().any(|slot| slot.name == secret) {
        let known: Vec<&str> = plugin.manifest().secrets.iter().map(|slot| slot.name.as_str()).collect();
        let message = format!("`{secret}` is not a secret of {}; its secrets are {}", plugin.manifest().title, known.join(", "));
        return Err(Error::new(Code::Invalid, message).about("name"));
    }
    let (vault, stored) = (app.vault.clone(), secret.clone());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                Ok::<_, Error>(vault.put(tx, &ctx, connection.id.as_str(), &stored, &Secret::from_text(&hidden.value)).await?)
            })
        })
        .await?;
    told(json!({ "name": secret, "stored": true }))
}

async fn schedules(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>) -> Answer {
    let id = find(&app, &ctx, &name).await?.id;
    let found = schedule::list(&mut app.store.read().await?, &ctx, Some(&id)).await?;
    all(found.iter().map(|s| json!({ "run": s.run.as_str(), "cron": s.cron, "enabled": s.enabled, "next_at": s.next_at })).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct When {
    cron: String,
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

async fn set_schedule(
    State(app): State<App>,
    Writer(ctx): Writer,
    Path((name, run)): Path<(String, String)>,
    Body(when): Body<When>,
) -> Answer {
    let id = find(&app, &ctx, &name).await?.id;
    let known = || Run::ALL.iter().map(|run| run.as_str()).collect::<Vec<_>>().join(", ");
    let parsed = Run::parse(&run)
        .ok_or_else(|| Error::new(Code::NotFound, format!("`{run}` is nothing that runs by a schedule; hint: {}", known())).about("run"))?;
    let answer = json!({ "run": run, "cron": when.cron, "enabled": when.enabled });
    app.store
        .write(move |tx| Box::pin(async move { Ok::<_, Error>(schedule::set(tx, &ctx, &id, parsed, &when.cron, when.enabled).await?) }))
        .await?;
    told(answer)
}
