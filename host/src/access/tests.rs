#![allow(clippy::unwrap_used)]

use super::*;
use crate::on_both;
use crate::store::Store;

async fn create(store: &Store, ctx: &Ctx, scope: Scope, expires_at: Option<i64>) -> Result<(Key, Secret), Error> {
    let ctx = ctx.clone();
    store.write(move |tx| Box::pin(async move { create_key(tx, &ctx, "test", scope, expires_at).await })).await
}

async fn ask(store: &Store, ctx: &Ctx, presented: &str) -> Result<Grant, Error> {
    authenticate(&mut store.read().await.unwrap(), ctx.now_ms(), presented).await
}

on_both! {
    async fn a_key_opens_what_its_scope_says_until_it_is_revoked(db: TestDb) {
        let ctx = db.ctx();
        let (key, secret) = create(&db.store, &ctx, Scope::Write, None).await.unwrap();
        let text = secret.expose_text().unwrap().to_owned();
        assert!(text.starts_with("ek_") && text.len() == 46);
        let grant = ask(&db.store, &ctx, &text).await.unwrap();
        assert!(grant.allows(Scope::Read) && grant.allows(Scope::Write) && !grant.allows(Scope::Admin) && !grant.ambient);
        assert_eq!((grant.actor.as_str(), grant.tenant.as_str()), (format!("key:{}", key.id).as_str(), "main"));
        for wrong in ["", "ek_", &text[..45], &format!("{text}x"), &text.to_lowercase(), "ek_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(matches!(ask(&db.store, &ctx, wrong).await, Err(Error::Refused)), "{wrong}");
        }
        let (revoking, id) = (ctx.clone(), key.id.clone());
        let revoked = db.store.write(move |tx| Box::pin(async move { revoke_key(tx, &revoking, &id).await })).await.unwrap();
        assert_eq!(revoked.revoked_at, Some(ctx.now_ms()));
        assert!(matches!(ask(&db.store, &ctx, &text).await, Err(Error::Refused)));
    }

    async fn a_key_ends_at_its_time_and_cannot_begin_after_it(db: TestDb) {
        let ctx = db.ctx();
        let (_, secret) = create(&db.store, &ctx, Scope::Read, Some(ctx.now_ms() + 1000)).await.unwrap();
        assert!(ask(&db.store, &ctx, secret.expose_text().unwrap()).await.is_ok());
        db.clock.advance(1000);
        assert!(matches!(ask(&db.store, &ctx, secret.expose_text().unwrap()).await, Err(Error::Refused)));
        assert!(matches!(create(&db.store, &ctx, Scope::Read, Some(ctx.now_ms())).await, Err(Error::Past { .. })));
    }

    async fn lists_show_use_to_the_minute_and_never_the_key(db: TestDb) {
        let ctx = db.ctx();
        let (key, secret) = create(&db.store, &ctx, Scope::Read, None).await.unwrap();
        create(&db.store, &ctx, Scope::Admin, None).await.unwrap();
        let text = secret.expose_text().unwrap().to_owned();
        let grant = ask(&db.store, &ctx, &text).await.unwrap();
        assert!(grant.wants_record());
        let recording = ctx.clone();
        db.store.write(move |tx| Box::pin(async move { record_use(tx, &recording, &grant).await })).await.unwrap();
        assert!(!ask(&db.store, &ctx, &text).await.unwrap().wants_record());
        db.clock.advance(LAST_USED_MS);
        assert!(ask(&db.store, &ctx, &text).await.unwrap().wants_record());
        let mut conn = db.store.read().await.unwrap();
        let first = list_keys(&mut conn, &ctx.tenant, &PageRequest::first(1)).await.unwrap();
        assert_eq!((first.items[0].id.clone(), first.items[0].last_used_at), (key.id, Some(ctx.now_ms() - LAST_USED_MS)));
        let second = list_keys(&mut conn, &ctx.tenant, &PageRequest { cursor: first.next_cursor.clone(), limit: Some(1) }).await.unwrap();
        assert_eq!((second.items.len(), second.next_cursor), (1, None));
        assert!(!serde_json::to_string(&first).unwrap().contains(&text[10..]));
        assert!(list_keys(&mut conn, &Tenant::named("other"), &PageRequest::default()).await.unwrap().items.is_empty());
    }

    async fn a_link_opens_one_session_once_and_soon(db: TestDb) {
        let ctx = db.ctx();
        let link = || {
            let (ctx, store) = (ctx.clone(), db.store.clone());
            async move { store.write(move |tx| Box::pin(async move { create_link(tx, &ctx, Scope::Admin).await })).await.unwrap() }
        };
        let redeem = |token: Secret| {
            let (ctx, store) = (ctx.clone(), db.store.clone());
            async move { store.write(move |tx| Box::pin(async move { redeem_link(tx, &ctx, token.expose_text().unwrap()).await })).await }
        };
        let token = link().await;
        assert!(matches!(ask(&db.store, &ctx, token.expose_text().unwrap()).await, Err(Error::Refused)), "a link is no session");
        let session = redeem(token.clone()).await.unwrap();
        assert!(matches!(redeem(token).await, Err(Error::Refused)));
        let cookie = session.cookie.expose_text().unwrap().to_owned();
        let grant = ask(&db.store, &ctx, &cookie).await.unwrap();
        assert!(grant.ambient && grant.allows(Scope::Admin));

        let late = link().await;
        db.clock.advance(LINK_LIFE_MS);
        assert!(matches!(redeem(late).await, Err(Error::Refused)));
        assert!(ask(&db.store, &ctx, &cookie).await.is_ok());
        db.clock.advance(SESSION_LIFE_MS);
        assert!(matches!(ask(&db.store, &ctx, &cookie).await, Err(Error::Refused)));
    }

    async fn an_ended_session_opens_nothing(db: TestDb) {
        let ctx = db.ctx();
        let inner = ctx.clone();
        let session = db.store.write(move |tx| Box::pin(async move {
            let token = create_link(tx, &inner, Scope::Read).await?;
            redeem_link(tx, &inner, token.expose_text().unwrap()).await
        })).await.unwrap();
        let cookie = session.cookie.expose_text().unwrap().to_owned();
        assert!(ask(&db.store, &ctx, &cookie).await.is_ok());
        let ending = cookie.clone();
        db.store.write(move |tx| Box::pin(async move { end_session(tx, &ending).await })).await.unwrap();
        assert!(matches!(ask(&db.store, &ctx, &cookie).await, Err(Error::Refused)));
    }
}

#[test]
fn a_form_token_belongs_to_one_session() {
    let token = csrf_token("cookie-one");
    assert!(csrf_matches("cookie-one", &token));
    assert!(!csrf_matches("cookie-two", &token) && !csrf_matches("cookie-one", "") && !csrf_matches("cookie-one", &token[1..]));
}

#[test]
fn a_scope_is_read_strictly() {
    assert_eq!("admin".parse::<Scope>().unwrap(), Scope::Admin);
    for wrong in ["", "Admin", "root", "read,write"] {
        assert!(wrong.parse::<Scope>().is_err(), "{wrong}");
    }
}
