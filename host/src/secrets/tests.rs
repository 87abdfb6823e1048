#![allow(clippy::unwrap_used)]

use super::*;
use crate::id::Entropy;
use crate::on_both;
use crate::store::Store;

fn vault(seed: u64) -> Vault {
    Vault::new(MasterKey::random(&Entropy::seeded(seed)), vec![], Entropy::seeded(seed + 1000))
}

async fn put(store: &Store, vault: &Vault, ctx: &crate::ctx::Ctx, value: &'static str, rotate: bool) {
    let (vault, ctx) = (vault.clone(), ctx.clone());
    store
        .write(move |tx| {
            Box::pin(async move {
                let value = Secret::from_text(value);
                if rotate {
                    vault.rotate(tx, &ctx, "con_1", "api", &value).await
                } else {
                    vault.put(tx, &ctx, "con_1", "api", &value).await
                }
            })
        })
        .await
        .unwrap();
}

async fn active(store: &Store, vault: &Vault, ctx: &crate::ctx::Ctx) -> Vec<String> {
    let mut conn = store.read().await.unwrap();
    let values = vault.active(&mut conn, &ctx.tenant, "con_1", "api").await.unwrap();
    values.iter().map(|value| value.expose_text().unwrap().to_owned()).collect()
}

#[test]
fn a_match_code_is_stable_and_tells_tenants_apart() {
    let (vault, main) = (vault(1), crate::ctx::Tenant::main());
    assert_eq!(vault.match_code(&main, "a@b.example"), vault.match_code(&main, "a@b.example"));
    assert_ne!(vault.match_code(&main, "a@b.example"), vault.match_code(&crate::ctx::Tenant::named("other"), "a@b.example"));
    assert_ne!(vault.match_code(&main, "a@b.example"), vault.match_code(&main, "a@c.example"));
}

on_both! {
    async fn a_wrong_master_key_is_refused_by_both_names(db: TestDb) {
        let right = vault(1);
        right.check(&db.store).await.unwrap();
        right.check(&db.store).await.unwrap();
        let wrong = vault(2);
        let refused = wrong.check(&db.store).await.err().unwrap().to_string();
        assert!(refused.contains(right.master().fingerprint()) && refused.contains(wrong.master().fingerprint()), "{refused}");
    }

    async fn rotation_accepts_three_and_retiring_leaves_one(db: TestDb) {
        let (vault, ctx) = (vault(1), db.ctx());
        for value in ["one", "two", "three", "four"] {
            put(&db.store, &vault, &ctx, value, true).await;
        }
        assert_eq!(active(&db.store, &vault, &ctx).await, ["four", "three", "two"]);
        let (inner, inner_ctx) = (vault.clone(), ctx.clone());
        db.store.write(move |tx| Box::pin(async move { inner.retire(tx, &inner_ctx, "con_1", "api").await })).await.unwrap();
        assert_eq!(active(&db.store, &vault, &ctx).await, ["four"]);
        put(&db.store, &vault, &ctx, "five", false).await;
        assert_eq!(active(&db.store, &vault, &ctx).await, ["five"]);
    }

    async fn secrets_of_another_tenant_or_owner_are_not_found(db: TestDb) {
        let (vault, ctx) = (vault(1), db.ctx());
        put(&db.store, &vault, &ctx, "canary", false).await;
        let mut conn = db.store.read().await.unwrap();
        assert!(vault.find(&mut conn, &crate::ctx::Tenant::named("other"), "con_1", "api").await.unwrap().is_none());
        assert!(vault.find(&mut conn, &ctx.tenant, "con_2", "api").await.unwrap().is_none());
        assert_eq!(vault.names(&mut conn, &ctx.tenant, "con_1").await.unwrap(), ["api"]);
    }

    async fn a_destroyed_data_key_opens_nothing_and_stays_destroyed(db: TestDb) {
        let (vault, ctx) = (vault(1), db.ctx());
        let make = |purpose: &'static str| {
            let (vault, ctx, store) = (vault.clone(), ctx.clone(), db.store.clone());
            async move { store.write(move |tx| Box::pin(async move { vault.data_key(tx, &ctx, purpose).await })).await }
        };
        let first = make("person:1").await.unwrap();
        let again = make("person:1").await.unwrap();
        let other = make("person:2").await.unwrap();
        assert_eq!(first.id(), again.id());
        assert_ne!(first.id(), other.id());
        let sealed = vault.seal(&first, &ctx.tenant, &["person", "1"], b"Ada").unwrap();
        let mut conn = db.store.read().await.unwrap();
        let key = vault.get_data_key(&mut conn, &ctx, first.id()).await.unwrap();
        assert_eq!(vault.open(&key, &ctx.tenant, &["person", "1"], &sealed).unwrap().expose(), b"Ada");
        assert!(vault.open(&key, &ctx.tenant, &["person", "2"], &sealed).is_err());
        drop(conn);

        let (inner, inner_ctx) = (vault.clone(), ctx.clone());
        assert!(db.store.write(move |tx| Box::pin(async move { inner.destroy(tx, &inner_ctx, "person:1").await })).await.unwrap());
        let mut conn = db.store.read().await.unwrap();
        assert!(matches!(vault.get_data_key(&mut conn, &ctx, first.id()).await, Err(Error::Destroyed)));
        assert!(vault.get_data_key(&mut conn, &ctx, other.id()).await.is_ok());
        drop(conn);
        assert!(matches!(make("person:1").await, Err(Error::Destroyed)));
    }

    async fn rewrapping_lets_the_former_master_key_go(db: TestDb) {
        let (old, ctx) = (MasterKey::random(&Entropy::seeded(1)), db.ctx());
        let new = MasterKey::random(&Entropy::seeded(2));
        let before = Vault::new(old.clone(), vec![], Entropy::seeded(3));
        before.check(&db.store).await.unwrap();
        put(&db.store, &before, &ctx, "kept", false).await;
        let between = Vault::new(new.clone(), vec![old], Entropy::seeded(4));
        between.check(&db.store).await.unwrap();
        assert_eq!(between.rewrap(&db.store).await.unwrap(), 1);
        let after = Vault::new(new, vec![], Entropy::seeded(5));
        after.check(&db.store).await.unwrap();
        assert_eq!(active(&db.store, &after, &ctx).await, ["kept"]);
        assert!(before.check(&db.store).await.is_err());
    }
}
