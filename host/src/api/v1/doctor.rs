//! Is everything as it should be?

use axum::extract::State;
use serde_json::{Value, json};

use crate::api::answer::{Answer, told};
use crate::api::request::Reader;
use crate::api::routes::Routes;
use crate::app::App;
use crate::connections::{self, Health};
use crate::lanes::{self, Filter};
use crate::page::PageRequest;
use crate::plugins::Registry;
use crate::{stock, sync};

pub fn add(routes: Routes) -> Routes {
    routes.get("/doctor", "Findings, each with its remedy", doctor)
}

async fn doctor(State(app): State<App>, Reader(ctx): Reader) -> Answer {
    let mut conn = app.store.read().await?;
    let mut checks: Vec<Value> = vec![check("database", true, app.store.version().await?, "")];
    let books = stock::audit(&mut conn, &ctx.tenant).await?;
    let about = if books.is_empty() { "sums, ledger and reservations agree".to_owned() } else { books.join("; ") };
    checks.push(check("books", books.is_empty(), about, "keep the database file and report this"));
    for row in Registry::list(&mut conn, &ctx.tenant).await? {
        let loaded = app.sync.connectors.registry.find(&ctx.tenant, &row.name).is_some();
        checks.push(check(&format!("connector {}", row.name), loaded, format!("version {}", row.version), "install it again"));
    }
    for connection in connections::list(&mut conn, &ctx.tenant, &PageRequest::first(500)).await?.items {
        let well = matches!(connection.health, Health::Healthy | Health::Unknown);
        let about = format!(
            "{}, {}{}",
            connection.state,
            connection.health,
            connection.health_reason.map_or(String::new(), |why| format!(": {why}"))
        );
        checks.push(check(&format!("connection {}", connection.name), well, about, "`entrepot connection check NAME` tries it"));
    }
    let stuck = lanes::list(&mut conn, &ctx, Filter::Quarantined, None, 100).await?.len();
    checks.push(check("lanes", stuck == 0, format!("{stuck} stand still"), "`entrepot sync dead` lists them"));
    let refused = sync::refusals(&mut conn, &ctx.tenant, 100).await?.len();
    checks.push(check("records", refused == 0, format!("{refused} refused"), "`entrepot sync status` says why"));
    checks.push(check(
        "webhooks",
        true,
        app.sync.public_url.clone().unwrap_or_else(|| "no public address: channels are polled".into()),
        "",
    ));
    let well = checks.iter().all(|check| check["ok"] == true);
    told(json!({ "ok": well, "checks": checks }))
}

fn check(name: &str, ok: bool, about: impl Into<String>, remedy: &str) -> Value {
    json!({ "check": name, "ok": ok, "about": about.into(), "remedy": (!ok).then_some(remedy) })
}
