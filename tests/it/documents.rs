//! The shops' own documents through the packed connectors in the real sandbox: each becomes a canonical record or a typed
//! refusal with a reason, and a count of each is printed.
//!
//! The documents are not part of the repository. `ENTREPOT_SPECS` names their folder; without one, the stories say so and
//! pass.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use entrepot::clock::Clock;
use entrepot::ctx::Tenant;
use entrepot::id::Entropy;
use entrepot::plugins::call::Caller;
use entrepot::plugins::compile::Compiler;
use entrepot::plugins::grant::Grant;
use entrepot::plugins::registry::Registry;
use entrepot::plugins::services::Nothing;
use entrepot::plugins::wire::{Context, webhooks};
use entrepot::plugins::{CallError, Engine};
use entrepot::sync::convert;
use entrepot_tests::connectors;
use serde_json::{Value, json};

/// What became of the documents of one kind.
#[derive(Default, Debug)]
struct Account {
    documents: usize,
    records: usize,
    /// The connector asks to read the thing itself.
    hints: usize,
    ignored: usize,
    refused: usize,
}

fn folder(channel: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/specs");
    let folder = std::env::var_os("ENTREPOT_SPECS").map_or(beside, PathBuf::from).join(channel);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no documents at {}; set ENTREPOT_SPECS to their folder", folder.display());
    None
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// Every document in the files of one folder, lists and batches taken apart.
fn woocommerce(folder: &Path, kind: &str) -> Vec<(String, Value)> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder.join("samples").join(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut documents = Vec::new();
    for file in files {
        let parts = match read(&file) {
            Value::Array(items) => items,
            Value::Object(members) if members.keys().all(|key| matches!(key.as_str(), "create" | "update" | "delete")) => {
                members.into_iter().flat_map(|(_, list)| list.as_array().cloned().unwrap_or_default()).collect()
            }
            document => vec![document],
        };
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        documents.extend(parts.into_iter().enumerate().map(|(at, part)| (format!("{kind}/{name}[{at}]"), part)));
    }
    documents
}

/// The documents under one key of a file, alone or in a list: the body of a webhook is the bare document.
fn shopify(folder: &Path, file: &str, key: &str) -> Vec<(String, Value)> {
    let mut whole = read(&folder.join("rest-samples").join(file));
    let found = whole.get_mut(key).map(Value::take).unwrap_or(whole);
    let parts = match found {
        Value::Array(items) => items,
        document => vec![document],
    };
    parts.into_iter().enumerate().map(|(at, part)| (format!("{file}[{at}]"), part)).collect()
}

async fn caller(name: &str) -> Caller {
    let built = tokio::task::spawn_blocking(connectors::ready).await.unwrap();
    let (_, wasm) = built.packed.iter().find(|(packed, _)| *packed == name).unwrap();
    let engine = Engine::new().unwrap();
    let cache = built.data_folder.join("compiled");
    let compiler = Compiler::new(&engine, &cache, &connectors::master(), connectors::program(), Entropy::system()).unwrap();
    let registry = Registry::new(engine, compiler);
    let prepared = registry.prepare(wasm.clone()).await.unwrap();
    let plugin = registry.enable(&Tenant::main(), &prepared, Grant::all(&prepared.inspected.manifest));
    plugin.caller(Nothing::services(Clock::manual(0)), Tenant::main(), None, true)
}

fn context(settings: &Value) -> Context {
    Context {
        connection: "documents".into(),
        config_json: settings.to_string(),
        trace: "documents".into(),
        attempt: 1,
        idempotency_key: String::new(),
        dry_run: true,
        extras: Vec::new(),
    }
}

/// Takes documents through `translate` and our own strict forms. Panics where one becomes nothing, or nothing with a reason.
async fn account(caller: &Caller, settings: &Value, topic: &str, documents: Vec<(String, Value)>) -> Account {
    let mut account = Account { documents: documents.len(), ..Account::default() };
    for (name, document) in documents {
        let delivery = webhooks::Delivery {
            topic: topic.into(),
            headers: vec![("x-shopify-shop-domain".into(), "example.myshopify.com".into())],
            body: document.to_string(),
            received_at: "2026-11-21T10:00:00Z".into(),
        };
        let events = match caller.webhooks_translate(context(settings), delivery).await {
            Ok(events) => events,
            Err(CallError::Failed(failure)) => {
                assert!(failure.message.contains(':'), "{name}: the refusal names no field: {}", failure.message);
                println!("  refused {name}: {}", failure.message);
                account.refused += 1;
                continue;
            }
            Err(error) => panic!("{name}: {} {error}", error.code()),
        };
        assert!(!events.is_empty(), "{name} became nothing");
        for event in events {
            let refusal = match event {
                webhooks::Event::Order(order) => convert::order(order).err(),
                webhooks::Event::Listing(listing) => convert::listing(listing).err(),
                webhooks::Event::Ignored(why) => {
                    assert!(!why.is_empty(), "{name} is ignored without a reason");
                    account.ignored += 1;
                    continue;
                }
                webhooks::Event::AccessRevoked(why) => panic!("{name}: access revoked: {why}"),
                _ => {
                    account.hints += 1;
                    continue;
                }
            };
            match refusal {
                None => account.records += 1,
                Some(refusal) => {
                    assert!(!refusal.field.is_empty() && !refusal.problem.is_empty(), "{name}");
                    println!("  refused {name}: {refusal}");
                    account.refused += 1;
                }
            }
        }
    }
    account
}

fn print(channel: &str, accounts: &BTreeMap<String, Account>) {
    for (kind, a) in accounts {
        println!(
            "{channel} {kind}: {} documents: {} canonical records, {} hints to read, {} ignored with a reason, {} refused with a reason",
            a.documents, a.records, a.hints, a.ignored, a.refused
        );
        assert!(a.records + a.hints + a.ignored + a.refused >= a.documents, "{kind}: a document was dropped silently");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_woocommerce_document_becomes_a_record_or_a_refusal_with_a_reason() {
    let Some(folder) = folder("woocommerce") else { return };
    let settings = json!({ "origin": "https://example.com", "currency": "USD" });
    let caller = caller("woocommerce").await;
    let mut accounts = BTreeMap::new();
    for (kind, topic) in [
        ("orders", "order.updated"),
        ("products", "product.updated"),
        ("product-variations", "product.updated"),
        ("webhooks", "order.updated"),
    ] {
        let documents = woocommerce(&folder, kind);
        assert!(!documents.is_empty(), "{kind}");
        accounts.insert(kind.to_owned(), account(&caller, &settings, topic, documents).await);
    }
    print("woocommerce", &accounts);
    for kind in ["orders", "products", "product-variations"] {
        assert_eq!(accounts[kind].refused, 0, "{kind}: the shop's own examples are readable");
    }
    assert!(accounts["orders"].records > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shopify_document_becomes_a_record_or_a_refusal_with_a_reason() {
    let Some(folder) = folder("shopify") else { return };
    let settings = json!({ "origin": "https://example.myshopify.com" });
    let caller = caller("shopify").await;
    let mut accounts = BTreeMap::new();
    let kinds = [
        ("order.json", "order", "orders/updated"),
        ("orders.json", "orders", "orders/create"),
        ("product.json", "product", "products/update"),
        ("products.json", "products", "products/create"),
        ("refund.json", "refund", "refunds/create"),
        ("fulfillment.json", "fulfillment", "fulfillments/create"),
        ("inventory_levels.json", "inventory_levels", "inventory_levels/update"),
        ("inventory_level.json", "inventory_level", "inventory_levels/update"),
        ("shop.json", "shop", "shop/update"),
    ];
    for (file, key, topic) in kinds {
        let documents = shopify(&folder, file, key);
        assert!(!documents.is_empty(), "{file}");
        accounts.insert(file.to_owned(), account(&caller, &settings, topic, documents).await);
    }
    print("shopify", &accounts);
    assert!(accounts["order.json"].records + accounts["order.json"].hints > 0);
}
