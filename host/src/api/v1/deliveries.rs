//! Received deliveries: what came in and what became of it.

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;

use crate::api::answer::{Answer, page, told};
use crate::api::error::{Code, Error};
use crate::api::request::{Body, Query, Reader, Writer};
use crate::api::routes::Routes;
use crate::app::App;
use crate::clock::from_rfc3339;
use crate::connections;
use crate::id::DeliveryId;
use crate::inbox;
use crate::page::{Cursor, Page, PageRequest};

pub fn add(routes: Routes) -> Routes {
    routes
        .get("/deliveries", "Received deliveries, newest first", list)
        .post("/deliveries/replay", "Translate again what fits and arrived in a span of time", replay_all)
        .post("/deliveries/{delivery}/replay", "Translate a delivery again", replay)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    connection: Option<String>,
    state: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

async fn list(State(app): State<App>, Reader(ctx): Reader, Query(wanted): Query<Wanted>) -> Answer {
    let request = PageRequest { cursor: wanted.cursor, limit: wanted.limit };
    let before = request.after("deliveries", 1)?.map(|keys| DeliveryId::parse(&keys[0])).transpose()?;
    refuse_unknown_state(wanted.state.as_deref())?;
    let mut conn = app.store.read().await?;
    let connection = match &wanted.connection {
        Some(name) => Some(connections::resolve(&mut conn, &ctx.tenant, name).await?.id),
        None => None,
    };
    let filter = inbox::Filter { connection, state: wanted.state };
    let rows = inbox::list(&mut conn, &ctx.tenant, &filter, before.as_ref(), request.limit() + 1).await?;
    page(Page::cut(rows, request.limit(), |last| Cursor::new("deliveries", &[last.id.as_str()])))
}

async fn replay(State(app): State<App>, Writer(ctx): Writer, Path(id): Path<String>) -> Answer {
    let id = DeliveryId::parse(&id)?;
    let replayed = id.clone();
    app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(inbox::replay(tx, &ctx, &id).await?) })).await?;
    told(json!({ "id": replayed, "state": "new" }))
}

fn refuse_unknown_state(state: Option<&str>) -> Result<(), Error> {
    match state.filter(|state| !["new", "done", "ignored", "refused"].contains(state)) {
        Some(state) => {
            let message = format!("`{state}` is no state of a delivery; hint: new, done, ignored or refused");
            Err(Error::new(Code::Invalid, message).about("state"))
        }
        None => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    connection: Option<String>,
    state: Option<String>,
    /// RFC 3339; what arrived at it or later.
    since: Option<String>,
    /// RFC 3339; what arrived before it.
    until: Option<String>,
}

async fn replay_all(State(app): State<App>, Writer(ctx): Writer, Body(span): Body<Span>) -> Answer {
    refuse_unknown_state(span.state.as_deref())?;
    if span.connection.is_none() && span.state.is_none() && span.since.is_none() && span.until.is_none() {
        return Err(Error::new(Code::Invalid, "this would replay everything; hint: name a connection, a state or a span of time"));
    }
    let instant = |field: &str, text: &Option<String>, otherwise: i64| match text {
        None => Ok(otherwise),
        Some(text) => from_rfc3339(text)
            .ok_or_else(|| Error::new(Code::Invalid, format!("`{text}` is not a time; hint: write 2027-01-31T00:00:00Z")).about(field)),
    };
    let (since_ms, until_ms) = (instant("since", &span.since, 0)?, instant("until", &span.until, i64::MAX)?);
    let connection = match &span.connection {
        Some(name) => Some(connections::resolve(&mut app.store.read().await?, &ctx.tenant, name).await?.id),
        None => None,
    };
    let which = inbox::Replay { filter: inbox::Filter { connection, state: span.state }, since_ms, until_ms };
    told(json!({ "replayed": inbox::replay_all(&app.store, &ctx, &which).await? }))
}
