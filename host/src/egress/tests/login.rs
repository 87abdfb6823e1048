//! The client-credentials login: one fetch for all, kept, renewed when the channel refuses the token.

use serde_json::json;

use super::*;

struct Shop {
    server: Server,
    logins: Arc<AtomicUsize>,
    valid: Arc<AtomicUsize>,
}

/// Gives out `token-1`, `token-2`, …; only the newest one that is also marked valid is taken.
async fn shop() -> Shop {
    let (logins, valid) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(1)));
    let (counter, newest) = (Arc::clone(&logins), Arc::clone(&valid));
    let server = Server::new(move |_, mut stream, heard| {
        let (counter, newest) = (Arc::clone(&counter), Arc::clone(&newest));
        async move {
            let request = read_request(&mut stream).await;
            heard.lock().unwrap().push(request.clone());
            let answer = if request.starts_with("POST /token") {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if !request.contains("client_secret=the-client-secret") {
                    status("401 Unauthorized", "", b"{\"error\": \"invalid_client\"}")
                } else {
                    let n = counter.fetch_add(1, Ordering::SeqCst) + 1;
                    ok("", format!("{{\"access_token\": \"token-number-{n}\", \"expires_in\": 86399}}").as_bytes())
                }
            } else if request.contains(&format!("x-shopify-access-token: token-number-{}\r\n", newest.load(Ordering::SeqCst))) {
                ok("", b"{\"ok\": true}")
            } else {
                status("401 Unauthorized", "", b"")
            };
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    })
    .await;
    Shop { server, logins, valid }
}

fn logged_in(shop: &Shop, secret: &str) -> (Scope, Request) {
    let mut scope = local(&shop.server.origin);
    scope.secrets =
        HashMap::from([("id".to_owned(), Secret::from_text("the-client-id")), ("secret".to_owned(), Secret::from_text(secret))]);
    let spec = json!({"name": "api", "kind": "client-credentials", "token-url": "{origin}/token", "client-id": "id", "client-secret": "secret", "header": "x-shopify-access-token", "prefix": ""});
    scope.credentials = vec![ScopedCredential {
        credential: serde_json::from_value(spec).unwrap(),
        hosts: vec![],
        token_url: Some(format!("{}/token", shop.server.origin)),
    }];
    let request = Request { credentials: vec!["api".into()], ..post(&format!("{}/graphql", shop.server.origin), "{}") };
    (scope, request)
}

#[tokio::test]
async fn many_requests_share_one_login() {
    let (rig, shop) = (rig(), shop().await);
    let (scope, request) = logged_in(&shop, "the-client-secret");
    let answers = futures::future::join_all((0..8).map(|_| rig.send(&scope, request.clone()))).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status == 200)), "{answers:?}");
    assert_eq!(shop.logins.load(Ordering::SeqCst), 1);
    assert!(rig.clock.now_ms() > 0);
}

#[tokio::test]
async fn a_token_that_the_channel_ended_is_renewed_once_for_all() {
    let (rig, shop) = (rig(), shop().await);
    let (scope, request) = logged_in(&shop, "the-client-secret");
    assert_eq!(rig.send(&scope, request.clone()).await.unwrap().status, 200);
    shop.valid.store(2, Ordering::SeqCst);
    let answers = futures::future::join_all((0..8).map(|_| rig.send(&scope, request.clone()))).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status == 200)), "{answers:?}");
    assert_eq!(shop.logins.load(Ordering::SeqCst), 2);
    // A channel that refuses every token is answered to the guest after one more try, not for ever.
    shop.valid.store(99, Ordering::SeqCst);
    assert_eq!(rig.send(&scope, request).await.unwrap().status, 401);
    assert_eq!(shop.logins.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_refused_login_is_an_error_of_the_credential_and_nothing_was_sent() {
    let (rig, shop) = (rig(), shop().await);
    let (scope, request) = logged_in(&shop, "another-secret-entirely");
    let outcome = rig.send(&scope, request).await;
    let error = outcome.unwrap_err();
    assert!(matches!(&error, Error::Auth(text) if text.contains("`api`") && !text.contains("another-secret")), "{error}");
    assert_eq!(error.sent(), Sent::No);
    assert!(shop.server.heard().iter().all(|request| request.starts_with("POST /token")));
}

#[tokio::test]
async fn new_secrets_never_meet_an_old_token() {
    let (rig, shop) = (rig(), shop().await);
    let (scope, request) = logged_in(&shop, "the-client-secret");
    assert_eq!(rig.send(&scope, request.clone()).await.unwrap().status, 200);
    let (changed, _) = logged_in(&shop, "a-newer-secret-value");
    assert!(matches!(rig.send(&changed, request).await, Err(Error::Auth(_))));
}

#[tokio::test]
async fn a_login_goes_through_the_same_gate() {
    let (rig, shop) = (rig(), shop().await);
    let elsewhere = Server::scripted(vec![ok("", b"{\"access_token\": \"x\"}")]).await;
    let (mut scope, request) = logged_in(&shop, "the-client-secret");
    scope.credentials[0].token_url = Some(format!("{}/token", elsewhere.origin));
    assert!(matches!(rig.send(&scope, request).await, Err(Error::Denied(_))));
    assert_eq!((elsewhere.connects(), shop.server.connects()), (0, 0));
}
