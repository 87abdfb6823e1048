//! Kits, places, rules and allotments as the outside sees them.

use super::*;
use crate::connections::{self, NewConnection};

impl Hub {
    pub(super) async fn ok(&self, method: &str, target: &str, key: &str, body: Value) -> Value {
        let (status, answer) = self.send(method, &format!("/api/v1{target}"), key, body).await;
        assert!(status < 300, "{method} {target}: {status} {answer}");
        answer
    }

    pub(super) async fn refused(&self, method: &str, target: &str, key: &str, body: Value) -> (u16, Value) {
        let (status, answer) = self.send(method, &format!("/api/v1{target}"), key, body).await;
        assert!(status >= 400, "{method} {target}: {status} {answer}");
        assert!(answer["message"].as_str().unwrap().contains("hint") || answer["code"] == "unknown-field", "no remedy: {answer}");
        (status, answer)
    }

    async fn goods(&self, key: &str) {
        let file = b"sku,product\nCUP,Cup\nPLATE,Plate\nSET,Set\n".to_vec();
        self.raw("POST", "/api/v1/catalogue/import", Some(key), file).await;
        for (sku, units) in [("CUP", 10), ("PLATE", 4)] {
            self.ok("POST", &format!("/stock/{sku}/count"), key, json!({ "units": units })).await;
        }
    }

    pub(super) async fn shop(&self) -> String {
        let ctx = self.app.ctx.clone();
        let new = NewConnection { plugin: "shop".into(), name: "Shop".into(), settings: json!({}), since_at: None };
        let added = self.app.store.write(move |tx| Box::pin(async move { connections::add(tx, &ctx, &new, &json!({})).await }));
        added.await.unwrap().id.to_string()
    }
}

#[tokio::test]
async fn a_kit_is_set_shown_refused_and_cleared() {
    let hub = Hub::open().await;
    let (_, key) = hub.key(Scope::Write, None).await;
    hub.goods(&key).await;
    let parts = json!({ "components": [{ "component": "CUP", "quantity": 2 }, { "component": "PLATE" }] });
    let set = hub.ok("PUT", "/variants/SET/components", &key, parts.clone()).await;
    assert_eq!((&set["changed"], set["components"].as_array().unwrap().len()), (&json!(true), 2));
    assert_eq!(hub.ok("PUT", "/variants/SET/components", &key, parts).await["changed"], json!(false));
    let shown = hub.ok("GET", "/stock/SET", &key, json!({})).await;
    assert_eq!((&shown["available"], &shown["on_hand"]), (&json!(4), &json!(0)), "four plates are four sets");
    let kits = hub.ok("GET", "/kits", &key, json!({})).await;
    assert_eq!((&kits["items"][0]["sku"], kits["items"].as_array().unwrap().len()), (&json!("SET"), 1));

    let circle = json!({ "components": [{ "component": "SET" }] });
    let (status, refusal) = hub.refused("PUT", "/variants/CUP/components", &key, circle).await;
    assert_eq!((status, &refusal["field"]), (409, &json!("variant")), "a cup has stock of its own: {refusal}");
    let (status, refusal) = hub.refused("POST", "/stock/SET/receive", &key, json!({ "units": 1 })).await;
    assert_eq!((status, &refusal["code"]), (409, &json!("conflict")), "{refusal}");
    let (status, _) = hub.refused("PUT", "/variants/SET/components", &key, json!({ "components": [{ "component": "NONE" }] })).await;
    assert_eq!(status, 404);
    let (status, refusal) =
        hub.refused("PUT", "/variants/SET/components", &key, json!({ "components": [{ "component": "CUP", "quantity": 0 }] })).await;
    assert_eq!((status, &refusal["field"]), (422, &json!("quantity")), "{refusal}");
    let opening = hub.raw("POST", "/api/v1/stock/opening/file", Some(&key), b"sku,units\nSET,3\nCUP,11\n".to_vec()).await.1;
    assert_eq!((&opening["counted"], opening["refused"].as_array().unwrap().len()), (&json!(1), 1), "{opening}");
    hub.ok("PUT", "/variants/SET/components", &key, json!({ "components": [] })).await;
    assert_eq!(hub.ok("GET", "/kits", &key, json!({})).await["items"], json!([]));
}

#[tokio::test]
async fn places_rules_and_the_books_by_the_api() {
    let hub = Hub::open().await;
    let (_, key) = hub.key(Scope::Write, None).await;
    let (_, reader) = hub.key(Scope::Read, None).await;
    hub.goods(&key).await;
    hub.ok("POST", "/locations", &key, json!({ "name": "Attic" })).await;
    let attic = hub.ok("PATCH", "/locations/Attic", &key, json!({ "country": "fr", "priority": -1 })).await;
    assert_eq!((&attic["country"], &attic["priority"]), (&json!("FR"), &json!(-1)));
    assert_eq!(hub.refused("PATCH", "/locations/Attic", &key, json!({ "country": "Fra" })).await.1["field"], json!("country"));
    assert_eq!(hub.ok("PATCH", "/locations/Attic", &key, json!({ "country": null, "priority": 5 })).await["country"], Value::Null);

    let trip = json!({ "units": 4, "from": "Main", "to": "Attic", "reference": "trip" });
    assert_eq!(hub.ok("POST", "/stock/CUP/transfer", &key, trip.clone()).await["booked"], json!(true));
    assert_eq!(hub.ok("POST", "/stock/CUP/transfer", &key, trip).await["booked"], json!(false));
    let (status, _) = hub.refused("POST", "/stock/CUP/transfer", &key, json!({ "units": 7, "from": "Main", "to": "Attic" })).await;
    assert_eq!(status, 409);
    let safe = hub.ok("PUT", "/stock/CUP/safety", &key, json!({ "units": 2, "location": "Attic" })).await;
    assert!(safe["levels"].as_array().unwrap().iter().any(|level| level["safety"] == 2 && level["on_hand"] == 4), "{safe}");
    hub.ok("PUT", "/stock/PLATE/backorder", &key, json!({ "units": 3 })).await;

    assert_eq!(hub.ok("GET", "/stock/rules", &key, json!({})).await["items"], json!([]));
    let rule = hub.ok("PUT", "/stock/rules", &key, json!({ "allocation": "nearest", "unpaid_hours": 48 })).await;
    assert_eq!(rule, json!({ "connection": null, "allocation": "nearest", "split": "free", "unpaid_hours": 48 }));
    let rule = hub.ok("PUT", "/stock/rules", &key, json!({ "split": "avoid", "unpaid_hours": null })).await;
    assert_eq!(rule, json!({ "connection": null, "allocation": "nearest", "split": "avoid", "unpaid_hours": null }));
    assert_eq!(hub.send("PUT", "/api/v1/stock/rules", &key, json!({ "allocation": "guess" })).await.0, 422);
    assert_eq!(hub.refused("PUT", "/stock/rules", &key, json!({ "unpaid_hours": 0 })).await.1["field"], json!("unpaid_hours"));
    assert_eq!(hub.send("PUT", "/api/v1/stock/rules", &reader, json!({ "split": "free" })).await.0, 403);
    hub.ok("DELETE", "/stock/rules", &key, json!({})).await;
    assert_eq!(hub.ok("GET", "/stock/rules", &key, json!({})).await["items"], json!([]));

    assert_eq!(hub.ok("GET", "/stock/audit", &key, json!({})).await["items"], json!([]));
    assert_eq!(hub.ok("POST", "/stock/rebuild", &key, json!({ "apply": true })).await["differences"], json!([]));
}

#[tokio::test]
async fn allotments_by_the_api() {
    let hub = Hub::open().await;
    let (_, key) = hub.key(Scope::Write, None).await;
    hub.goods(&key).await;
    let shop = hub.shop().await;
    let of = format!("/connections/{shop}/allotments");
    let set = hub.ok("PUT", &of, &key, json!({ "variant": "CUP", "at_least": 2, "at_most": 6 })).await;
    assert_eq!((&set["changed"], &set["allotment"]["share_bps"]), (&json!(true), &json!(10_000)));
    hub.ok("PUT", "/connections/Shop/allotments", &key, json!({ "share_bps": 5_000 })).await;
    let rows = hub.ok("GET", "/allotments?connection=Shop", &key, json!({})).await;
    let skus: Vec<_> = rows["items"].as_array().unwrap().iter().map(|row| row["sku"].clone()).collect();
    assert_eq!(skus, [Value::Null, json!("CUP")]);
    let (status, refusal) = hub.refused("PUT", &of, &key, json!({ "at_least": 7, "at_most": 6 })).await;
    assert_eq!(status, 422, "{refusal}");
    assert_eq!(hub.ok("DELETE", &format!("{of}?variant=CUP"), &key, json!({})).await["changed"], json!(true));
    assert_eq!(hub.ok("DELETE", &format!("{of}?variant=CUP"), &key, json!({})).await["changed"], json!(false));
    assert_eq!(hub.ok("GET", "/allotments", &key, json!({})).await["items"].as_array().unwrap().len(), 1);
}
