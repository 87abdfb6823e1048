#![allow(clippy::unwrap_used)]

mod kits;

use proptest::prelude::*;

use super::*;
use crate::on_both;
use crate::patch::Patch;
use crate::store::tests::TestDb;

async fn write<T: Send + 'static>(
    db: &TestDb,
    work: impl for<'t> FnOnce(&'t mut WriteTx) -> futures::future::BoxFuture<'t, Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    db.store.write(work).await
}

async fn kettle(db: &TestDb, sku: &str) -> Result<Variant, Error> {
    let (ctx, sku) = (db.ctx(), sku.to_owned());
    write(db, move |tx| {
        Box::pin(async move {
            let product = create_product(tx, &ctx, "Kettle").await?;
            let facts = Facts {
                gtin: Some(Gtin::parse("4006381333931")?),
                title: "Red Ünit".into(),
                weight_g: Some(900),
                ..Facts::of(Sku::parse(&sku)?)
            };
            create_variant(tx, &ctx, &product.id, facts).await
        })
    })
    .await
}

async fn load(db: &TestDb, text: impl Into<Vec<u8>>, dry_run: bool) -> Result<Report, Error> {
    let source = std::io::Cursor::new(text.into());
    import(&db.store, &db.ctx(), source, Options { dry_run, ..Options::default() }).await
}

async fn exported(db: &TestDb) -> String {
    let mut conn = db.store.read().await.unwrap();
    let mut export = Export::new(&db.ctx().tenant);
    let mut text = Vec::new();
    while let Some(piece) = export.next_piece(&mut conn).await.unwrap() {
        text.extend(piece);
    }
    String::from_utf8(text).unwrap()
}

fn counts(report: &Report) -> (u64, u64, u64, u64) {
    (report.created, report.changed, report.unchanged, report.refused_lines)
}

#[test]
fn a_gtin_needs_its_length_and_its_check_digit() {
    for good in ["4006381333931", "400-6381 333931", "96385074", "036000291452", "00036000291452"] {
        assert!(Gtin::parse(good).is_ok(), "{good}");
    }
    let wrong = Gtin::parse("4006381333932").unwrap_err().to_string();
    assert!(wrong.contains("4006381333932") && wrong.contains("should be 1"), "{wrong}");
    for bad in ["", "400638133393", "00000000", "40063813339a1", "4.00638E+12"] {
        assert!(Gtin::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(Gtin::parse("036000291452").unwrap().key(), Gtin::parse("0036000291452").unwrap().key());
}

#[test]
fn codes_and_countries_are_checked() {
    assert_eq!(HsCode::parse("6109.10.00").unwrap().as_str(), "61091000");
    assert!(["61091", "61091000000", "00610910", "abcdef"].iter().all(|bad| HsCode::parse(bad).is_err()));
    assert_eq!(Country::parse(" de ").unwrap().as_str(), "DE");
    assert!(["", "D", "UK", "DEU", "E ", "D "].iter().all(|bad| Country::parse(bad).is_err()));
    assert_eq!(Sku::parse(" Ab 1 ").unwrap().key(), "ab1");
}

proptest! {
    #[test]
    fn one_wrong_digit_never_passes(body in "[1-9][0-9]{11}", at in 0usize..13, by in 1u8..10) {
        let right = (0..10).map(|digit| format!("{body}{digit}")).find(|text| Gtin::parse(text).is_ok()).unwrap();
        let mut wrong = right.into_bytes();
        wrong[at] = b'0' + (wrong[at] - b'0' + by) % 10;
        prop_assert!(Gtin::parse(std::str::from_utf8(&wrong).unwrap()).is_err());
    }
}

on_both! {
    async fn a_variant_comes_back_by_id_sku_and_gtin(db: TestDb) {
        let made = kettle(&db, "K-1").await.unwrap();
        let tenant = db.ctx().tenant;
        let mut conn = db.store.read().await.unwrap();
        assert_eq!(get(&mut conn, &tenant, &made.id).await.unwrap(), made);
        assert_eq!(resolve(&mut conn, &tenant, " K-1 ").await.unwrap(), made);
        assert_eq!(find_by_skus(&mut conn, &tenant, &["K-1", "k-1"]).await.unwrap().len(), 1);
        assert_eq!(find_by_sku_keys(&mut conn, &tenant, &[&Sku::key_of("k -1")]).await.unwrap()["k-1"], std::slice::from_ref(&made));
        let found = find_by_gtins(&mut conn, &tenant, &["04006381333931", "4006381333931", "no gtin", "96385074"]).await.unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [("04006381333931".to_owned(), vec![made.clone()]), ("4006381333931".into(), vec![made.clone()])]);
        assert_eq!(safety_of(&mut conn, &tenant, std::slice::from_ref(&made.id)).await.unwrap()[&made.id], 0);
        assert!(resolve(&mut conn, &tenant, "K-2").await.unwrap_err().to_string().contains("K-2"));
        assert!(find(&mut conn, &Tenant::named("other"), &made.id).await.unwrap().is_none());
    }

    async fn a_sku_names_one_variant(db: TestDb) {
        let made = kettle(&db, "K-1").await.unwrap();
        assert!(matches!(kettle(&db, "K-1").await, Err(Error::SkuTaken { by, .. }) if by == made.id));
        let other = kettle(&db, "K-2").await.unwrap();
        let ctx = db.ctx();
        let patch = VariantPatch { sku: Some(Sku::parse("K-1").unwrap()), ..VariantPatch::default() };
        assert!(matches!(write(&db, move |tx| Box::pin(async move { change_variant(tx, &ctx, &other.id, patch).await })).await, Err(Error::SkuTaken { .. })));
    }

    async fn a_change_sets_clears_and_keeps(db: TestDb) {
        let made = kettle(&db, "K-1").await.unwrap();
        let (ctx, id) = (db.ctx(), made.id.clone());
        let patch: VariantPatch = serde_json::from_str(r#"{"gtin": null, "origin": "cn", "safety": 2}"#).unwrap();
        let changed = write(&db, move |tx| Box::pin(async move { change_variant(tx, &ctx, &id, patch).await })).await.unwrap();
        assert_eq!((changed.facts.gtin, changed.facts.weight_g, changed.facts.safety), (None, Some(900), 2));
        assert_eq!(changed.facts.origin.unwrap().as_str(), "CN");
        let (ctx, id) = (db.ctx(), made.id.clone());
        let zero = VariantPatch { weight_g: Patch::Set(0), ..VariantPatch::default() };
        let refused = write(&db, move |tx| Box::pin(async move { change_variant(tx, &ctx, &id, zero).await })).await.unwrap_err();
        assert!(refused.to_string().contains("`weight_g` cannot be `0`"), "{refused}");
        assert!(serde_json::from_str::<VariantPatch>(r#"{"colour": "red"}"#).unwrap_err().to_string().contains("colour"));
    }

    async fn a_text_is_found_in_any_case_in_sku_gtin_and_titles(db: TestDb) {
        let made = kettle(&db, "K_1").await.unwrap();
        kettle(&db, "KX1").await.unwrap();
        let (ctx, product) = (db.ctx(), made.product.clone());
        write(&db, move |tx| Box::pin(async move { rename_product(tx, &ctx, &product, "Teapot").await })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        for (text, expected) in [("k_1", 1), ("K", 2), ("ünIT", 2), ("teapot red", 1), ("kettle", 1), ("4006381", 2), ("100%", 0)] {
            let filter = Filter { text: Some(text.into()), product: None };
            let page = list(&mut conn, &db.ctx().tenant, &filter, &PageRequest::default()).await.unwrap();
            assert_eq!(page.items.len(), expected, "{text}");
        }
    }

    async fn lists_go_on_behind_their_last_row(db: TestDb) {
        for n in 0..5 {
            kettle(&db, &format!("K-{n}")).await.unwrap();
        }
        let (tenant, mut request) = (db.ctx().tenant, PageRequest::first(2));
        let mut conn = db.store.read().await.unwrap();
        let mut skus = Vec::new();
        loop {
            let page = list(&mut conn, &tenant, &Filter::default(), &request).await.unwrap();
            skus.extend(page.items.into_iter().map(|v| v.facts.sku.to_string()));
            let Some(cursor) = page.next_cursor else { break };
            request.cursor = Some(cursor);
        }
        assert_eq!(skus, ["K-0", "K-1", "K-2", "K-3", "K-4"]);
        let products = list_products(&mut conn, &tenant, &PageRequest::first(3)).await.unwrap();
        assert_eq!((products.items.len(), products.next_cursor.is_some()), (3, true));
    }

    async fn a_file_creates_changes_and_leaves_alone_and_a_dry_run_says_so_before(db: TestDb) {
        let text = "\u{feff}SKU;Product;Title;Weight_g;GTIN\r\nA;Mug;red;300;\r\nB;Mug;\"blue; big\r\nor green\";;4006381333931\r\n";
        assert_eq!(counts(&load(&db, text, true).await.unwrap()), (2, 0, 0, 0));
        assert_eq!(exported(&db).await.lines().count(), 1);
        assert_eq!(counts(&load(&db, text, false).await.unwrap()), (2, 0, 0, 0));
        assert_eq!(counts(&load(&db, text, false).await.unwrap()), (0, 0, 2, 0));
        let mut conn = db.store.read().await.unwrap();
        let found = find_by_skus(&mut conn, &db.ctx().tenant, &["A", "B"]).await.unwrap();
        assert_eq!(found["A"].product, found["B"].product);
        assert_eq!((found["B"].facts.title.as_str(), found["A"].facts.weight_g), ("blue; big\nor green", Some(300)));
        drop(conn);
        let change = "sku,weight_g\nA,\nB,500\n";
        assert_eq!(counts(&load(&db, change, true).await.unwrap()), (0, 2, 0, 0));
        assert_eq!(counts(&load(&db, change, false).await.unwrap()), (0, 2, 0, 0));
        let mut conn = db.store.read().await.unwrap();
        let found = find_by_skus(&mut conn, &db.ctx().tenant, &["A", "B"]).await.unwrap();
        assert_eq!((found["A"].facts.weight_g, found["B"].facts.weight_g, found["B"].facts.gtin.is_some()), (None, Some(500), true));
    }

    async fn every_refused_line_names_its_number_value_and_remedy_and_the_others_are_kept(db: TestDb) {
        let text = "sku,product,gtin,weight_g,origin,safety_stock\n\
                    A,Mug,4006381333932,-1,XX,1.5\n\
                    B,Mug,,300,,\n\
                    ,Mug,,,,\n\
                    B,Mug,,,,\n\
                    C,,,,,\n\
                    D,Mug,4.00638E+12,,,\n\
                    E,Mug\n";
        let report = load(&db, text, true).await.unwrap();
        assert_eq!(counts(&report), (1, 0, 0, 6));
        let of_line = |line| report.refused.iter().filter(|p| p.line == line).map(|p| p.field.as_str()).collect::<Vec<_>>();
        assert_eq!(of_line(2), ["gtin", "origin", "weight_g", "safety_stock"]);
        assert_eq!((of_line(4), of_line(5), of_line(6), of_line(8)), (vec!["sku"], vec!["sku"], vec!["product"], vec!["row"]));
        let all = report.refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(all.contains("line 2: `gtin` cannot be `4006381333932`; hint: the last digit should be 1"), "{all}");
        assert!(all.contains("line 3 already") && all.contains("format the column as text"), "{all}");
        let real = load(&db, text, false).await.unwrap();
        assert_eq!(real, report);
        assert_eq!(exported(&db).await.lines().count(), 2);
    }

    async fn what_was_exported_comes_back_unchanged(db: TestDb) {
        for sku in ["K-1", "=cmd", "'quoted", "-5", "a,b", "say \"x\""] {
            kettle(&db, sku).await.unwrap();
        }
        let text = exported(&db).await;
        assert!(text.lines().all(|line| !line.starts_with(['=', '-'])), "{text}");
        assert_eq!(counts(&load(&db, text.clone(), false).await.unwrap()), (0, 0, 6, 0));
        assert_eq!(exported(&db).await, text);
        // The same through a spreadsheet program of another country.
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let mut writer = csv::WriterBuilder::new().delimiter(b';').terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        writer.write_record(reader.headers().unwrap()).unwrap();
        reader.records().for_each(|record| writer.write_record(&record.unwrap()).unwrap());
        assert_eq!(counts(&load(&db, writer.into_inner().unwrap(), false).await.unwrap()), (0, 0, 6, 0));
    }

    async fn a_title_that_several_products_share_asks_for_the_id(db: TestDb) {
        let (a, b) = (kettle(&db, "K-1").await.unwrap(), kettle(&db, "K-2").await.unwrap());
        assert_ne!(a.product, b.product);
        let report = load(&db, "sku,product\nK-3,Kettle\nK-1,Kettle\n", false).await.unwrap();
        assert_eq!(counts(&report), (0, 0, 1, 1));
        assert!(report.refused[0].remedy.contains("product_id"), "{report:?}");
        let moved = format!("sku,product,product_id\nK-3,Kettle,{}\nK-1,,{}\nK-2,Teapot,{}\nK-4,X,prd_00000000000000000000000000\n", b.product, b.product, b.product);
        let report = load(&db, moved, false).await.unwrap();
        assert_eq!(counts(&report), (1, 1, 0, 2), "{report:?}");
        let mut conn = db.store.read().await.unwrap();
        let together = of_product(&mut conn, &db.ctx().tenant, &b.product).await.unwrap();
        assert_eq!(together.len(), 3);
    }

    async fn a_file_with_unknown_columns_or_without_skus_is_refused_as_a_whole(db: TestDb) {
        assert!(load(&db, "sku,colour\nA,red\n", false).await.unwrap_err().to_string().contains("`colour`"));
        assert!(matches!(load(&db, "product\nMug\n", false).await, Err(Error::NoSkuColumn)));
        assert!(matches!(load(&db, "", false).await, Err(Error::Sheet(_))));
    }

    async fn a_changed_safety_stock_is_told_in_the_same_transaction(db: TestDb) {
        let (a, _) = (kettle(&db, "A").await.unwrap(), kettle(&db, "B").await.unwrap());
        let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let hook: Hook = { let told = told.clone(); std::sync::Arc::new(move |_, _, variants| {
            told.lock().unwrap().extend(variants.to_vec());
            Box::pin(async { Ok(()) })
        }) };
        let options = Options { republish: Some(hook), ..Options::default() };
        import(&db.store, &db.ctx(), &b"sku,safety_stock,weight_g\nA,5,1\nB,0,2\n"[..], options).await.unwrap();
        assert_eq!(*told.lock().unwrap(), [a.id]);
    }
}

/// The planner knows no figures of a fresh database and must not take the way through all of a merchant's rows.
#[tokio::test]
async fn variants_are_looked_up_by_the_index_of_their_column() {
    let db = TestDb::sqlite().await.unwrap();
    let mut conn = db.store.read().await.unwrap();
    for (column, index) in [
        ("id", "sqlite_autoindex"),
        ("sku", "variant_sku"),
        ("sku_key", "variant_sku_key"),
        ("gtin_key", "variant_gtin"),
        ("product", "variant_product"),
    ] {
        for list in ["$2", "$2, $3, $4, $5, $6, $7, $8, $9"] {
            let sql = format!("EXPLAIN QUERY PLAN {}", store::variants_sql(column, list, ""));
            let values = vec![crate::store::Value::from("x"); list.split(',').count() + 1];
            let plan: String =
                conn.fetch_built(sql, &values).await.unwrap().iter().map(|row| row.get::<String>(3).unwrap() + "\n").collect();
            assert!(plan.contains(index) && plan.contains(&format!("{column}=?")), "{column}: {plan}");
        }
    }
}

/// Writes its rows when they are asked for, so that a large file is never in memory.
struct Rows {
    next: u32,
    end: u32,
    pending: Vec<u8>,
}

impl std::io::Read for Rows {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.pending.is_empty() && self.next < self.end {
            let n = self.next;
            self.pending =
                if n == 0 { b"sku,product,weight_g\n".to_vec() } else { format!("SKU-{n},Product {},{n}\n", n / 4).into_bytes() };
            self.next += 1;
        }
        let n = self.pending.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self.pending[..n]);
        self.pending.drain(..n);
        Ok(n)
    }
}

on_both! {
    async fn a_long_file_is_applied_batch_by_batch(db: TestDb) {
        let batches = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let seen = batches.clone();
        let progress = Box::new(move |_: &Report| { let _ = seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed); });
        let rows = Rows { next: 0, end: 3_001, pending: Vec::new() };
        let report = import(&db.store, &db.ctx(), rows, Options { progress: Some(progress), ..Options::default() }).await.unwrap();
        assert_eq!(counts(&report), (3_000, 0, 0, 0));
        assert_eq!(batches.load(std::sync::atomic::Ordering::Relaxed), 6);
        assert_eq!(exported(&db).await.lines().count(), 3_001);
        let rows = Rows { next: 0, end: 3_001, pending: Vec::new() };
        assert_eq!(counts(&import(&db.store, &db.ctx(), rows, Options::default()).await.unwrap()), (0, 0, 3_000, 0));
    }
}

/// Slow: run by hand with `--ignored` to see time and memory of a large catalogue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore]
async fn a_hundred_thousand_rows_need_little_memory() {
    let db = TestDb::sqlite().await.unwrap();
    let peak = || std::fs::read_to_string("/proc/self/status").unwrap().lines().find(|l| l.starts_with("VmHWM")).unwrap().to_owned();
    let before = peak();
    let rows = Rows { next: 0, end: 100_001, pending: Vec::new() };
    let report = import(&db.store, &db.ctx(), rows, Options::default()).await.unwrap();
    assert_eq!(report.created, 100_000);
    println!("before {before}, after {}", peak());
}
