//! `/api/v1`: one small file per resource. Lists are `{"items": […], "next_cursor": null}`, changes take strict JSON.

mod backup;
mod connections;
mod crossborder;
mod deliveries;
mod doctor;
mod keys;
mod listings;
mod locations;
mod orders;
mod persons;
mod plugins;
mod prices;
mod products;
mod rates;
mod shelves;
mod stock;
mod sync;

use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use axum::{Json, Router, middleware};
use serde_json::json;

use super::answer;
use super::routes::Routes;
use crate::app::App;

const PREFIX: &str = "/api/v1";

pub fn router(app: &App) -> Router {
    let rooms = [
        plugins::add,
        connections::add,
        products::add,
        listings::add,
        stock::add,
        shelves::add,
        prices::add,
        locations::add,
        orders::add,
        crossborder::add,
        rates::add,
        sync::add,
        deliveries::add,
        keys::add,
        doctor::add,
        backup::add,
        persons::add,
    ];
    let (routes, paths) = rooms.into_iter().fold(Routes::default(), |routes, add| add(routes)).split(PREFIX);
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": "Entrepot", "version": env!("CARGO_PKG_VERSION") },
        "security": [{ "key": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } },
            "responses": { "Refusal": { "description": "code, message, field, request_id; `entrepot explain CODE` says more", "content": { "application/json": { "schema": {
                "type": "object", "required": ["code", "message", "field", "request_id"],
                "properties": {
                    "code": { "enum": super::error::Code::ALL.iter().map(|code| code.word()).collect::<Vec<_>>() },
                    "message": { "type": "string" }, "field": { "type": ["string", "null"] }, "request_id": { "type": "string" },
                },
            } } } } },
        },
    });
    let describe = get(move || async move { Json(document.clone()) });
    Router::new()
        .nest(PREFIX, routes.route("/openapi.json", describe).fallback(nowhere))
        .layer(middleware::from_fn_with_state(app.clone(), answer::in_time))
        .layer(DefaultBodyLimit::max(app.tuning.api_body_bytes))
        .layer(middleware::from_fn_with_state(app.clone(), answer::finish))
        .with_state(app.clone())
}

async fn nowhere() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_FOUND
}
