//! Connectors: installed, listed, inspected, removed. What one asks for is shown before it is granted.

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::answer::{Answer, all, created, told};
use crate::api::error::{Code, Error};
use crate::api::request::{Admin, Query, Raw, Reader};
use crate::api::routes::Routes;
use crate::app::App;
use crate::connections;
use crate::page::PageRequest;
use crate::plugins::grant::{self, Grant};
use crate::plugins::registry::{Registry, Row};
use crate::plugins::{Plugin, artifact};

pub fn add(routes: Routes) -> Routes {
    routes
        .get("/plugins", "Installed connectors", list)
        .get("/plugins/{plugin}", "A connector: its manifest, what it asks for and what it was granted", show)
        .post("/plugins/inspect", "What a packed connector (the body) is and asks for; nothing is installed", inspect)
        .post("/plugins", "Install a packed connector (the body); `grant` is a JSON grant or `all`", install)
        .get("/plugins/{plugin}/artifact", "The packed file", packed)
        .delete("/plugins/{plugin}", "Remove a connector that no connection uses", remove)
}

fn row(row: &Row, loaded: bool) -> Value {
    json!({
        "name": row.name, "version": row.version, "sha256": row.digest, "bytes": row.bytes, "grant": row.grant,
        "installed_at": row.installed_at, "installed_by": row.installed_by, "loaded": loaded,
    })
}

async fn list(State(app): State<App>, Reader(ctx): Reader) -> Answer {
    let rows = Registry::list(&mut app.store.read().await?, &ctx.tenant).await?;
    let registry = &app.sync.connectors.registry;
    all(rows.iter().map(|found| row(found, registry.find(&ctx.tenant, &found.name).is_some())).collect())
}

async fn show(State(app): State<App>, Reader(ctx): Reader, Path(name): Path<String>) -> Answer {
    let rows = Registry::list(&mut app.store.read().await?, &ctx.tenant).await?;
    let found = rows.iter().find(|row| row.name == name).ok_or_else(|| crate::plugins::registry::Error::Absent(name.clone()))?;
    let plugin = app.sync.connectors.registry.find(&ctx.tenant, &name);
    let mut answer = row(found, plugin.is_some());
    if let Some(plugin) = plugin {
        answer["manifest"] = serde_json::to_value(&plugin.inspected().manifest)?;
        answer["permissions"] = serde_json::to_value(grant::permissions(&plugin.inspected().manifest))?;
    }
    told(answer)
}

async fn inspect(Admin(_): Admin, Raw(file): Raw) -> Answer {
    let inspected = artifact::inspect(&file).map_err(crate::plugins::registry::Error::from)?;
    told(json!({
        "name": inspected.manifest.name, "title": inspected.manifest.title, "version": inspected.manifest.version, "sha256": inspected.digest,
        "permissions": grant::permissions(&inspected.manifest), "manifest": inspected.manifest,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct How {
    grant: Option<String>,
}

async fn install(State(app): State<App>, Admin(ctx): Admin, Query(how): Query<How>, Raw(file): Raw) -> Answer {
    let wanted = how.grant.ok_or_else(|| {
        Error::new(Code::Invalid, "nothing was granted; hint: look at POST /api/v1/plugins/inspect, then give `grant`: JSON, or `all`")
            .about("grant")
    })?;
    let registry = &app.sync.connectors.registry;
    let prepared = registry.prepare(file.to_vec()).await?;
    let granted: Grant = match wanted.as_str() {
        "all" => Grant::all(&prepared.inspected.manifest),
        text => serde_json::from_str(text)
            .map_err(|error| Error::new(Code::Invalid, format!("the grant cannot be read: {error}")).about("grant"))?,
    };
    let (by, grant) = (ctx.clone(), granted.clone());
    let (installed, prepared) = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let installed = Registry::install(tx, &by, &prepared, &grant).await?;
                Ok::<_, Error>((installed, prepared))
            })
        })
        .await?;
    let plugin: Plugin = registry.enable(&ctx.tenant, &prepared, granted);
    let mut answer = row(&installed, true);
    answer["withheld"] = serde_json::to_value(plugin.grant().lacks(&plugin.inspected().manifest))?;
    created(answer)
}

async fn packed(State(app): State<App>, Admin(ctx): Admin, Path(name): Path<String>) -> Result<Vec<u8>, Error> {
    let mut conn = app.store.read().await?;
    let rows = Registry::list(&mut conn, &ctx.tenant).await?;
    let found = rows.into_iter().find(|row| row.name == name).ok_or(crate::plugins::registry::Error::Absent(name))?;
    Ok(Registry::artifact(&mut conn, &ctx.tenant, &found).await?)
}

async fn remove(State(app): State<App>, Admin(ctx): Admin, Path(name): Path<String>) -> Answer {
    let users = connections::list(&mut app.store.read().await?, &ctx.tenant, &PageRequest::first(crate::page::MAX_LIMIT)).await?;
    let users: Vec<String> =
        users.items.into_iter().filter(|connection| connection.plugin == name).map(|connection| connection.name).collect();
    if !users.is_empty() {
        return Err(Error::new(Code::Conflict, format!("connections use `{name}`: {}; hint: remove them first", users.join(", "))));
    }
    let (by, gone) = (ctx.clone(), name.clone());
    app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(Registry::remove(tx, &by, &gone).await?) })).await?;
    app.sync.connectors.registry.disable(&ctx.tenant, &name);
    told(json!({ "name": name, "removed": true }))
}
