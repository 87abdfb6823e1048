//! What leaves, what must not leave, and what a connector gets to see.

use serde_json::json;

use super::*;

const SECRET: &str = "cs_0123456789abcdef";

fn with_credential(origin: &str, spec: serde_json::Value) -> Scope {
    let mut scope = local(origin);
    scope.secrets =
        HashMap::from([("key".to_owned(), Secret::from_text("ck_0123456789abcdef")), ("secret".to_owned(), Secret::from_text(SECRET))]);
    scope.credentials = vec![ScopedCredential { credential: serde_json::from_value(spec).unwrap(), hosts: vec![], token_url: None }];
    scope
}

fn basic() -> serde_json::Value {
    json!({"name": "api", "kind": "basic", "username": "key", "password": "secret"})
}

fn naming(mut request: Request, credential: &str) -> Request {
    request.credentials = vec![credential.into()];
    request
}

#[tokio::test]
async fn a_named_credential_leaves_with_the_request_and_is_seen_by_nobody_else() {
    struct Tape(Mutex<Vec<String>>);
    impl Recorder for Tape {
        fn exchange(&self, request: &Request, outcome: &Result<Response, Error>) {
            self.0.lock().unwrap().push(format!("{request:?} {outcome:?}"));
        }
    }
    let rig = rig();
    let echo = format!("{{\"you_sent\": \"{SECRET}\", \"id\": 1}}");
    let server = Server::scripted(vec![ok(
        &format!("set-cookie: a=b\r\nauthorization: Basic x\r\nx-echo: {SECRET}\r\nx-kept: yes\r\n"),
        echo.as_bytes(),
    )])
    .await;
    let tape = Arc::new(Tape(Mutex::default()));
    let mut scope = with_credential(&server.origin, basic());
    scope.recorder = Some(tape.clone());
    let answer = rig.send(&scope, naming(get(&format!("{}/wc/v3/orders?page=1", server.origin)), "api")).await.unwrap();
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("ck_0123456789abcdef:{SECRET}"));
    let heard = server.heard().remove(0);
    assert!(heard.contains(&format!("authorization: Basic {pair}")), "{heard}");
    assert!(heard.contains("accept-encoding: gzip, deflate") && heard.contains("user-agent: entrepot/"), "{heard}");
    assert_eq!(String::from_utf8(answer.body.clone()).unwrap(), "{\"you_sent\": \"[removed]\", \"id\": 1}");
    assert_eq!(
        (answer.header("set-cookie"), answer.header("authorization"), answer.header("x-echo"), answer.header("x-kept")),
        (None, None, Some("[removed]"), Some("yes"))
    );
    let tape = tape.0.lock().unwrap().join("\n");
    assert!(tape.contains("page=1") && !tape.contains(SECRET) && !tape.contains(&pair), "{tape}");
}

#[tokio::test]
async fn a_secret_in_the_guests_own_request_stops_it() {
    let rig = rig();
    let server = Server::scripted(vec![ok("", b"")]).await;
    let scope = with_credential(&server.origin, basic());
    let base = get(&format!("{}/", server.origin));
    let carried = [
        Request { url: format!("{}/?k={SECRET}", server.origin), ..base.clone() },
        Request { headers: vec![("x-key".into(), format!("k {SECRET}"))], ..base.clone() },
        post(&base.url, &format!("{{\"a\": \"{SECRET}\"}}")),
        Request {
            headers: vec![("x-key".into(), {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD.encode(format!("x:{SECRET}"))
            })],
            ..base.clone()
        },
    ];
    for request in carried {
        let outcome = rig.send(&scope, request).await;
        assert!(matches!(&outcome, Err(Error::Denied(text)) if text.contains("secret") && !text.contains(SECRET)), "{outcome:?}");
    }
    assert_eq!(server.connects(), 0);
}

#[tokio::test]
async fn headers_that_belong_to_the_hub_are_refused() {
    let rig = rig();
    let server = Server::scripted(vec![ok("", b"")]).await;
    let scope = with_credential(&server.origin, basic());
    for name in [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "connection",
        "Upgrade",
        "proxy-authorization",
        "TE",
        "expect",
        "accept-encoding",
        "bad name",
        "x\r\ny",
        "",
    ] {
        let request = Request { headers: vec![(name.into(), "v".into())], ..get(&format!("{}/", server.origin)) };
        assert!(matches!(rig.send(&scope, request).await, Err(Error::Denied(_))), "{name}");
    }
    let split = Request { headers: vec![("x".into(), "a\r\nHost: evil".into())], ..get(&format!("{}/", server.origin)) };
    assert!(matches!(rig.send(&scope, split).await, Err(Error::Denied(_))));
    let own = Request { headers: vec![("Authorization".into(), "Basic mine".into())], ..get(&format!("{}/", server.origin)) };
    assert!(matches!(rig.send(&scope, naming(own.clone(), "api")).await, Err(Error::Denied(_))));
    assert_eq!(server.connects(), 0);
    assert!(rig.send(&scope, own).await.is_ok(), "without a credential the header is the guest's");
}

#[tokio::test]
async fn a_credential_goes_only_where_it_is_meant_to() {
    let rig = rig();
    let server = Server::scripted(vec![ok("", b"")]).await;
    let mut scope = with_credential(&server.origin, basic());
    scope.credentials[0].hosts = vec![Allowed::fill("https://other.example.com", &[], |_| None).unwrap()];
    assert!(matches!(rig.send(&scope, naming(get(&format!("{}/", server.origin)), "api")).await, Err(Error::Denied(_))));
    assert!(matches!(rig.send(&scope, naming(get(&format!("{}/", server.origin)), "unknown")).await, Err(Error::Denied(_))));
    scope.credentials[0].hosts.clear();
    scope.secrets.remove("secret");
    let asked = rig.send(&scope, naming(get(&format!("{}/", server.origin)), "api")).await;
    assert!(matches!(&asked, Err(Error::Config(text)) if text.contains("`secret`")), "{asked:?}");
    assert_eq!(server.connects(), 0);
}

#[tokio::test]
async fn a_dry_run_refuses_what_changes_something_whatever_the_guest_says() {
    let rig = rig();
    let server = Server::scripted(vec![ok("", b"")]).await;
    let mut scope = local(&server.origin);
    scope.dry_run = true;
    let url = format!("{}/", server.origin);
    let says_harmless = |method: &str| Request { method: method.into(), mutating: false, ..get(&url) };
    for request in [post(&url, "x"), says_harmless("DELETE"), says_harmless("PUT"), says_harmless("PATCH")] {
        assert!(matches!(rig.send(&scope, request).await, Err(Error::Denied(_))));
    }
    assert_eq!(server.connects(), 0);
    let query = Request { mutating: false, ..post(&url, "{\"query\": \"{shop{name}}\"}") };
    assert!(rig.send(&scope, query).await.is_ok(), "a GraphQL read is a POST");
    for method in ["CONNECT", "TRACE", "OPTIONS", "get", "G ET", ""] {
        assert!(matches!(rig.send(&scope, says_harmless(method)).await, Err(Error::Denied(_))), "{method}");
    }
}

#[tokio::test]
async fn the_idempotency_key_goes_where_the_manifest_says() {
    let rig = rig();
    let server = Server::scripted(vec![ok("", b"")]).await;
    let mut scope = local(&server.origin);
    let request = Request { idempotency_key: Some("eff_1".into()), ..post(&format!("{}/", server.origin), "x") };
    rig.send(&scope, request.clone()).await.unwrap();
    scope.idempotency_header = Some("Idempotency-Key".into());
    rig.send(&scope, request).await.unwrap();
    let heard = server.heard();
    assert!(!heard[0].contains("eff_1") && heard[1].contains("idempotency-key: eff_1"), "{heard:?}");
    assert!(heard[0].contains("content-length: 1\r\n") && !heard[0].contains("chunked"), "{heard:?}");
}

#[tokio::test]
async fn a_full_bucket_sends_at_once_and_an_empty_one_waits_or_refuses() {
    let rig = rig();
    let server = Server::scripted(vec![ok("", b"")]).await;
    let mut scope = local(&server.origin);
    scope.pacing = vec![BucketSpec { bucket: "requests".into(), capacity: 2, per_minute: 300 }];
    let request = Request { pace: Some(("requests".into(), 1)), ..get(&format!("{}/", server.origin)) };
    let started = std::time::Instant::now();
    for _ in 0..4 {
        rig.send(&scope, request.clone()).await.unwrap();
    }
    assert!(started.elapsed() >= Duration::from_millis(390), "two waited for 200 ms each: {:?}", started.elapsed());
    let impatient = Request { timeout: Some(Duration::from_millis(50)), ..request.clone() };
    let outcome = rig.send(&scope, impatient).await;
    assert!(matches!(outcome, Err(Error::Throttled { retry_after, .. }) if retry_after > Duration::from_millis(50)), "{outcome:?}");
    assert_eq!(server.connects(), 4);
    rig.egress.observed(&scope, "requests", Observed { remaining: 0, capacity: 100, per_minute: 1 }).await;
    let outcome = rig.send(&scope, request).await;
    assert!(matches!(outcome, Err(Error::Throttled { retry_after, .. }) if retry_after > Duration::from_secs(30)), "{outcome:?}");
}

#[tokio::test]
async fn the_channels_retry_after_stops_everybody_in_that_bucket() {
    let rig = rig();
    let server = Server::scripted(vec![status("429 Too Many Requests", "retry-after: 7\r\n", b""), ok("", b"")]).await;
    let mut scope = local(&server.origin);
    scope.pacing = vec![BucketSpec { bucket: "requests".into(), capacity: 100, per_minute: 6000 }];
    let request = Request { pace: Some(("requests".into(), 1)), ..get(&format!("{}/", server.origin)) };
    assert_eq!(rig.send(&scope, request.clone()).await.unwrap().status, 429);
    let outcome = rig.send(&scope, request).await;
    assert!(matches!(outcome, Err(Error::Throttled { retry_after, .. }) if retry_after > Duration::from_secs(6)), "{outcome:?}");
    assert_eq!(server.connects(), 1);
}

#[tokio::test]
async fn a_packed_answer_arrives_unpacked_without_its_old_length() {
    use std::io::Write;
    let rig = rig();
    let text = "[1,2,3,4,5,6,7,8,9]".repeat(50);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let server = Server::scripted(vec![ok("content-encoding: gzip\r\n", &gzip.finish().unwrap())]).await;
    let answer = rig.send(&local(&server.origin), get(&format!("{}/", server.origin))).await.unwrap();
    assert_eq!(answer.body, text.as_bytes());
    assert_eq!((answer.header("content-encoding"), answer.header("content-length")), (None, None));
}
