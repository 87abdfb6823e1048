//! Where goods lie, and which of a channel's places is which of ours.

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;

use crate::api::answer::{Answer, all, created, told};
use crate::api::error::Error;
use crate::api::request::{Body, Reader, Writer};
use crate::api::routes::Routes;
use crate::app::App;
use crate::locations::LocationPatch;
use crate::{connections, locations};

pub fn add(routes: Routes) -> Routes {
    routes
        .get("/locations", "Our locations in the order in which they are asked", list)
        .post("/locations", "Add a location behind the others", add_one)
        .patch("/locations/{location}", "Change when it is asked, or the country it lies in; null clears", change)
        .get("/connections/{connection}/locations", "Which of the channel's locations is which of ours", mapped)
        .put("/connections/{connection}/locations", "Say which of ours a channel's location is", map)
        .delete("/connections/{connection}/locations/{external}", "Forget it again", unmap)
}

async fn list(State(app): State<App>, Reader(ctx): Reader) -> Answer {
    all(locations::list(&mut app.store.read().await?, &ctx.tenant).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
}

async fn add_one(State(app): State<App>, Writer(ctx): Writer, Body(new): Body<New>) -> Answer {
    created(app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(locations::add(tx, &ctx, &new.name).await?) })).await?)
}

async fn change(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Body(patch): Body<LocationPatch>) -> Answer {
    let id = locations::resolve(&mut app.store.read().await?, &ctx.tenant, &name).await?.id;
    told(app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(locations::change(tx, &ctx, &id, patch).await?) })).await?)
}

async fn mapped(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>) -> Answer {
    let mut conn = app.store.read().await?;
    let connection = connections::resolve(&mut conn, &ctx.tenant, &name).await?;
    let mapped = locations::mapped(&mut conn, &ctx.tenant, &connection.id).await?;
    all(mapped.into_iter().map(|(external_id, location)| json!({ "external_id": external_id, "location": location })).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    external_id: String,
    location: String,
}

async fn map(State(app): State<App>, Writer(ctx): Writer, Path(name): Path<String>, Body(wanted): Body<Mapping>) -> Answer {
    let mut conn = app.store.read().await?;
    let connection = connections::resolve(&mut conn, &ctx.tenant, &name).await?;
    let location = locations::resolve(&mut conn, &ctx.tenant, &wanted.location).await?;
    drop(conn);
    let answer = json!({ "external_id": wanted.external_id, "location": location.id });
    app.store
        .write(move |tx| {
            Box::pin(async move { Ok::<_, Error>(locations::map(tx, &ctx, &connection.id, &wanted.external_id, &location.id).await?) })
        })
        .await?;
    told(answer)
}

async fn unmap(State(app): State<App>, Writer(ctx): Writer, Path((name, external)): Path<(String, String)>) -> Answer {
    let connection = connections::resolve(&mut app.store.read().await?, &ctx.tenant, &name).await?;
    let removed = app
        .store
        .write(move |tx| Box::pin(async move { Ok::<_, Error>(locations::unmap(tx, &ctx, &connection.id, &external).await?) }))
        .await?;
    told(json!({ "removed": removed }))
}
