//! Received deliveries: what came in and what became of it.

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;

use crate::api::answer::{Answer, page, told};
use crate::api::error::{Code, Error};
use crate::api::request::{Query, Reader, Writer};
use crate::api::routes::Routes;
use crate::app::App;
use crate::connections;
use crate::id::DeliveryId;
use crate::inbox;
use crate::page::{Cursor, Page, PageRequest};

pub fn add(routes: Routes) -> Routes {
    routes.get("/deliveries", "Received deliveries, newest first", list).post(
        "/deliveries/{delivery}/replay",
        "Translate a delivery again",
        replay,
    )
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
    if let Some(state) = wanted.state.as_deref().filter(|state| !["new", "done", "ignored", "refused"].contains(state)) {
        return Err(
            Error::new(Code::Invalid, format!("`{state}` is no state of a delivery; hint: new, done, ignored or refused")).about("state")
        );
    }
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
