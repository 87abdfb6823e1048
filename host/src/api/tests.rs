#![allow(clippy::unwrap_used)]

mod imports;
mod shelves;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::access::{self, Scope};
use crate::app::{App, Options};
use crate::clock::Clock;
use crate::egress;
use crate::id::Entropy;
use crate::secrets::MasterKey;
use crate::store::Location;

const NOW: i64 = 1_800_000_000_000;

struct Hub {
    app: App,
    clock: Clock,
    _folder: tempfile::TempDir,
}

impl Hub {
    async fn open() -> Self {
        Self::tuned(crate::app::Tuning::default()).await
    }

    async fn tuned(tuning: crate::app::Tuning) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, entropy) = (Clock::manual(NOW), Entropy::seeded(7));
        let app = App::open(Options {
            database: Location::File(folder.path().join("hub.db")),
            data_folder: folder.path().to_owned(),
            master: MasterKey::random(&entropy),
            former: Vec::new(),
            public_url: Some("https://hub.example".into()),
            clock: clock.clone(),
            entropy,
            egress: egress::Limits::default(),
            extra_ca: None,
            compiler: std::env::current_exe().unwrap(),
            zone: "UTC".into(),
            name: "Test".into(),
            tuning,
        })
        .await
        .unwrap();
        Self { app, clock, _folder: folder }
    }

    async fn key(&self, scope: Scope, expires_at: Option<i64>) -> (access::Key, String) {
        let ctx = self.app.ctx.clone();
        let made = self.app.store.write(move |tx| Box::pin(async move { access::create_key(tx, &ctx, "test", scope, expires_at).await }));
        let (key, secret) = made.await.unwrap();
        (key, secret.expose_text().unwrap().to_owned())
    }

    async fn raw(&self, method: &str, target: &str, key: Option<&str>, body: Vec<u8>) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(target);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let response = super::router(&self.app).oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned())))
    }

    async fn send(&self, method: &str, target: &str, key: &str, body: Value) -> (u16, Value) {
        self.raw(method, target, Some(key), body.to_string().into_bytes()).await
    }
}

#[tokio::test]
async fn a_key_opens_what_its_scope_allows_and_nothing_else_opens_anything() {
    let hub = Hub::open().await;
    let new = json!({ "title": "Mug" });
    let (status, refusal) = hub.raw("GET", "/api/v1/products", None, Vec::new()).await;
    assert_eq!((status, &refusal["code"]), (401, &json!("unauthenticated")));
    assert!(refusal["request_id"].as_str().unwrap().starts_with("req_"), "{refusal}");
    assert_eq!(hub.send("GET", "/api/v1/products", "ek_wrong", json!({})).await.0, 401);

    let (_, reader) = hub.key(Scope::Read, None).await;
    let (_, writer) = hub.key(Scope::Write, None).await;
    assert_eq!(hub.raw("GET", "/api/v1/products", Some(&reader), Vec::new()).await, (200, json!({ "items": [], "next_cursor": null })));
    let (status, refusal) = hub.send("POST", "/api/v1/products", &reader, new.clone()).await;
    assert_eq!((status, &refusal["code"]), (403, &json!("forbidden")));
    assert_eq!(hub.raw("GET", "/api/v1/products", Some(&reader), Vec::new()).await.1["items"], json!([]), "a refused write left something");
    assert_eq!(hub.send("POST", "/api/v1/products", &writer, new).await.0, 201);
    assert_eq!(hub.raw("GET", "/api/v1/keys", Some(&writer), Vec::new()).await.0, 403);

    let (_, short) = hub.key(Scope::Read, Some(NOW + 1_000)).await;
    assert_eq!(hub.raw("GET", "/api/v1/products", Some(&short), Vec::new()).await.0, 200);
    hub.clock.advance(1_000);
    assert_eq!(hub.raw("GET", "/api/v1/products", Some(&short), Vec::new()).await.0, 401, "expired");

    let (_, admin) = hub.key(Scope::Admin, None).await;
    let (lost, lost_text) = hub.key(Scope::Admin, None).await;
    assert_eq!(hub.send("DELETE", &format!("/api/v1/keys/{}", lost.id), &admin, json!({})).await.0, 200);
    assert_eq!(hub.raw("GET", "/api/v1/products", Some(&lost_text), Vec::new()).await.0, 401, "revoked");
}

#[tokio::test]
async fn what_is_not_known_is_refused_by_name() {
    let hub = Hub::open().await;
    let (_, key) = hub.key(Scope::Admin, None).await;
    let (status, refusal) = hub.send("POST", "/api/v1/products", &key, json!({ "title": "Mug", "colour": "red" })).await;
    assert_eq!((status, &refusal["code"], &refusal["field"]), (400, &json!("unknown-field"), &json!("colour")), "{refusal}");
    let (status, refusal) = hub.raw("GET", "/api/v1/orders?colour=red", Some(&key), Vec::new()).await;
    assert_eq!((status, &refusal["code"], &refusal["field"]), (400, &json!("unknown-field"), &json!("colour")), "{refusal}");
    let (status, refusal) = hub.send("POST", "/api/v1/products", &key, json!({ "title": 3 })).await;
    assert_eq!((status, &refusal["field"]), (422, &json!("title")), "{refusal}");
    let (status, refusal) = hub.raw("POST", "/api/v1/products", Some(&key), b"{\"title\":".to_vec()).await;
    assert_eq!((status, &refusal["code"]), (400, &json!("malformed")));
    let (status, refusal) = hub.raw("GET", "/api/v1/nothing", Some(&key), Vec::new()).await;
    assert_eq!((status, &refusal["code"]), (404, &json!("not-found")));
    let (status, refusal) = hub.raw("DELETE", "/api/v1/products", Some(&key), Vec::new()).await;
    assert_eq!((status, &refusal["code"]), (405, &json!("method-not-allowed")));
    let (status, refusal) = hub.raw("GET", "/api/v1/orders?cursor=%25", Some(&key), Vec::new()).await;
    assert_eq!((status, &refusal["field"]), (422, &json!("cursor")), "{refusal}");
}

#[tokio::test]
async fn a_catalogue_goes_in_and_its_stock_is_counted_moved_and_explained() {
    let hub = Hub::open().await;
    let (_, key) = hub.key(Scope::Write, None).await;
    let file = b"sku,product,weight_g\nMUG-1,Mug,350\nMUG-2,Mug,heavy\n".to_vec();
    let dry = hub.raw("POST", "/api/v1/catalogue/import?dry_run=true", Some(&key), file.clone()).await.1;
    assert_eq!((&dry["created"], &dry["refused_lines"]), (&json!(1), &json!(1)), "{dry}");
    assert_eq!(hub.raw("GET", "/api/v1/variants", Some(&key), Vec::new()).await.1["items"], json!([]), "a dry run wrote something");
    hub.raw("POST", "/api/v1/catalogue/import", Some(&key), file).await;
    let exported = hub.raw("GET", "/api/v1/catalogue/export", Some(&key), Vec::new()).await.1;
    assert!(exported.as_str().unwrap().contains("MUG-1"), "{exported}");

    let counted = hub.send("POST", "/api/v1/stock/MUG-1/count", &key, json!({ "units": 8, "reference": "shelf" })).await;
    assert_eq!((counted.0, &counted.1["booked"]), (200, &json!(true)), "{}", counted.1);
    let again = hub.send("POST", "/api/v1/stock/MUG-1/count", &key, json!({ "units": 8, "reference": "shelf" })).await.1;
    assert_eq!(again["booked"], json!(false), "the same cause books once");
    let (status, refusal) = hub.send("POST", "/api/v1/stock/MUG-1/adjust", &key, json!({ "units": -9 })).await;
    assert_eq!((status, &refusal["code"], &refusal["field"]), (409, &json!("conflict"), &json!("units")), "{refusal}");
    let shown = hub.raw("GET", "/api/v1/stock/MUG-1", Some(&key), Vec::new()).await.1;
    assert_eq!((&shown["on_hand"], &shown["available"]), (&json!(8), &json!(8)));
    let ledger = hub.raw("GET", "/api/v1/stock/MUG-1/ledger", Some(&key), Vec::new()).await.1;
    assert_eq!(ledger["items"].as_array().unwrap().len(), 1);
    assert_eq!(ledger["items"][0]["at"], json!("2027-01-15T08:00:00Z"));
    let opening = hub.raw("POST", "/api/v1/stock/opening/file", Some(&key), b"sku,units\nMUG-1,11\nNONE,2\nMUG-1,x\n".to_vec()).await.1;
    assert_eq!((&opening["counted"], opening["refused"].as_array().unwrap().len()), (&json!(1), 2), "{opening}");
    assert_eq!(hub.raw("GET", "/api/v1/stock/audit", Some(&key), Vec::new()).await.1["items"], json!([]));
}

#[tokio::test]
async fn the_list_of_addresses_is_the_addresses() {
    let hub = Hub::open().await;
    let (_, key) = hub.key(Scope::Admin, None).await;
    let (status, document) = hub.raw("GET", "/api/v1/openapi.json", None, Vec::new()).await;
    assert_eq!(status, 200);
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 40, "{}", paths.len());
    for (path, methods) in paths.iter().filter(|(_, methods)| methods.get("get").is_some()) {
        let (status, answer) = hub.raw("GET", &path.replace(['{', '}'], ""), Some(&key), Vec::new()).await;
        assert!(status < 500 && status != 405, "{path} {methods}: {status} {answer}");
    }
}

#[tokio::test]
async fn an_unknown_webhook_address_is_404_and_a_body_over_the_limit_is_413() {
    let hub = Hub::open().await;
    assert_eq!(hub.raw("POST", "/webhooks/nobody-knows-this", None, b"{}".to_vec()).await.0, 404);
    let large = vec![b' '; hub.app.tuning.webhook_body_bytes + 1];
    assert_eq!(hub.raw("POST", "/webhooks/nobody-knows-this", None, large).await.0, 413);
    let (_, key) = hub.key(Scope::Read, None).await;
    let deliveries = hub.raw("GET", "/api/v1/deliveries", Some(&key), Vec::new()).await.1;
    assert_eq!(deliveries["items"], json!([]), "a refused delivery left a row");
}

#[tokio::test]
async fn the_pages_open_by_a_link_that_works_once() {
    let hub = Hub::open().await;
    let ctx = hub.app.ctx.clone();
    let link = hub.app.store.write(move |tx| Box::pin(async move { access::create_link(tx, &ctx, Scope::Read).await })).await.unwrap();
    let token = link.expose_text().unwrap().to_owned();
    assert_eq!(hub.raw("GET", "/", None, Vec::new()).await.0, 303, "without a session there is only the way to the login");
    assert_eq!(hub.raw("GET", "/overview", None, Vec::new()).await.0, 401);
    assert!(hub.raw("GET", &format!("/login?token={token}"), None, Vec::new()).await.1.as_str().unwrap().contains(&token));
    let redeem = || {
        let form = Request::builder().method("POST").uri("/login").header("content-type", "application/x-www-form-urlencoded");
        super::router(&hub.app).oneshot(form.body(Body::from(format!("token={token}"))).unwrap())
    };
    let first = redeem().await.unwrap();
    let cookie = first.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(first.status().as_u16() == 303 && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert_eq!(redeem().await.unwrap().status().as_u16(), 401, "the second time");

    let pair = cookie.split(';').next().unwrap();
    let with =
        |method: &str, target: &str| Request::builder().method(method).uri(target).header("cookie", pair).body(Body::empty()).unwrap();
    let page = super::router(&hub.app).oneshot(with("GET", "/")).await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(page.status().as_u16() == 200 && policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let forged = super::router(&hub.app).oneshot(with("POST", "/api/v1/products")).await.unwrap();
    assert_eq!(forged.status().as_u16(), 403, "a browser was made to send a change");
}

#[tokio::test]
async fn without_connectors_a_connection_names_the_remedy() {
    let hub = Hub::open().await;
    let (_, key) = hub.key(Scope::Admin, None).await;
    let (status, refusal) = hub.send("POST", "/api/v1/connections", &key, json!({ "plugin": "woocommerce", "name": "Shop" })).await;
    assert_eq!((status, &refusal["code"]), (404, &json!("not-found")), "{refusal}");
    assert!(refusal["message"].as_str().unwrap().contains("plugin list"), "{refusal}");
    let (status, refusal) = hub.raw("POST", "/api/v1/plugins/inspect", Some(&key), b"not a component".to_vec()).await;
    assert_eq!((status, &refusal["code"]), (422, &json!("invalid")), "{refusal}");
}

#[tokio::test]
async fn the_bounds_of_the_configuration_hold_at_the_door() {
    let tuning = crate::app::Tuning {
        api_body_bytes: 2_048,
        webhook_body_bytes: 1_024,
        request: std::time::Duration::from_millis(1),
        ..crate::app::Tuning::default()
    };
    let hub = Hub::tuned(tuning).await;
    let (_, key) = hub.key(Scope::Admin, None).await;
    assert_eq!(hub.raw("POST", "/webhooks/nobody-knows-this", None, vec![b' '; 1_024]).await.0, 404);
    assert_eq!(hub.raw("POST", "/webhooks/nobody-knows-this", None, vec![b' '; 1_025]).await.0, 413);
    // A request that waits behind a unit of work that takes its time.
    let (go_on, held) = tokio::sync::oneshot::channel::<()>();
    let store = hub.app.store.clone();
    let slow =
        tokio::spawn(async move { store.write(move |_| Box::pin(async move { Ok::<_, crate::store::Error>(held.await.is_ok()) })).await });
    tokio::task::yield_now().await;
    let (status, refusal) = hub.send("POST", "/api/v1/products", &key, json!({ "title": "Mug" })).await;
    assert_eq!((status, &refusal["code"]), (503, &json!("busy")), "{refusal}");
    assert!(refusal["message"].as_str().unwrap().contains("server.request_ms"), "{refusal}");
    drop(go_on);
    slow.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_body_over_the_bound_of_the_api_is_refused() {
    let hub = Hub::tuned(crate::app::Tuning { api_body_bytes: 2_048, ..crate::app::Tuning::default() }).await;
    let (_, key) = hub.key(Scope::Admin, None).await;
    let (status, refusal) = hub.raw("POST", "/api/v1/products", Some(&key), vec![b' '; 2_049]).await;
    assert_eq!((status, &refusal["code"]), (413, &json!("too-large")), "{refusal}");
    assert_eq!(hub.send("POST", "/api/v1/products", &key, json!({ "title": "Mug" })).await.0, 201);
}

#[tokio::test]
async fn replaying_everything_needs_a_word_about_what() {
    let hub = Hub::open().await;
    let (_, key) = hub.key(Scope::Write, None).await;
    let (status, refusal) = hub.send("POST", "/api/v1/deliveries/replay", &key, json!({})).await;
    assert_eq!((status, &refusal["code"]), (422, &json!("invalid")), "{refusal}");
    let (status, refusal) = hub.send("POST", "/api/v1/deliveries/replay", &key, json!({ "since": "yesterday" })).await;
    assert_eq!((status, &refusal["field"]), (422, &json!("since")), "{refusal}");
    let span = json!({ "since": "2026-01-01T00:00:00Z", "state": "refused" });
    assert_eq!(hub.send("POST", "/api/v1/deliveries/replay", &key, span).await, (200, json!({ "replayed": 0 })));
}

#[tokio::test]
async fn keys_are_wrapped_again_only_for_who_may_do_everything() {
    let hub = Hub::open().await;
    let (_, writer) = hub.key(Scope::Write, None).await;
    assert_eq!(hub.send("POST", "/api/v1/secrets/rewrap", &writer, json!({})).await.0, 403);
    let (_, admin) = hub.key(Scope::Admin, None).await;
    let (status, told) = hub.send("POST", "/api/v1/secrets/rewrap", &admin, json!({})).await;
    assert_eq!((status, &told["rewrapped"]), (200, &json!(0)), "{told}");
    assert_eq!(told["master_key"], json!(hub.app.vault.master().fingerprint()));
}
