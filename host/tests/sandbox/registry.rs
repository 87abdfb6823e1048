//! Installing, granting, going back and starting again, on both databases.

use entrepot::clock::Clock;
use entrepot::ctx::{Ctx, Tenant};
use entrepot::id::{Entropy, Ids};
use entrepot::plugins::grant::Grant;
use entrepot::plugins::manifest::Capability;
use entrepot::plugins::package;
use entrepot::plugins::registry::Error;
use entrepot::plugins::services::Nothing;
use entrepot::plugins::{Registry, artifact};
use entrepot::store::{Location, Store};

use crate::rig::{bytes, context, engine, hello, hostile, hostile_module, uncached};

fn registry() -> Registry {
    let engine = engine();
    let compiler = uncached(&engine);
    Registry::new(engine, compiler)
}

fn ctx(clock: &Clock) -> Ctx {
    Ctx { tenant: Tenant::main(), clock: clock.clone(), ids: Ids::new(clock.clone(), Entropy::seeded(5)), actor: "test".into() }
}

async fn install(
    store: &Store,
    ctx: &Ctx,
    registry: &Registry,
    wasm: Vec<u8>,
    grant: impl FnOnce(&mut Grant),
) -> entrepot::plugins::Plugin {
    let prepared = registry.prepare(wasm).await.unwrap();
    let mut allowed = Grant::all(&prepared.inspected.manifest);
    grant(&mut allowed);
    let (prepared, allowed_copy, ctx_copy) = (std::sync::Arc::new(prepared), allowed.clone(), ctx.clone());
    let inside = prepared.clone();
    store.write(move |tx| Box::pin(async move { Registry::install(tx, &ctx_copy, &inside, &allowed_copy).await })).await.unwrap();
    registry.enable(&ctx.tenant, &prepared, allowed)
}

async fn on_both<F: Future<Output = ()>>(story: impl Fn(Store, Clock) -> F) {
    let clock = Clock::manual(1_700_000_000_000);
    let folder = tempfile::tempdir().unwrap();
    story(Store::open(&Location::File(folder.path().join("test.db")), &clock).await.unwrap(), clock.clone()).await;
    if let Some(database) = entrepot_test_postgres::fresh_database().await {
        story(Store::open(&Location::Postgres(database.url().to_owned()), &clock).await.unwrap(), clock).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installed_connector_is_there_again_after_a_restart() {
    on_both(|store, clock| async move {
        let ctx = ctx(&clock);
        install(&store, &ctx, &registry(), bytes(hostile()), |_| {}).await;
        install(&store, &ctx, &registry(), bytes(hello()), |_| {}).await;
        let fresh = registry();
        let mut conn = store.read().await.unwrap();
        let loaded = fresh.load_all(&mut conn, &ctx.tenant).await.unwrap();
        assert_eq!(
            loaded.iter().map(|(name, result)| (name.as_str(), result.is_ok())).collect::<Vec<_>>(),
            [("hello", true), ("hostile", true)]
        );
        let caller = fresh.get(&ctx.tenant, "hostile").unwrap().caller(Nothing::services(clock.clone()), ctx.tenant.clone(), None, false);
        assert_eq!(caller.check(context()).await.unwrap().name, "hostile");
        assert!(fresh.find(&Tenant::named("other"), "hostile").is_none(), "another merchant's hub has its own");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_granted_cannot_be_called() {
    on_both(|store, clock| async move {
        let ctx = ctx(&clock);
        let plugin = install(&store, &ctx, &registry(), bytes(hostile()), |grant| {
            grant.capabilities.retain(|capability| *capability != Capability::StockOut);
            grant.hosts.clear();
        })
        .await;
        assert!(plugin.manifest().hosts.is_empty());
        let caller = plugin.caller(Nothing::services(clock.clone()), ctx.tenant.clone(), None, false);
        assert_eq!(caller.stock_push(context(), Vec::new()).await.unwrap_err().code(), "unsupported");
        assert!(caller.check(context()).await.is_ok());
        // The grant outlives the process.
        let fresh = registry();
        fresh.load_all(&mut store.read().await.unwrap(), &ctx.tenant).await.unwrap();
        assert!(!fresh.get(&ctx.tenant, "hostile").unwrap().may(Capability::StockOut));
    })
    .await;
}

fn version(number: &str) -> Vec<u8> {
    let mut manifest: serde_json::Value = serde_json::from_str(include_str!("../../../tests/plugins/hostile/manifest.json")).unwrap();
    manifest["version"] = number.into();
    package::pack(&hostile_module(), manifest.to_string().as_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_can_be_taken_back_and_old_versions_are_dropped_in_time() {
    on_both(|store, clock| async move {
        let (ctx, registry) = (ctx(&clock), registry());
        for number in ["0.1.0", "0.2.0", "0.3.0", "0.4.0"] {
            install(&store, &ctx, &registry, version(number), |_| {}).await;
            clock.advance(1_000);
        }
        let versions = |store: Store| async move {
            let rows = Registry::versions(&mut store.read().await.unwrap(), &Tenant::main(), "hostile").await.unwrap();
            rows.into_iter().map(|row| (row.version, row.current)).collect::<Vec<_>>()
        };
        let kept = versions(store.clone()).await;
        assert_eq!(kept, [("0.4.0".to_owned(), true), ("0.3.0".to_owned(), false), ("0.2.0".to_owned(), false)]);
        let back = ctx.clone();
        let row = store.write(move |tx| Box::pin(async move { Registry::roll_back(tx, &back, "hostile").await })).await.unwrap();
        assert_eq!(row.version, "0.3.0");
        let current = Registry::list(&mut store.read().await.unwrap(), &ctx.tenant).await.unwrap();
        assert_eq!((current.len(), current[0].version.as_str()), (1, "0.3.0"));
        let file = Registry::artifact(&mut store.read().await.unwrap(), &ctx.tenant, &current[0]).await.unwrap();
        assert_eq!(artifact::inspect(&file).unwrap().manifest.version, "0.3.0");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_connector_leaves_nothing_and_a_damaged_one_does_not_stop_the_others() {
    on_both(|store, clock| async move {
        let (ctx, registry) = (ctx(&clock), registry());
        install(&store, &ctx, &registry, bytes(hostile()), |_| {}).await;
        install(&store, &ctx, &registry, bytes(hello()), |_| {}).await;
        let digest = artifact::digest(&bytes(hostile()));
        store
            .write(move |tx| {
                Box::pin(async move {
                    tx.execute("DELETE FROM plugin_chunk WHERE digest = $1 AND seq = 0", entrepot::args![digest]).await?;
                    Ok::<_, entrepot::store::Error>(())
                })
            })
            .await
            .unwrap();
        let fresh = self::registry();
        let loaded = fresh.load_all(&mut store.read().await.unwrap(), &ctx.tenant).await.unwrap();
        assert!(matches!(&loaded[1], (name, Err(Error::Damaged { .. })) if name == "hostile"));
        assert!(fresh.find(&ctx.tenant, "hello").is_some());
        for name in ["hostile", "hello"] {
            let ctx = ctx.clone();
            store.write(move |tx| Box::pin(async move { Registry::remove(tx, &ctx, name).await })).await.unwrap();
        }
        let mut conn = store.read().await.unwrap();
        assert!(Registry::list(&mut conn, &ctx.tenant).await.unwrap().is_empty());
        let pieces = entrepot::store::Sql::fetch_all(&mut conn, "SELECT seq FROM plugin_chunk", &[]).await.unwrap();
        assert!(pieces.is_empty());
        let again = ctx.clone();
        let absent = store.write(move |tx| Box::pin(async move { Registry::remove(tx, &again, "hello").await })).await;
        assert!(matches!(absent, Err(Error::Absent(name)) if name == "hello"));
    })
    .await;
}
