//! Received deliveries: what came in and what became of it.

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;

use super::sync::{instant, named_connection};
use crate::api::answer::{Answer, page, told};
use crate::api::error::{Code, Error};
use crate::api::request::{Body, Query, Reader, Writer};
use crate::api::routes::Routes;
use crate::app::App;
use crate::ctx::Ctx;
use crate::id::DeliveryId;
use crate::inbox;
use crate::page::{Cursor, Page, PageRequest};

pub fn add(routes: Routes) -> Routes {
    routes
        .get("/deliveries", "Received deliveries, newest first", list)
        .post("/deliveries/replay", "Translate again what fits and arrived in a span of time", replay_all)
        .post("/deliveries/skip", "End refused deliveries that fit", skip_all)
        .post("/deliveries/{delivery}/replay", "Translate a delivery again", replay)
        .post("/deliveries/{delivery}/skip", "End a delivery that waits or was refused", skip)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    connection: Option<String>,
    state: Option<String>,
    cause: Option<String>,
    since: Option<String>,
    until: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

async fn list(State(app): State<App>, Reader(ctx): Reader, Query(wanted): Query<Wanted>) -> Answer {
    let Wanted { connection, state, cause, since, until, cursor, limit } = wanted;
    let request = PageRequest { cursor, limit };
    let before = request.after("deliveries", 1)?.map(|keys| DeliveryId::parse(&keys[0])).transpose()?;
    let filter = Span { connection, state, cause, since, until }.filter(&app, &ctx).await?;
    let rows = inbox::list(&mut app.store.read().await?, &ctx.tenant, &filter, before.as_ref(), request.limit() + 1).await?;
    page(Page::cut(rows, request.limit(), |last| Cursor::new("deliveries", &[last.id.as_str()])))
}

async fn replay(State(app): State<App>, Writer(ctx): Writer, Path(id): Path<String>) -> Answer {
    let id = DeliveryId::parse(&id)?;
    let replayed = id.clone();
    app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(inbox::replay(tx, &ctx, &id).await?) })).await?;
    told(json!({ "id": replayed, "state": "new" }))
}

async fn skip(State(app): State<App>, Writer(ctx): Writer, Path(id): Path<String>) -> Answer {
    let id = DeliveryId::parse(&id)?;
    let skipped = id.clone();
    match app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(inbox::skip(tx, &ctx, &id).await?) })).await? {
        true => told(json!({ "id": skipped, "state": "ignored" })),
        false => Err(Error::new(Code::Conflict, format!("the delivery {skipped} ended well already; hint: nothing is left to skip"))),
    }
}

/// Which deliveries are meant; what is not given does not matter.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    connection: Option<String>,
    state: Option<String>,
    /// Part of the reason, word for word.
    cause: Option<String>,
    /// RFC 3339; what arrived at it or later.
    since: Option<String>,
    /// RFC 3339; what arrived before it.
    until: Option<String>,
}

impl Span {
    /// Refuses to mean everything.
    fn narrowed(self, otherwise: &str) -> Result<Self, Error> {
        let Self { connection, state, cause, since, until } = &self;
        if [connection, state, cause, since, until].iter().all(|given| given.is_none()) {
            let message = format!("this would {otherwise}; hint: name a connection, a state, a cause or a span of time");
            return Err(Error::new(Code::Invalid, message));
        }
        Ok(self)
    }

    async fn filter(self, app: &App, ctx: &Ctx) -> Result<inbox::Filter, Error> {
        if let Some(state) = self.state.as_deref().filter(|state| !["new", "done", "ignored", "refused"].contains(state)) {
            let message = format!("`{state}` is no state of a delivery; hint: new, done, ignored or refused");
            return Err(Error::new(Code::Invalid, message).about("state"));
        }
        Ok(inbox::Filter {
            connection: named_connection(app, ctx, self.connection.as_deref()).await?,
            since_ms: instant("since", self.since.as_deref())?,
            until_ms: instant("until", self.until.as_deref())?,
            state: self.state,
            reason: self.cause,
        })
    }
}

async fn replay_all(State(app): State<App>, Writer(ctx): Writer, Body(span): Body<Span>) -> Answer {
    let filter = span.narrowed("replay everything")?.filter(&app, &ctx).await?;
    told(json!({ "replayed": inbox::replay_all(&app.store, &ctx, &filter).await? }))
}

async fn skip_all(State(app): State<App>, Writer(ctx): Writer, Body(span): Body<Span>) -> Answer {
    if span.state.as_deref().is_some_and(|state| state != "refused") {
        let message = "only refused deliveries are skipped together; hint: leave the state out, or skip others one by one";
        return Err(Error::new(Code::Invalid, message).about("state"));
    }
    let filter = Span { state: None, ..span }.narrowed("skip everything that was refused")?.filter(&app, &ctx).await?;
    told(json!({ "skipped": inbox::skip_all(&app.store, &ctx, &filter).await? }))
}
