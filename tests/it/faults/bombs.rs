//! Small things that become large, and senders that take for ever: refused or set aside, while others are served.

use std::time::{Duration, Instant};

use entrepot::api::listen::{self, Pace};
use entrepot::inbox::Row;
use entrepot_simulators::signature;
use entrepot_tests::chance::count;
use entrepot_tests::hub::{Place, TestHub};
use entrepot_tests::post::{Post, secret, topic_header};
use entrepot_tests::shop::Kind;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

const BOTH: [Kind; 2] = [Kind::Woo, Kind::Shopify];
const DEEP: usize = 100_000;
const MANY: usize = 1_000_000;

fn topic(kind: Kind) -> &'static str {
    match kind {
        Kind::Woo => "order.created",
        Kind::Shopify => "orders/create",
    }
}

/// Within the limit of size, rightly signed, and hard to read.
fn bombs() -> Vec<(&'static str, String)> {
    let keys: String = (0..60_000).map(|n| format!(r#""k{n}":{n},"#)).collect();
    vec![
        ("nested a hundred thousand deep", format!(r#"{{"id":1,"line_items":{}1{}}}"#, "[".repeat(DEEP), "]".repeat(DEEP))),
        ("nested and never closed", format!(r#"{{"id":2,"line_items":{}"#, r#"{"a":"#.repeat(DEEP))),
        ("of sixty thousand keys", format!(r#"{{"id":3,{keys}"id":3}}"#)),
        ("a number of a million digits", format!(r#"{{"id":4,"total":{}}}"#, "9".repeat(1_000_000))),
        ("a number that no machine holds", r#"{"id":5,"total":1e999999999,"total_price":"1e999999999"}"#.into()),
        ("one text of a megabyte", format!(r#"{{"id":6,"status":"{}"}}"#, "x".repeat(1_000_000))),
        ("a hundred thousand lines", format!(r#"{{"id":7,"line_items":[{}1]}}"#, "{},".repeat(DEEP))),
        ("of control characters", format!(r#"{{"id":8,"note":"{}"}}"#, "\\u0000".repeat(100_000))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_is_a_bomb_is_kept_and_set_aside_with_a_reason() {
    let mut hub = TestHub::trading(Place::file()).await;
    for kind in BOTH {
        let (path, secret) = (hub.webhook_path(kind).await, secret(&hub.shop(kind)));
        let before: Vec<_> = hub.deliveries().await.into_iter().map(|row| row.id).collect();
        for (what, body) in bombs() {
            let post = Post::to(&path).header(topic_header(kind), topic(kind)).header("content-type", "application/json");
            assert_eq!(post.signed(kind, &secret, &body).send(hub.address()).await, 200, "{kind:?}: a document {what}");
        }
        let large = format!(r#"{{"id":9,{}"id":9}}"#, r#""a":1,"#.repeat(MANY));
        let post = Post::to(&path).header(topic_header(kind), topic(kind)).signed(kind, &secret, &large);
        assert_eq!(post.send(hub.address()).await, 413, "{kind:?}: a million keys");
        let order = hub.shop(kind.other()).sell("MUG", 1).unwrap();
        hub.run().await;
        assert!(hub.find_order(kind.other(), order).await.is_some(), "{kind:?}: the other shop's order is not held up");
        let connection = hub.connection(kind).await.id;
        let mine = |row: &Row| row.connection == connection && row.topic == topic(kind) && !before.contains(&row.id);
        let kept: Vec<_> = hub.deliveries().await.into_iter().filter(mine).collect();
        assert_eq!(kept.len(), bombs().len(), "{kind:?}: {kept:#?}");
        // What can be read after all only says that there may be an order; none came of it.
        assert!(kept.iter().all(|row| row.done_at.is_some() && (row.state == "done" || row.reason.is_some())), "{kind:?}: {kept:#?}");
        assert!(kept.iter().filter(|row| row.state == "refused").count() > bombs().len() / 2, "{kind:?}: {kept:#?}");
    }
    assert_eq!(hub.count_orders().await, BOTH.len(), "the ones that were sold");
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_headers_is_431_before_anything_is_looked_up() {
    let hub = TestHub::trading(Place::file()).await;
    let path = hub.webhook_path(Kind::Woo).await;
    let many = (0..10_000).fold(Post::to(&path), |post, n| post.header(&format!("x-flood-{n}"), "1"));
    assert_eq!(many.send(hub.address()).await, 431);
    let long = Post::to(&path).header("x-flood", &"1".repeat(1 << 20));
    assert_eq!(long.send(hub.address()).await, 431);
    assert!(hub.deliveries().await.is_empty());
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_senders_that_never_finish_keep_nobody_out() {
    let hub = TestHub::trading(Place::file()).await;
    let (path, secret) = (hub.webhook_path(Kind::Woo).await, secret(&hub.shop(Kind::Woo)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let pace = Pace { head: Duration::from_secs(2), body: Duration::from_secs(2) };
    let served = tokio::spawn(listen::serve(listener, entrepot::api::router(&hub.app), pace, async move { drop(stopped.await) }));
    let mut slow = Vec::new();
    for n in 0..count(300, 1_000) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let said = match n % 3 {
            0 => String::new(),
            1 => format!("POST {path} HTTP/1.1\r\nhost: hub\r\nx-slow: "),
            _ => format!("POST {path} HTTP/1.1\r\nhost: hub\r\ncontent-length: 1000\r\n\r\nslow"),
        };
        stream.write_all(said.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let began = Instant::now();
    let body = r#"{"id":4711}"#;
    let post = Post::to(&path)
        .header(topic_header(Kind::Woo), "product.deleted")
        .header("x-wc-webhook-signature", &signature(&secret, body.as_bytes()));
    assert_eq!(post.body(body).send(address).await, 200);
    assert!(began.elapsed() < Duration::from_secs(2), "it took {:?}", began.elapsed());
    // Every one of them is let go.
    for mut stream in slow {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest)).await;
        assert!(ended.is_ok(), "a connection was kept");
    }
    stop.send(()).unwrap();
    served.await.unwrap();
    hub.finish().await;
}
