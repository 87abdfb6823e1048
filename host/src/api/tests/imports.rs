//! Imports as the outside sees them.

use super::*;
use crate::connections;
use crate::sync::imports::{self, Turned};

impl Hub {
    async fn turn(&self, records: usize, total: Option<u64>, more: bool) {
        let (ctx, asked_at) = (self.app.ctx.clone(), self.clock.now_ms());
        let connection = connections::resolve(&mut self.app.store.read().await.unwrap(), &ctx.tenant, "Shop").await.unwrap().id;
        self.clock.advance(2_000);
        let page = Turned { asked_at, records, more, total, again_after_ms: None };
        let turned =
            self.app.store.write(move |tx| Box::pin(async move { imports::turned(tx, &ctx, &connection, "listings-in", &page).await }));
        turned.await.unwrap();
    }

    async fn import(&self, key: &str) -> Value {
        let found = self.ok("GET", "/sync/imports?connection=Shop", key, json!({})).await;
        assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
        found["items"][0].clone()
    }
}

#[tokio::test]
async fn an_import_is_shown_with_its_end_paused_and_gone_on_with() {
    let hub = Hub::open().await;
    let (_, key) = hub.key(Scope::Write, None).await;
    hub.shop().await;
    assert_eq!(hub.ok("GET", "/sync/imports", &key, json!({})).await["items"], json!([]));
    hub.turn(100, Some(1_000), true).await;
    let now = hub.import(&key).await;
    let figures: Vec<&Value> = ["state", "done", "total", "per_cent", "per_minute"].iter().map(|name| &now[*name]).collect();
    assert_eq!(figures, [&json!("running"), &json!(100), &json!(1_000), &json!(10), &json!(3_000)], "{now}");
    assert_eq!((&now["connection"], &now["stream"], &now["problem"]), (&json!("Shop"), &json!("listings-in"), &Value::Null));
    assert_eq!(now["ends_at"], json!(crate::clock::to_rfc3339(NOW + 20_000)));
    assert_eq!(hub.ok("GET", "/sync/status", &key, json!({})).await["imports"][0]["done"], json!(100));

    let what = json!({ "scope": "import", "subject": "Shop" });
    hub.ok("POST", "/sync/pauses", &key, what.clone()).await;
    hub.ok("POST", "/sync/pauses", &key, what).await;
    assert_eq!(hub.ok("GET", "/sync/pauses", &key, json!({})).await["items"].as_array().unwrap().len(), 1);
    let now = hub.import(&key).await;
    assert_eq!((&now["state"], &now["ends_at"]), (&json!("paused"), &Value::Null), "{now}");
    hub.ok("DELETE", "/sync/pauses?scope=import&subject=Shop", &key, json!({})).await;
    assert_eq!(hub.import(&key).await["state"], json!("running"));
    assert_eq!(hub.refused("POST", "/sync/pauses", &key, json!({ "scope": "import", "subject": "Nobody" })).await.0, 404);

    hub.turn(50, None, false).await;
    let end = hub.import(&key).await;
    assert_eq!((&end["state"], &end["per_cent"], &end["ends_at"]), (&json!("done"), &json!(100), &Value::Null), "{end}");
    assert_eq!(hub.ok("GET", "/sync/status", &key, json!({})).await["imports"], json!([]));
}
