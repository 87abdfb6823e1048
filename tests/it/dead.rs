//! What stands still: by cause, with the money it concerns, and how somebody lets it go on or drops it.

use entrepot::api;
use entrepot::clock::to_rfc3339;
use entrepot::fulfilment;
use entrepot::sync::trouble::{self, Trouble, What};
use entrepot_tests::hub::{Place, TestHub};
use entrepot_tests::on_both;
use entrepot_tests::post::{Post, secret, topic_header};
use entrepot_tests::shop::Kind;
use serde_json::{Value, json};

/// As the command line asks a hub.
async fn ask(hub: &TestHub, method: &str, target: &str, body: Value) -> (u16, Value) {
    let target = format!("/api/v1{target}");
    let body = body.to_string().into_bytes();
    let (status, bytes) = api::ask(&api::router(&hub.app), method, &target, "application/json", body).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}

async fn listed(hub: &TestHub, target: &str) -> Vec<Value> {
    let (status, list) = ask(hub, "GET", target, Value::Null).await;
    assert_eq!(status, 200, "{target}: {list}");
    list["items"].as_array().unwrap().clone()
}

async fn causes(hub: &TestHub) -> Vec<Trouble> {
    trouble::causes(&mut hub.read().await, &hub.app.ctx).await.unwrap()
}

on_both! {
    async fn what_stands_still_is_grouped_by_cause_with_the_money_it_concerns(place: Place) {
        let mut hub = TestHub::trading(place).await;
        hub.lanes_may_fail();
        hub.shops_may_differ();
        assert!(causes(&hub).await.is_empty(), "all is well");

        let shop = hub.shop(Kind::Woo);
        let (number, lacking) = (shop.sell("LAMP", 1).unwrap(), shop.oversell("MUG", 50));
        hub.run().await;
        let (sold, lacking) = (hub.order(Kind::Woo, number).await, hub.order(Kind::Woo, lacking).await);
        let found = causes(&hub).await;
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!((found[0].what, found[0].count, found[0].orders, found[0].unvalued), (What::Oversold, 1, 1, 0));
        assert_eq!(found[0].at_risk, [lacking.total]);
        assert_eq!(found[0].connection.as_ref(), Some(&lacking.connection));

        // Told to a shop that is away: the lane waits, and with it the order's money.
        shop.faults(|faults| faults.maintenance = true);
        let shipment = hub.ship(Kind::Woo, number, "JJD0010").await;
        hub.pass(5_000).await;
        let found = causes(&hub).await;
        let waiting = found.iter().find(|found| found.kind == Some("fulfilment") || found.what == What::Shipments);
        let waiting = waiting.unwrap_or_else(|| panic!("{found:#?}"));
        assert_eq!((waiting.orders, &waiting.at_risk[..]), (1, &[sold.total][..]));

        let ctx = hub.app.ctx.clone();
        let refused = hub.app.store.write(move |tx| Box::pin(async move { fulfilment::refused(tx, &ctx, &shipment, "unknown parcel").await }));
        refused.await.unwrap();
        let found = causes(&hub).await;
        let refused = found.iter().find(|found| found.cause == "unknown parcel").unwrap_or_else(|| panic!("{found:#?}"));
        assert_eq!((refused.what, refused.stands_still, &refused.at_risk[..]), (What::Shipments, 1, &[sold.total][..]));
        shop.faults(|faults| faults.maintenance = false);
        hub.finish().await;
    }

    async fn lanes_that_stand_still_are_found_by_connection_cause_and_age_and_let_go_together(place: Place) {
        let mut hub = TestHub::trading(place).await;
        let began = to_rfc3339(hub.clock.now_ms());
        hub.shop(Kind::Woo).faults(|faults| faults.refuse_credentials_per_mille = 1000);
        for _ in 0..20 {
            hub.poll(Kind::Woo).await;
            hub.pass(60_000).await;
        }
        let dead = listed(&hub, "/sync/dead").await;
        let (lane, reason) = (dead[0]["lane"].as_str().unwrap(), dead[0]["reason"].as_str().unwrap());
        let (woo, shopify) = (hub.connection(Kind::Woo).await.id, hub.connection(Kind::Shopify).await.id);
        assert!(dead.iter().all(|dead| dead["lane"].as_str().unwrap().contains(woo.as_str())), "{dead:#?}");
        let word = reason.split(' ').next().unwrap();
        for (query, expected) in [
            (format!("connection={woo}"), dead.len()),
            (format!("connection={shopify}"), 0),
            (format!("cause={word}&limit=1"), 1),
            ("cause=no-such-cause".into(), 0),
            (format!("kind={}", lane.split('/').next().unwrap()), dead.iter().filter(|other| other["lane"].as_str().unwrap().starts_with(lane.split('/').next().unwrap())).count()),
            (format!("since={began}"), dead.len()),
            (format!("until={began}"), 0),
        ] {
            assert_eq!(listed(&hub, &format!("/sync/dead?{query}")).await.len(), expected, "{query}");
        }
        assert_eq!(ask(&hub, "GET", "/sync/dead?kind=parcels", Value::Null).await.0, 422);
        let standing = causes(&hub).await;
        assert!(standing.iter().any(|found| found.what == What::Lanes && found.stands_still > 0), "{standing:#?}");

        assert_eq!(ask(&hub, "POST", "/sync/lanes/retry", json!({ "cause": "no-such-cause" })).await.1["released"], 0);
        hub.shop(Kind::Woo).faults(|faults| faults.refuse_credentials_per_mille = 0);
        assert_eq!(ask(&hub, "POST", "/sync/lanes/retry", json!({ "connection": woo })).await.1["released"], dead.len());
        hub.pass(3 * 60_000).await;
        assert!(listed(&hub, "/sync/dead").await.is_empty());
        hub.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_delivery_is_listed_translated_again_and_skipped() {
    let mut hub = TestHub::trading(Place::file()).await;
    let (path, secret) = (hub.webhook_path(Kind::Woo).await, secret(&hub.shop(Kind::Woo)));
    let body = r#"{"id": 4242, "total": "ten", "line_items": []}"#;
    let post = Post::to(&path).header(topic_header(Kind::Woo), "order.updated").signed(Kind::Woo, &secret, body);
    assert_eq!(post.send(hub.address()).await, 200);
    hub.run().await;
    let refused = listed(&hub, "/deliveries?state=refused").await;
    let (id, reason) = (refused[0]["id"].as_str().unwrap(), refused[0]["reason"].as_str().unwrap());
    let found = causes(&hub).await;
    let cause = found.iter().find(|found| found.what == What::Deliveries).unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!((cause.count, cause.cause.as_str(), cause.orders, cause.unvalued), (1, reason, 0, 1), "an order that was never taken in");

    assert_eq!(ask(&hub, "POST", "/deliveries/replay", json!({ "cause": reason })).await.1["replayed"], 1);
    hub.run().await;
    assert_eq!(listed(&hub, "/deliveries?state=refused").await.len(), 1, "it is as wrong as before");
    assert_eq!(ask(&hub, "POST", &format!("/deliveries/{id}/skip"), json!({})).await.1["state"], "ignored");
    assert_eq!(ask(&hub, "POST", &format!("/deliveries/{id}/skip"), json!({})).await.0, 409, "once");
    assert!(causes(&hub).await.iter().all(|found| found.what != What::Deliveries));
    assert_eq!(ask(&hub, "POST", "/sync/lanes/skip", json!({ "lane": "push/nowhere" })).await.0, 404);

    for id in 4243..4246 {
        let body = format!(r#"{{"id": {id}, "total": "ten", "line_items": []}}"#);
        let post = Post::to(&path).header(topic_header(Kind::Woo), "order.updated").signed(Kind::Woo, &secret, &body);
        assert_eq!(post.send(hub.address()).await, 200);
    }
    hub.run().await;
    assert_eq!(ask(&hub, "POST", "/deliveries/skip", json!({})).await.0, 422, "not all by accident");
    assert_eq!(ask(&hub, "POST", "/deliveries/skip", json!({ "state": "new" })).await.0, 422, "what waits may still be right");
    assert_eq!(ask(&hub, "POST", "/deliveries/skip", json!({ "cause": "another reason" })).await.1["skipped"], 0);
    assert_eq!(ask(&hub, "POST", "/deliveries/skip", json!({ "cause": reason })).await.1["skipped"], 3);
    assert!(listed(&hub, "/deliveries?state=refused").await.is_empty());
    hub.finish().await;
}
