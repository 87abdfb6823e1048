//! The one-time link becomes a session. Opening the link only shows a button, so that a preview or a scanner that follows it
//! does not use it up.

use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Shown, page, texts};
use crate::access;
use crate::api::request::{COOKIE, cookie};

#[derive(Deserialize)]
pub(super) struct Link {
    #[serde(default)]
    token: String,
}

pub(super) async fn form(Query(link): Query<Link>) -> Response {
    let body = if link.token.is_empty() { page::note(texts::NEEDS_LINK) } else { page::login(&link.token) };
    Html(page::whole(&body)).into_response()
}

pub(super) async fn redeem(State(shown): State<Shown>, Form(link): Form<Link>) -> Response {
    let ctx = shown.app.ctx.clone();
    let redeemed = shown.app.store.write(move |tx| Box::pin(async move { access::redeem_link(tx, &ctx, &link.token).await })).await;
    match redeemed {
        Ok(session) => {
            let secure = if shown.app.sync.public_url.as_deref().is_some_and(|url| url.starts_with("https://")) { "; Secure" } else { "" };
            let value = session.cookie.expose_text().unwrap_or_default();
            let cookie = format!("{COOKIE}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", session.life_s);
            ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
        }
        Err(access::Error::Refused) => (StatusCode::UNAUTHORIZED, Html(page::whole(&page::note(texts::LINK_SPENT)))).into_response(),
        Err(error) => super::answer(Err(error.into())),
    }
}

pub(super) async fn end(State(shown): State<Shown>, headers: HeaderMap) -> Response {
    let Some(value) = cookie(&headers).map(str::to_owned) else { return Redirect::to("/login").into_response() };
    let ended = shown.app.store.write(move |tx| Box::pin(async move { access::end_session(tx, &value).await })).await;
    match ended {
        Ok(()) => ([(header::SET_COOKIE, format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"))], Redirect::to("/login"))
            .into_response(),
        Err(error) => super::answer(Err(error.into())),
    }
}
