#![allow(clippy::unwrap_used)]

use entrepot_crossborder::pricing::{Charm, Direction};
use futures::future::BoxFuture;

use super::*;
use crate::catalog::{self, Facts, Sku};
use crate::connections::{self, Connection, NewConnection};
use crate::money::{Currency, Decimal, decimal_from_text};
use crate::on_both;
use crate::store::tests::TestDb;

/// 2026-10-29, noon: of that day there are rates.
const RATES_DAY: i64 = 1_793_275_200_000;
const DAY: i64 = 86_400_000;

async fn write<T: Send + 'static>(
    db: &TestDb,
    work: impl for<'t> FnOnce(&'t mut WriteTx, Ctx) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let ctx = db.ctx();
    db.store.write(move |tx| work(tx, ctx)).await
}

fn money(minor: i64, code: &str) -> Money {
    Money::new(minor, Currency::from_code(code).unwrap())
}

fn decimal(text: &str) -> Decimal {
    decimal_from_text(text).unwrap()
}

async fn variant(db: &TestDb, sku: &'static str) -> VariantId {
    let made = write(db, move |tx, ctx| {
        Box::pin(async move {
            let product = catalog::create_product(tx, &ctx, sku).await?;
            Ok(catalog::create_variant(tx, &ctx, &product.id, Facts::of(Sku::parse(sku).unwrap())).await?.id)
        })
    });
    made.await.unwrap()
}

/// A shop in Germany that sells in this currency.
async fn shop(db: &TestDb, name: &'static str, currency: &'static str) -> Connection {
    let made = write(db, move |tx, ctx| {
        Box::pin(async move {
            let new = NewConnection { plugin: "woocommerce".into(), name: name.into(), settings: serde_json::json!({}), since_at: None };
            let added = connections::add(tx, &ctx, &new, &serde_json::json!({})).await?;
            Ok(connections::record_account(tx, &ctx, &added.id, &serde_json::json!({ "currency": currency, "country": "DE" })).await?)
        })
    });
    made.await.unwrap()
}

async fn base(db: &TestDb, variant: &VariantId, price: Option<Money>, cost: Option<Money>) -> Result<bool, Error> {
    let variant = variant.clone();
    write(db, move |tx, ctx| Box::pin(async move { set_base(tx, &ctx, &variant, &Base { price, cost }).await })).await
}

async fn line(db: &TestDb, new: NewLine) -> Result<Line, Error> {
    write(db, move |tx, ctx| Box::pin(async move { set_line(tx, &ctx, &new).await })).await
}

async fn say(db: &TestDb, connection: &Connection, policy: Policy) -> Result<(), Error> {
    let id = connection.id.clone();
    write(db, move |tx, ctx| Box::pin(async move { set_policy(tx, &ctx, &id, &policy).await })).await
}

async fn quoted(
    db: &TestDb,
    connection: &Connection,
    variant: &VariantId,
    country: Option<&str>,
    group: Option<&str>,
) -> Option<Result<i64, String>> {
    let ctx = db.ctx();
    let mut conn = db.store.read().await.unwrap();
    let asked = standard(&mut conn, &ctx, connection).await.unwrap().among(country, group).unwrap();
    let mut found = quote(&mut conn, &ctx, &asked, std::slice::from_ref(variant)).await.unwrap();
    found.remove(variant).map(|quoted| match quoted {
        Quoted::Price { priced, .. } => Ok(priced.price.minor()),
        Quoted::Refused { reason } => Err(reason),
    })
}

on_both! {
    async fn base_prices_and_costs_come_back_and_an_impossible_one_changes_nothing(db: TestDb) {
        let mug = variant(&db, "MUG").await;
        assert!(base(&db, &mug, Some(money(1299, "EUR")), Some(money(700, "USD"))).await.unwrap());
        assert!(!base(&db, &mug, Some(money(1299, "EUR")), Some(money(700, "USD"))).await.unwrap(), "the same is no change");
        let refused = base(&db, &mug, Some(money(0, "EUR")), None).await.unwrap_err().to_string();
        assert!(refused.contains("0.00") && refused.contains("above zero"), "{refused}");
        assert!(base(&db, &mug, None, Some(money(-1, "EUR"))).await.is_err());
        let mut conn = db.store.read().await.unwrap();
        let found = bases(&mut conn, &db.ctx().tenant, &[mug.clone(), VariantId::new(&db.ctx().ids)]).await.unwrap();
        assert_eq!(found, BTreeMap::from([(mug, Base { price: Some(money(1299, "EUR")), cost: Some(money(700, "USD")) })]));
    }

    async fn the_most_specific_line_of_the_day_answers(db: TestDb) {
        db.clock.advance(RATES_DAY - db.clock.now_ms());
        let (mug, lamp) = (variant(&db, "MUG").await, variant(&db, "LAMP").await);
        let (here, there) = (shop(&db, "Here", "EUR").await, shop(&db, "There", "EUR").await);
        assert_eq!(quoted(&db, &here, &mug, None, None).await, None, "nothing is set");
        base(&db, &mug, Some(money(1000, "EUR")), None).await.unwrap();
        assert_eq!(quoted(&db, &here, &mug, None, None).await, Some(Ok(1000)));
        let some = |country: Option<&str>, group: Option<&str>, adjustment| NewLine {
            connection: Some(here.id.clone()), country: country.map(str::to_owned), group: group.map(str::to_owned), adjustment: decimal(adjustment), ..NewLine::default()
        };
        line(&db, some(None, None, "0.10")).await.unwrap();
        line(&db, some(Some("fr"), None, "0.20")).await.unwrap();
        line(&db, some(None, Some("trade"), "-0.25")).await.unwrap();
        let today = model::today(&db.ctx());
        let sale = NewLine { variant: Some(mug.clone()), fixed: Some(money(777, "EUR")), valid_from: Some(today.tomorrow().unwrap()), ..NewLine::default() };
        line(&db, sale.clone()).await.unwrap();
        for (shop, country, group, cents) in [(&here, None, None, 1100), (&here, Some("FR"), None, 1200), (&here, Some("FR"), Some("trade"), 750), (&there, None, None, 1000)] {
            assert_eq!(quoted(&db, shop, &mug, country, group).await, Some(Ok(cents)), "{} {country:?} {group:?}", shop.name);
        }
        assert_eq!(quoted(&db, &here, &lamp, None, None).await, None, "an adjustment of nothing is nothing");
        db.clock.advance(DAY);
        assert_eq!(quoted(&db, &here, &mug, Some("FR"), Some("trade")).await, Some(Ok(777)));
        // The same key again replaces, and keeps the id.
        let first = line(&db, sale.clone()).await.unwrap();
        let again = line(&db, NewLine { fixed: Some(money(888, "EUR")), ..sale }).await.unwrap();
        assert_eq!((&first.id, quoted(&db, &there, &mug, None, None).await), (&again.id, Some(Ok(888))));
        let id = again.id.clone();
        assert_eq!(write(&db, move |tx, ctx| Box::pin(async move { remove_line(tx, &ctx, &id).await })).await.unwrap(), again);
        let id = again.id.clone();
        assert!(write(&db, move |tx, ctx| Box::pin(async move { remove_line(tx, &ctx, &id).await })).await.is_err());
        assert_eq!(quoted(&db, &there, &mug, None, None).await, Some(Ok(1000)));
    }

    async fn lines_that_cannot_be_are_refused_and_not_kept(db: TestDb) {
        let mug = variant(&db, "MUG").await;
        let day = model::today(&db.ctx());
        let good = NewLine { variant: Some(mug), fixed: Some(money(1, "EUR")), ..NewLine::default() };
        let charm = |step, ending| Some(Charm { step: decimal(step), ending: decimal(ending), direction: Direction::Up });
        for (what, bad) in [
            ("country", NewLine { country: Some("Germany".into()), ..good.clone() }),
            ("fixed", NewLine { fixed: Some(money(0, "EUR")), ..good.clone() }),
            ("fixed", NewLine { variant: None, ..good.clone() }),
            ("adjustment", NewLine { adjustment: decimal("-1"), ..NewLine::default() }),
            ("charm", NewLine { charm: charm("0", "0.99"), ..NewLine::default() }),
            ("valid_to", NewLine { valid_from: Some(day), valid_to: Some(day), ..good.clone() }),
            ("group", NewLine { group: Some("x".repeat(61)), ..good.clone() }),
        ] {
            let refused = line(&db, bad).await.unwrap_err().to_string();
            assert!(refused.contains(&format!("`{what}`")) && refused.contains("hint"), "{what}: {refused}");
        }
        let mut conn = db.store.read().await.unwrap();
        assert!(list(&mut conn, &db.ctx().tenant, None, None, &PageRequest::default()).await.unwrap().items.is_empty());
    }

    async fn rates_and_charm_endings_make_a_price_and_too_old_rates_make_none(db: TestDb) {
        db.clock.advance(RATES_DAY - db.clock.now_ms());
        let mug = variant(&db, "MUG").await;
        let shop = shop(&db, "Overseas", "USD").await;
        base(&db, &mug, Some(money(1000, "EUR")), None).await.unwrap();
        // 1.113 on that day.
        assert_eq!(quoted(&db, &shop, &mug, None, None).await, Some(Ok(1113)));
        let charm = Some(Charm { step: decimal("1"), ending: decimal("0.99"), direction: Direction::Up });
        line(&db, NewLine { connection: Some(shop.id.clone()), adjustment: decimal("0.05"), charm, ..NewLine::default() }).await.unwrap();
        assert_eq!(quoted(&db, &shop, &mug, None, None).await, Some(Ok(1199)), "11.6865 goes up to the next .99");
        let first = new_occasion(&mut db.store.read().await.unwrap(), &db.ctx(), &shop.id).await.unwrap().unwrap();
        say(&db, &shop, Policy::default()).await.unwrap();
        let (id, noted) = (shop.id.clone(), first.clone());
        write(&db, move |tx, ctx| Box::pin(async move { note_occasion(tx, &ctx, &id, &noted).await })).await.unwrap();
        assert_eq!(new_occasion(&mut db.store.read().await.unwrap(), &db.ctx(), &shop.id).await.unwrap(), None);
        db.clock.advance(30 * DAY);
        assert_ne!(new_occasion(&mut db.store.read().await.unwrap(), &db.ctx(), &shop.id).await.unwrap(), Some(first));
        let why = quoted(&db, &shop, &mug, None, None).await.unwrap().unwrap_err();
        assert!(why.contains("EUR to USD") && why.contains("at most 7"), "{why}");
        say(&db, &shop, Policy { locked_rate: Some(decimal("1.25")), ..Policy::default() }).await.unwrap();
        assert_eq!(quoted(&db, &shop, &mug, None, None).await, Some(Ok(1399)), "a locked rate does not age");
        line(&db, NewLine { variant: Some(mug.clone()), fixed: Some(money(999, "EUR")), ..NewLine::default() }).await.unwrap();
        let why = quoted(&db, &shop, &mug, None, None).await.unwrap().unwrap_err();
        assert!(why.contains("9.99") && why.contains("USD"), "{why}");
    }

    async fn policies_come_back_and_prices_are_pushed_only_where_that_was_switched_on(db: TestDb) {
        let (here, there) = (shop(&db, "Here", "EUR").await, shop(&db, "There", "EUR").await);
        let wanted = Policy { fee_rate: decimal("0.15"), min_margin_rate: Some(decimal("0.2")), currency: Some(Currency::from_code("EUR").unwrap()), fixed_fee: decimal("0.30"), ..Policy::default() };
        say(&db, &here, wanted.clone()).await.unwrap();
        for bad in [Policy { fee_rate: Decimal::ONE, ..wanted.clone() }, Policy { fixed_fee: decimal("0.305"), ..wanted.clone() }, Policy { locked_rate: Some(Decimal::ZERO), ..wanted.clone() }, Policy { country: Some("XX".into()), ..wanted.clone() }] {
            assert!(say(&db, &here, bad).await.is_err());
        }
        let tenant = db.ctx().tenant;
        let mut conn = db.store.read().await.unwrap();
        assert_eq!(policy(&mut conn, &tenant, &here.id).await.unwrap(), wanted);
        assert_eq!(policy(&mut conn, &tenant, &there.id).await.unwrap(), Policy::default());
        assert!(pushing(&mut conn, &tenant).await.unwrap().is_empty());
        drop(conn);
        let id = there.id.clone();
        write(&db, move |tx, ctx| Box::pin(async move { switch(tx, &ctx, &id, true).await })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        assert_eq!(pushing(&mut conn, &tenant).await.unwrap(), std::slice::from_ref(&there.id));
        assert!(!pushes(&mut conn, &tenant, &here.id).await.unwrap() && pushes(&mut conn, &tenant, &there.id).await.unwrap());
        drop(conn);
        let id = there.id.clone();
        write(&db, move |tx, ctx| Box::pin(async move { forget_connection(tx, &ctx, &id).await })).await.unwrap();
        assert!(pushing(&mut db.store.read().await.unwrap(), &tenant).await.unwrap().is_empty());
    }

    async fn the_lowest_price_of_thirty_days_is_per_channel_and_country(db: TestDb) {
        let mug = variant(&db, "MUG").await;
        let (here, there) = (shop(&db, "Here", "EUR").await, shop(&db, "There", "EUR").await);
        let de = PricedFor { variant: mug.clone(), country: "DE".into() };
        for (after_days, cents) in [(0, 900), (1, 1200), (40, 1200), (5, 1100)] {
            db.clock.advance(after_days * DAY);
            let (id, priced) = (here.id.clone(), de.clone());
            write(&db, move |tx, ctx| Box::pin(async move { remember(tx, &ctx, &id, &priced, money(cents, "EUR"), ctx.now_ms()).await })).await.unwrap();
        }
        let tenant = db.ctx().tenant;
        let mut conn = db.store.read().await.unwrap();
        let rows = history(&mut conn, &tenant, &mug, None, 10).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.price.minor()).collect::<Vec<_>>(), [1100, 1200, 900], "the same price again is no row");
        assert!(history(&mut conn, &tenant, &mug, Some(&there.id), 10).await.unwrap().is_empty());
        let today = model::today(&db.ctx());
        assert_eq!(lowest(&mut conn, &tenant, &here.id, &de, today).await.unwrap(), Some(money(1200, "EUR")), "today's own does not count yet");
        assert_eq!(lowest(&mut conn, &tenant, &here.id, &de, today.tomorrow().unwrap()).await.unwrap(), Some(money(1100, "EUR")));
        let fr = PricedFor { country: "FR".into(), ..de };
        assert_eq!(lowest(&mut conn, &tenant, &here.id, &fr, today).await.unwrap(), None);
    }

    async fn a_file_sets_bases_and_lists_and_refuses_rows_alone(db: TestDb) {
        let (mug, lamp) = (variant(&db, "MUG").await, variant(&db, "LAMP").await);
        let here = shop(&db, "Here", "EUR").await;
        let file = "sku;price;currency;cost;cost_currency;connection;country;valid_from\n\
            MUG;12.99;EUR;7;USD;;;\n\
            LAMP;49;;;;;;\n\
            LAMP;49,99;EUR;;;;;\n\
            NONE;1;EUR;;;;;\n\
            MUG;11.99;EUR;;;Here;fr;\n\
            MUG;11.99;EUR;;;Nowhere;;\n\
            MUG;0;EUR;;;;;\n\
            LAMP;;;20;EUR;;;\n";
        let report = write(&db, move |tx, ctx| Box::pin(async move { import(tx, &ctx, file.as_bytes()).await })).await.unwrap();
        let refused: Vec<(u64, &str)> = report.refused.iter().map(|one| (one.line, one.problem.as_str())).collect();
        assert_eq!(refused.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4, 5, 7, 8], "{refused:?}");
        assert!(refused[0].1.contains("currency") && refused[2].1.contains("NONE") && refused[3].1.contains("Nowhere"), "{refused:?}");
        assert_eq!((report.changed, report.unchanged, report.refused_lines), (3, 0, 5));
        assert_eq!(quoted(&db, &here, &mug, None, None).await, Some(Ok(1299)));
        assert_eq!(quoted(&db, &here, &mug, Some("FR"), None).await, Some(Ok(1199)));
        let mut conn = db.store.read().await.unwrap();
        let tenant = db.ctx().tenant;
        let found = bases(&mut conn, &tenant, std::slice::from_ref(&lamp)).await.unwrap();
        assert_eq!(found[&lamp], Base { price: None, cost: Some(money(2000, "EUR")) });
        let page = list(&mut conn, &tenant, Some(&here.id), Some(&mug), &PageRequest::default()).await.unwrap();
        assert_eq!(page.items.iter().map(|one| one.line.country.as_deref()).collect::<Vec<_>>(), [Some("FR")]);
        drop(conn);
        for bad in ["price\n1\n", "sku,colour\nMUG,red\n"] {
            assert!(write(&db, move |tx, ctx| Box::pin(async move { import(tx, &ctx, bad.as_bytes()).await })).await.is_err());
        }
    }
}
