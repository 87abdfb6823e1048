#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::on_both;
use crate::store::tests::TestDb;

fn schema() -> Json {
    json!({
        "type": "object",
        "required": ["origin"],
        "properties": {
            "origin": {"type": "string", "format": "uri", "pattern": "^https?://", "description": "Address of the shop."},
            "page_size": {"type": "integer", "minimum": 1, "maximum": 100},
            "stock_field": {"enum": ["manage_stock", "none"]}
        }
    })
}

fn new(name: &str) -> NewConnection {
    NewConnection { plugin: "woocommerce".into(), name: name.into(), settings: json!({"origin": "https://shop.example"}), since_at: None }
}

async fn write<T: Send + 'static>(
    db: &TestDb,
    work: impl for<'t> FnOnce(&'t mut WriteTx) -> futures::future::BoxFuture<'t, Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    db.store.write(work).await
}

async fn added(db: &TestDb, name: &'static str) -> Result<Connection, Error> {
    let ctx = db.ctx();
    write(db, move |tx| Box::pin(async move { add(tx, &ctx, &new(name), &schema()).await })).await
}

fn problems(settings: Json) -> Vec<Problem> {
    match check_settings(&schema(), &settings) {
        Err(Error::Settings(problems)) => problems,
        Ok(()) => Vec::new(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn settings_are_refused_by_field_value_and_remedy() {
    assert!(problems(json!({"origin": "https://shop.example", "page_size": 100})).is_empty());
    let text = |settings: Json| problems(settings).iter().map(Problem::to_string).collect::<Vec<_>>().join("\n");
    let missing = text(json!({}));
    assert!(missing.contains("`origin`") && missing.contains("Address of the shop"), "{missing}");
    let large = text(json!({"origin": "https://shop.example", "page_size": 500}));
    assert!(large.contains("`page_size`") && large.contains("500") && large.contains("100 or less"), "{large}");
    let choice = text(json!({"origin": "https://shop.example", "stock_field": "all"}));
    assert!(choice.contains("\"all\"") && choice.contains("manage_stock"), "{choice}");
    let both = problems(json!({"origin": "shop.example", "page_size": "many"}));
    assert!(both.iter().any(|p| p.field == "origin") && both.iter().any(|p| p.field == "page_size"), "{both:?}");
}

#[test]
fn a_secret_put_among_the_settings_is_refused_and_not_repeated() {
    let found = problems(json!({"origin": "https://shop.example", "consumer_secret": "cs_0123456789"}));
    let text = found[0].to_string();
    assert!(text.contains("consumer_secret") && text.contains("credential"), "{text}");
    assert!(!text.contains("cs_0123456789"), "{text}");
}

#[test]
fn a_broken_schema_is_the_connectors_fault() {
    assert!(matches!(check_settings(&json!({"type": 7}), &json!({})), Err(Error::Schema { .. })));
    let remote = json!({"$ref": "https://schemas.example/settings.json"});
    assert!(matches!(check_settings(&remote, &json!({})), Err(Error::Schema { .. })));
}

#[test]
fn an_origin_is_scheme_host_and_port_and_nothing_else() {
    assert_eq!(Origin::parse("HTTPS://Shop.Example:443/").unwrap().as_str(), "https://shop.example");
    assert_eq!(Origin::parse("http://127.0.0.1:8080").unwrap().as_str(), "http://127.0.0.1:8080");
    for bad in ["shop.example", "https://a/b", "https://user:pw@a", "ftp://a", "https://a?x=1", ""] {
        assert!(Origin::parse(bad).is_err(), "{bad}");
    }
}

on_both! {
    async fn a_connection_comes_back_as_it_was_added_and_only_observes(db: TestDb) {
        let ctx = db.ctx();
        let made = added(&db, "  My shop ").await.unwrap();
        assert_eq!((made.name.as_str(), made.state, made.webhook_path.len()), ("My shop", State::Observing, 43));
        let mut conn = db.store.read().await.unwrap();
        assert_eq!(get(&mut conn, &ctx.tenant, &made.id).await.unwrap(), made);
        assert_eq!(resolve(&mut conn, &ctx.tenant, "My shop").await.unwrap(), made);
        assert_eq!(resolve(&mut conn, &ctx.tenant, made.id.as_str()).await.unwrap(), made);
        assert!(resolve(&mut conn, &ctx.tenant, "Your shop").await.unwrap_err().to_string().contains("Your shop"));
        assert!(find(&mut conn, &Tenant::named("other"), &made.id).await.unwrap().is_none());
    }

    async fn a_name_is_given_once_and_never_empty(db: TestDb) {
        let first = added(&db, "one").await.unwrap();
        assert!(matches!(added(&db, "one").await, Err(Error::NameTaken { .. })));
        assert!(matches!(added(&db, " ").await, Err(Error::BadName { .. })));
        let second = added(&db, "two").await.unwrap();
        let (ctx, id) = (db.ctx(), second.id.clone());
        let taken = write(&db, move |tx| Box::pin(async move { rename(tx, &ctx, &id, "one").await })).await;
        assert!(matches!(taken, Err(Error::NameTaken { .. })));
        let (ctx, id) = (db.ctx(), first.id.clone());
        assert_eq!(write(&db, move |tx| Box::pin(async move { rename(tx, &ctx, &id, "one").await })).await.unwrap().name, "one");
    }

    async fn only_an_accepted_plan_leads_to_live(db: TestDb) {
        let made = added(&db, "shop").await.unwrap();
        let (ctx, id) = (db.ctx(), made.id.clone());
        let refused = write(&db, move |tx| Box::pin(async move { set_state(tx, &ctx, &id, State::Live).await })).await.unwrap_err();
        assert!(refused.to_string().contains("observing"), "{refused}");
        let (ctx, id) = (db.ctx(), made.id.clone());
        let states = write(&db, move |tx| Box::pin(async move {
            let mut states = Vec::new();
            states.push(pause(tx, &ctx, &id).await?.state);
            states.push(resume(tx, &ctx, &id).await?.state);
            states.push(go_live(tx, &ctx, &id, &PlanId::new(&ctx.ids)).await?.state);
            states.push(pause(tx, &ctx, &id).await?.state);
            states.push(resume(tx, &ctx, &id).await?.state);
            states.push(set_state(tx, &ctx, &id, State::Observing).await?.state);
            states.push(pause(tx, &ctx, &id).await?.state);
            states.push(resume(tx, &ctx, &id).await?.state);
            Ok(states)
        })).await.unwrap();
        use State::{Live, Observing, Paused};
        assert_eq!(states, [Paused, Observing, Live, Paused, Live, Observing, Paused, Observing]);
    }

    async fn a_webhook_path_leads_to_its_connection_until_that_is_removed(db: TestDb) {
        let (a, b) = (added(&db, "a").await.unwrap(), added(&db, "b").await.unwrap());
        assert_ne!(a.webhook_path, b.webhook_path);
        let mut conn = db.store.read().await.unwrap();
        let (tenant, found) = by_webhook_path(&mut conn, &b.webhook_path).await.unwrap().unwrap();
        assert_eq!((tenant, found.id), (db.ctx().tenant, b.id.clone()));
        assert!(by_webhook_path(&mut conn, "").await.unwrap().is_none());
        let (ctx, id) = (db.ctx(), b.id.clone());
        write(&db, move |tx| Box::pin(async move { remove(tx, &ctx, &id, false).await })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        assert!(by_webhook_path(&mut conn, &b.webhook_path).await.unwrap().is_none());
        assert!(by_webhook_path(&mut conn, "").await.unwrap().is_none());
        assert!(find(&mut conn, &db.ctx().tenant, &b.id).await.unwrap().is_none());
        assert_eq!(names(&mut conn, &db.ctx().tenant).await.unwrap()[&b.id], "b");
        // The name is free again, twice over.
        let again = added(&db, "b").await.unwrap();
        let ctx = db.ctx();
        write(&db, move |tx| Box::pin(async move { remove(tx, &ctx, &again.id, false).await })).await.unwrap();
        added(&db, "b").await.unwrap();
    }

    async fn a_connection_with_unsent_work_is_removed_only_by_force(db: TestDb) {
        let made = added(&db, "shop").await.unwrap();
        let (ctx, id) = (db.ctx(), made.id.clone());
        write(&db, move |tx| Box::pin(async move {
            tx.execute("INSERT INTO desired (tenant, listing, field, connection, version, sent_version, doubted, retry_at, raise_at) VALUES ($1, 'lst_x', 'stock', $2, 2, 1, 0, 0, 0)",
                crate::args![&ctx.tenant, &id]).await?;
            Ok(())
        })).await.unwrap();
        let (ctx, id) = (db.ctx(), made.id.clone());
        let refused = write(&db, move |tx| Box::pin(async move { remove(tx, &ctx, &id, false).await })).await.unwrap_err();
        assert!(refused.to_string().contains("1 values not sent"), "{refused}");
        let mut conn = db.store.read().await.unwrap();
        assert!(find(&mut conn, &db.ctx().tenant, &made.id).await.unwrap().is_some());
        let (ctx, id) = (db.ctx(), made.id.clone());
        assert_eq!(write(&db, move |tx| Box::pin(async move { remove(tx, &ctx, &id, true).await })).await.unwrap().unsent, 1);
    }

    async fn grants_settings_buffer_health_and_account_are_kept(db: TestDb) {
        let made = added(&db, "shop").await.unwrap();
        let (ctx, id) = (db.ctx(), made.id.clone());
        write(&db, move |tx| Box::pin(async move {
            let local = Origin::parse("http://127.0.0.1:9000")?;
            grant(tx, &ctx, &id, &local).await?;
            grant(tx, &ctx, &id, &local).await?;
            grant(tx, &ctx, &id, &Origin::parse("https://b.example")?).await?;
            revoke(tx, &ctx, &id, &Origin::parse("https://b.example")?).await?;
            set_settings(tx, &ctx, &id, &json!({"origin": "https://new.example"}), &schema()).await?;
            set_buffer(tx, &ctx, &id, 3).await?;
            record_account(tx, &ctx, &id, &json!({"currency": "EUR"})).await?;
            record_health(tx, &ctx, &id, Health::Refused, Some("the shop said 401")).await
        })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        let now = get(&mut conn, &db.ctx().tenant, &made.id).await.unwrap();
        assert_eq!(now.grants, [Origin::parse("http://127.0.0.1:9000").unwrap()]);
        assert_eq!(now.settings, json!({"origin": "https://new.example"}));
        assert_eq!((now.buffer, now.health, now.health_reason.as_deref()), (3, Health::Refused, Some("the shop said 401")));
        assert_eq!(now.account, Some(json!({"currency": "EUR"})));
        let (ctx, id) = (db.ctx(), made.id);
        let bad = write(&db, move |tx| Box::pin(async move { set_settings(tx, &ctx, &id, &json!({}), &schema()).await })).await;
        assert!(matches!(bad, Err(Error::Settings(_))));
    }

    async fn connections_are_listed_page_by_page(db: TestDb) {
        for name in ["a", "b", "c"] {
            added(&db, name).await.unwrap();
            db.clock.advance(1);
        }
        let mut conn = db.store.read().await.unwrap();
        let first = list(&mut conn, &db.ctx().tenant, &PageRequest::first(2)).await.unwrap();
        let rest = list(&mut conn, &db.ctx().tenant, &PageRequest { cursor: first.next_cursor, limit: Some(2) }).await.unwrap();
        let names: Vec<String> = first.items.into_iter().chain(rest.items).map(|c| c.name).collect();
        assert_eq!((names, rest.next_cursor), (vec!["a".to_owned(), "b".into(), "c".into()], None));
    }
}
