//! API keys: only for those who may already do everything.

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;

use crate::access::{self, Scope};
use crate::api::answer::{Answer, created, page, told};
use crate::api::error::{Code, Error};
use crate::api::request::{Admin, Body, Query};
use crate::api::routes::Routes;
use crate::app::App;
use crate::clock::from_rfc3339;
use crate::id::KeyId;
use crate::page::PageRequest;

pub fn add(routes: Routes) -> Routes {
    routes
        .get("/keys", "Keys, revoked ones too", list)
        .post("/keys", "Make a key; its secret is shown once", create)
        .delete("/keys/{key}", "Revoke a key at once", revoke)
        .post("/secrets/rewrap", "Wrap under the present master key what former ones still wrap", rewrap)
        .post("/login-links", "A token that opens the pages once, within ten minutes", link)
}

async fn list(State(app): State<App>, Admin(ctx): Admin, Query(request): Query<PageRequest>) -> Answer {
    page(access::list_keys(&mut app.store.read().await?, &ctx.tenant, &request).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
    scope: Scope,
    /// RFC 3339.
    expires_at: Option<String>,
}

async fn create(State(app): State<App>, Admin(ctx): Admin, Body(new): Body<New>) -> Answer {
    let not_time =
        |text: &String| Error::new(Code::Invalid, format!("`{text}` is not a time; hint: write 2027-01-31T00:00:00Z")).about("expires_at");
    let expires_at = new.expires_at.as_ref().map(|text| from_rfc3339(text).ok_or_else(|| not_time(text))).transpose()?;
    let (key, secret) = app
        .store
        .write(move |tx| Box::pin(async move { Ok::<_, Error>(access::create_key(tx, &ctx, &new.name, new.scope, expires_at).await?) }))
        .await?;
    created(json!({ "key": key, "secret": secret.expose_text() }))
}

async fn revoke(State(app): State<App>, Admin(ctx): Admin, Path(id): Path<String>) -> Answer {
    let id = KeyId::parse(&id)?;
    told(app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(access::revoke_key(tx, &ctx, &id).await?) })).await?)
}

async fn rewrap(State(app): State<App>, Admin(_): Admin) -> Answer {
    let changed = app.vault.rewrap(&app.store).await?;
    told(json!({ "rewrapped": changed, "master_key": app.vault.master().fingerprint() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLink {
    scope: Option<Scope>,
}

async fn link(State(app): State<App>, Admin(ctx): Admin, Body(new): Body<NewLink>) -> Answer {
    let scope = new.scope.unwrap_or(Scope::Admin);
    let token = app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(access::create_link(tx, &ctx, scope).await?) })).await?;
    created(json!({ "path": format!("/login?token={}", token.expose_text().unwrap_or_default()) }))
}
