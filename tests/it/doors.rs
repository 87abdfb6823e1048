//! What gets in, and what does not: signatures, addresses, sizes, pings.

use entrepot::secrets::Secret;
use entrepot_simulators::signature;
use entrepot_tests::hub::{Place, TestHub};
use entrepot_tests::on_both;
use entrepot_tests::post::{Post, secret, signature_header, topic_header};
use entrepot_tests::shop::Kind;

const BOTH: [Kind; 2] = [Kind::Woo, Kind::Shopify];
const BODY: &str = r#"{"id":4711,"note":"caf\u00e9"}"#;

fn topic(kind: Kind) -> &'static str {
    match kind {
        Kind::Woo => "product.deleted",
        Kind::Shopify => "products/delete",
    }
}

on_both! {
    async fn a_signature_that_does_not_hold_is_401_and_leaves_no_row(place: Place) {
        let hub = TestHub::trading(place).await;
        for kind in BOTH {
            let (path, secret) = (hub.webhook_path(kind).await, secret(&hub.shop(kind)));
            let (name, good) = (signature_header(kind), signature(&secret, BODY.as_bytes()));
            let plain = || Post::to(&path).header(topic_header(kind), topic(kind)).header("content-type", "application/json").body(BODY);
            let other = signature("another secret", BODY.as_bytes());
            let earlier = signature(&secret, br#"{"id":4711}"#);
            let hex: String = good.bytes().map(|byte| format!("{byte:02x}")).collect();
            let base64url = good.replace('+', "-").replace('/', "_").replace('=', "");
            let before = hub.deliveries().await.len();
            let bad = [
                ("missing", plain()),
                ("empty", plain().header(name, "")),
                ("of another secret", plain().header(name, &other)),
                ("of an earlier body", plain().header(name, &earlier)),
                ("cut short", plain().header(name, &good[..good.len() - 4])),
                ("in another alphabet", plain().header(name, &format!("{base64url}-_"))),
                ("in hexadecimal", plain().header(name, &hex)),
                ("doubled", plain().header(name, &good).header(name, &good)),
                ("doubled, one of them wrong", plain().header(name, &other).header(name, &good)),
                ("two in one header", plain().header(name, &format!("{good},{good}"))),
                ("over a body written anew", plain().header(name, &good).body(BODY.replace("\\u00e9", "é"))),
                ("over a body with another line end", plain().header(name, &good).body(format!("{BODY}\r\n"))),
                ("over a body that is not UTF-8", plain().header(name, &good).body(vec![0xff, 0xfe])),
            ];
            for (what, post) in bad {
                assert_eq!(post.send(hub.address()).await, 401, "{kind:?}: a signature {what}");
            }
            assert_eq!(hub.deliveries().await.len(), before, "{kind:?}: no row");
            assert_eq!(plain().header(name, &good).send(hub.address()).await, 200, "{kind:?}: the right one is taken");
            assert_eq!(hub.deliveries().await.len(), before + 1);
        }
        hub.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_address_is_404_and_a_body_over_the_limit_413() {
    let mut hub = TestHub::trading(Place::file()).await;
    let before = hub.deliveries().await.len();
    let shop = hub.shop(Kind::Woo);
    let unknown = Post::to("/webhooks/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").signed(Kind::Woo, &secret(&shop), BODY);
    assert_eq!(unknown.send(hub.address()).await, 404);
    let large = " ".repeat(hub.app.tuning.webhook_body_bytes + 1);
    let large = Post::to(&hub.webhook_path(Kind::Woo).await).signed(Kind::Woo, &secret(&shop), &large);
    assert_eq!(large.send(hub.address()).await, 413);
    assert_eq!(hub.deliveries().await.len(), before);
    hub.run().await;
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ping_of_a_new_subscription_is_answered_without_a_row_and_opens_nothing_else() {
    let hub = TestHub::trading(Place::file()).await;
    let pings: Vec<_> = hub.shop(Kind::Woo).woo().webhooks().into_iter().map(|hook| hook.ping).collect();
    assert!(!pings.is_empty() && pings.iter().all(|ping| ping.is_some_and(|ping| ping.accepted())), "{pings:?}");
    assert!(hub.deliveries().await.is_empty());
    let path = hub.webhook_path(Kind::Woo).await;
    let form = || Post::to(&path).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(form().body("webhook_id=7").send(hub.address()).await, 200);
    assert_eq!(form().body("webhook_id=7&id=1").send(hub.address()).await, 401, "a ping carries nothing else");
    assert_eq!(Post::to(&path).header("content-type", "application/json").body("webhook_id=7").send(hub.address()).await, 401);
    assert!(hub.deliveries().await.is_empty());
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_changes_without_losing_what_was_signed_with_the_old_one() {
    let hub = TestHub::trading(Place::file()).await;
    let (path, connection) = (hub.webhook_path(Kind::Woo).await, hub.connection(Kind::Woo).await);
    let old = secret(&hub.shop(Kind::Woo));
    let say = |n: u32, secret: &str| {
        let body = format!(r#"{{"id":{n}}}"#);
        Post::to(&path).header(topic_header(Kind::Woo), topic(Kind::Woo)).signed(Kind::Woo, secret, &body)
    };
    assert_eq!(say(1, &old).send(hub.address()).await, 200);
    assert_eq!(say(2, "the new secret").send(hub.address()).await, 401);

    let (vault, ctx, id) = (hub.app.vault.clone(), hub.app.ctx.clone(), connection.id.clone());
    let rotate = hub.app.store.write(move |tx| {
        Box::pin(async move { vault.rotate(tx, &ctx, id.as_str(), "webhook-secret", &Secret::from_text("the new secret")).await })
    });
    rotate.await.unwrap();
    hub.clock.advance(3_000);
    assert_eq!(say(3, "the new secret").send(hub.address()).await, 200);
    assert_eq!(say(4, &old).send(hub.address()).await, 200, "what was signed before the change still gets in");

    let (vault, ctx, id) = (hub.app.vault.clone(), hub.app.ctx.clone(), connection.id);
    let retire = hub.app.store.write(move |tx| Box::pin(async move { vault.retire(tx, &ctx, id.as_str(), "webhook-secret").await }));
    assert_eq!(retire.await.unwrap(), 1);
    hub.clock.advance(3_000);
    assert_eq!(say(5, &old).send(hub.address()).await, 401);
    assert_eq!(say(6, "the new secret").send(hub.address()).await, 200);
    assert_eq!(hub.deliveries().await.len(), 4);
    hub.finish().await;
}
