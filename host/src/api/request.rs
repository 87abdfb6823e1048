//! What handlers take: who asks ([`Reader`], [`Writer`], [`Admin`]), a body ([`Body`]) and query parameters ([`Query`]).
//!
//! A handler's signature says what scope it needs; there is no way to forget the check. The tenant comes from the credential.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use serde::de::DeserializeOwned;

use super::error::{Code, Error};
use crate::access::{self, Grant, Scope};
use crate::app::App;
use crate::ctx::Ctx;

/// The cookie of the pages.
pub const COOKIE: &str = "entrepot_session";
/// The header in which the pages' own script repeats the token of [`access::csrf_token`].
const CSRF: &str = "x-csrf-token";

/// Set on requests that this very process makes on behalf of whoever may open the database; nothing from a network can set it.
#[derive(Clone)]
pub struct Operator;

macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident $scope:ident),*) => {$(
        $(#[$doc])*
        pub struct $name(pub Ctx);

        impl FromRequestParts<App> for $name {
            type Rejection = Error;
            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
                caller(parts, app, Scope::$scope).await.map(|(ctx, _)| Self(ctx))
            }
        }
    )*};
}

callers! {
    /// May look.
    Reader Read,
    /// May change the business.
    Writer Write,
    /// May change who may do what, and read personal data.
    Admin Admin
}

/// May look; whether personal data may be shown is asked separately.
pub struct Viewer {
    pub ctx: Ctx,
    pub scope: Scope,
}

impl FromRequestParts<App> for Viewer {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        caller(parts, app, Scope::Read).await.map(|(ctx, scope)| Self { ctx, scope })
    }
}

async fn caller(parts: &Parts, app: &App, wanted: Scope) -> Result<(Ctx, Scope), Error> {
    if parts.extensions.get::<Operator>().is_some() {
        return Ok((app.ctx.acting_as("operator"), Scope::Admin));
    }
    let cookie = cookie(&parts.headers);
    let Some(presented) = bearer(&parts.headers).or(cookie) else {
        return Err(Error::new(
            Code::Unauthenticated,
            "this needs a key; hint: send `Authorization: Bearer ek_…`, `entrepot key create` makes one",
        ));
    };
    let mut conn = app.store.read().await?;
    let grant = access::authenticate(&mut conn, app.ctx.now_ms(), presented).await?;
    drop(conn);
    if grant.ambient && !matches!(parts.method, Method::GET | Method::HEAD) {
        let given = parts.headers.get(CSRF).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !access::csrf_matches(presented, given) {
            return Err(Error::new(Code::Forbidden, "this change did not come from our own page; hint: reload the page"));
        }
    }
    if !grant.allows(wanted) {
        let message = format!("this needs a key with the scope `{}`; this one has `{}`", wanted.as_str(), grant.scope.as_str());
        return Err(Error::new(Code::Forbidden, message));
    }
    note_use(app, &grant).await;
    Ok((Ctx { tenant: grant.tenant.clone(), ..app.ctx.acting_as(grant.actor.clone()) }, grant.scope))
}

async fn note_use(app: &App, grant: &Grant) {
    if !grant.wants_record() {
        return;
    }
    let (ctx, grant) = (app.ctx.clone(), grant.clone());
    let noted = app.store.write(move |tx| Box::pin(async move { access::record_use(tx, &ctx, &grant).await })).await;
    if let Err(error) = noted {
        tracing::warn!(error = %crate::store::chain(&error), "the use of a key was not noted");
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

/// The value of our cookie, if the browser sent it.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}

/// A JSON body, strictly: what is not known is refused by name.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Error;
    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        let bytes = Raw::from_request(request, app).await?.0;
        // An empty body means: nothing in particular.
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        let mut source = serde_json::Deserializer::from_slice(bytes);
        let value = serde_path_to_error::deserialize(&mut source).map_err(|error| refused(&error.path().to_string(), error.inner()))?;
        source.end().map_err(|error| refused(".", &error))?;
        Ok(Self(value))
    }
}

fn refused(path: &str, error: &serde_json::Error) -> Error {
    if error.is_syntax() || error.is_eof() {
        return Error::new(Code::Malformed, format!("the body is not JSON: {error}"));
    }
    named(path, &error.to_string())
}

/// The words of serde, sorted into our codes.
fn named(path: &str, text: &str) -> Error {
    let quoted = text.split('`').nth(1).unwrap_or_default().to_owned();
    if text.starts_with("unknown field") {
        let known = text.split_once(", ").map_or("no field is known here", |(_, rest)| rest);
        let known = known.split(" at line").next().unwrap_or(known);
        return Error::new(Code::UnknownField, format!("there is no field `{quoted}`; {known}")).about(quoted);
    }
    let field = if text.starts_with("missing field") { quoted } else { path.to_owned() };
    let error = Error::new(Code::Invalid, text.to_owned());
    if field.is_empty() || field == "." { error } else { error.about(field) }
}

/// A body as it is.
pub struct Raw(pub axum::body::Bytes);

impl FromRequest<App> for Raw {
    type Rejection = Error;
    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        let bytes = axum::body::Bytes::from_request(request, app).await.map_err(|rejection| match rejection.status().as_u16() {
            413 => Error::new(Code::TooLarge, "the body is larger than the hub takes; hint: split it"),
            _ => Error::new(Code::Malformed, rejection.body_text()),
        })?;
        Ok(Self(bytes))
    }
}

/// Query parameters, strictly.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Query<T> {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Error> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri).map_err(|rejection| {
            let text = rejection.body_text();
            let text = text.rsplit_once("query string: ").map_or(text.as_str(), |(_, rest)| rest);
            // The parameter's name comes first, where there is one.
            let (name, problem) = text.split_once(": ").filter(|(name, _)| !name.contains(' ')).unwrap_or(("", text));
            named(name, problem)
        })?;
        Ok(Self(query.0))
    }
}
