//! The pages for people: a live overview, and the tax of a destination or of an order.
//!
//! Rendered here, on the server, and readable without a script; one small script of our own fetches the same fragment again
//! every two seconds. Nothing is loaded from anywhere else. All texts are in [`texts`].

mod login;
mod overview;
mod page;
mod tax;
mod texts;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use crate::api::Pages;
use crate::api::request::Reader;
use crate::app::App;
use crate::ctx::Ctx;

#[derive(Clone)]
struct Shown {
    app: App,
    pages: Pages,
}

pub fn router(app: &App, pages: Pages) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/overview", get(fragment))
        .route("/tax", get(tax::tryout))
        .route("/orders/{order}/tax", get(tax::of_order))
        .route("/login", get(login::form).post(login::redeem))
        .route("/logout", post(login::end))
        .route("/style.css", get(|| asset("text/css; charset=utf-8", include_str!("admin/style.css"))))
        .route("/live.js", get(|| asset("text/javascript; charset=utf-8", include_str!("admin/live.js"))))
        .layer(from_fn(guard))
        .with_state(Shown { app: app.clone(), pages })
}

async fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// What every page is sent with.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
];

async fn guard(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Who looks: anybody at a demonstration, otherwise whoever has a session or a key.
async fn looker(shown: &Shown, request: Request) -> Option<Ctx> {
    if shown.pages == Pages::Open {
        return Some(shown.app.ctx.clone());
    }
    let (mut parts, _) = request.into_parts();
    use axum::extract::FromRequestParts;
    Reader::from_request_parts(&mut parts, &shown.app).await.ok().map(|Reader(ctx)| ctx)
}

async fn home(State(shown): State<Shown>, request: Request) -> Response {
    let Some(ctx) = looker(&shown, request).await else { return Redirect::to("/login").into_response() };
    answer(overview::read(&shown.app, &ctx).await.map(|overview| page::whole(&page::overview(&overview))))
}

/// The changing part alone.
async fn fragment(State(shown): State<Shown>, request: Request) -> Response {
    let Some(ctx) = looker(&shown, request).await else { return StatusCode::UNAUTHORIZED.into_response() };
    answer(overview::read(&shown.app, &ctx).await.map(|overview| page::overview(&overview)))
}

fn answer(page: Result<String, crate::api::error::Error>) -> Response {
    match page {
        Ok(page) => Html(page).into_response(),
        Err(error) => {
            tracing::error!(error = error.cause.as_deref().unwrap_or(&error.message), "a page could not be made");
            (StatusCode::INTERNAL_SERVER_ERROR, Html(page::whole(&page::note(texts::FAILED)))).into_response()
        }
    }
}
