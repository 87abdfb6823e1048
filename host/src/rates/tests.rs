#![allow(clippy::unwrap_used)]

use jiff::civil::date;

use super::*;
use crate::money::{Decimal, RoundingMode, decimal_from_text};
use crate::on_both;
use crate::store::tests::TestDb;
use entrepot_crossborder::fx::{Error as FxError, RateKind};

fn ecb() -> SeriesKey {
    SeriesKey::parse("ecb/mid/EUR").unwrap()
}

fn seen(day: Date, quote: &str, value: &str) -> Observation {
    Observation { quote: quote.into(), value: decimal_from_text(value).unwrap(), published_on: day }
}

async fn put(db: &TestDb, key: &SeriesKey, observations: Vec<Observation>) -> Result<Recorded, Error> {
    let (ctx, key) = (db.ctx(), key.clone());
    db.store
        .write(move |tx| {
            Box::pin(async move {
                let recorded = record(tx, &ctx, &key, "ECB reference rates", &observations).await?;
                ready(tx, &ctx, &key.source).await?;
                Ok(recorded)
            })
        })
        .await
}

async fn choose(db: &TestDb, wanted: Use) -> Result<(), Error> {
    let ctx = db.ctx();
    db.store.write(move |tx| Box::pin(async move { set_use(tx, &ctx, &wanted).await })).await
}

fn shown(rate: &Rate) -> Decimal {
    rate.found.rate.to_decimal(6, RoundingMode::HalfUp).unwrap()
}

const FRIDAY: Date = date(2026, 10, 30);
const MONDAY: Date = date(2026, 11, 2);

on_both! {
    async fn what_is_known_already_changes_nothing(db: TestDb) {
        let friday = vec![seen(FRIDAY, "USD", "1.1790"), seen(FRIDAY, "JPY", "175.68")];
        assert_eq!(put(&db, &ecb(), friday.clone()).await.unwrap(), Recorded { new: 2, corrected: 0, unchanged: 0 });
        let tenant = db.ctx().tenant;
        let before = get_series(&mut db.store.read().await.unwrap(), &tenant, &ecb()).await.unwrap();
        // The same number in other digits is the same number.
        let again = vec![seen(FRIDAY, "USD", "1.179"), seen(FRIDAY, "JPY", "175.680")];
        assert_eq!(put(&db, &ecb(), again).await.unwrap(), Recorded { new: 0, corrected: 0, unchanged: 2 });
        let after = get_series(&mut db.store.read().await.unwrap(), &tenant, &ecb()).await.unwrap();
        assert_eq!(before, after);
        assert_eq!((after.count, after.first_on, after.last_on), (2, FRIDAY, FRIDAY));
        assert_eq!(put(&db, &ecb(), Vec::new()).await.unwrap(), Recorded::default());
    }

    async fn a_correction_holds_and_what_we_knew_before_it_is_still_there(db: TestDb) {
        put(&db, &ecb(), vec![seen(FRIDAY, "USD", "1.11"), seen(FRIDAY, "GBP", "0.83")]).await.unwrap();
        let (tenant, knew_at) = (db.ctx().tenant, db.clock.now_ms());
        db.clock.advance(3_600_000);
        let corrected = put(&db, &ecb(), vec![seen(FRIDAY, "USD", "1.12"), seen(FRIDAY, "GBP", "0.83")]).await.unwrap();
        assert_eq!(corrected, Recorded { new: 0, corrected: 1, unchanged: 1 });
        let mut conn = db.store.read().await.unwrap();
        let now = table(&mut conn, &tenant, Purpose::Tax).await.unwrap();
        assert_eq!(shown(&now.rate("EUR", "USD", FRIDAY).unwrap()).to_string(), "1.120000");
        let then = table_known_at(&mut conn, &tenant, &ecb(), knew_at).await.unwrap();
        let found = then.rate_on("EUR", "USD", FRIDAY, Default::default(), None).unwrap();
        assert_eq!(found.rate.to_decimal(2, RoundingMode::HalfUp).unwrap().to_string(), "1.11");
        let rows = list(&mut conn, &tenant, &ecb(), "USD", &PageRequest::first(1)).await.unwrap();
        assert_eq!((rows.items[0].revision, rows.items[0].value.to_string()), (2, "1.12".to_owned()));
        let older = PageRequest { cursor: rows.next_cursor, limit: Some(1) };
        let older = list(&mut conn, &tenant, &ecb(), "USD", &older).await.unwrap();
        assert_eq!((older.items[0].revision, older.items[0].fetched_at), (1, knew_at));
        assert_eq!(older.next_cursor, None);
        // And back again is a third fact, not the first one.
        drop(conn);
        assert_eq!(put(&db, &ecb(), vec![seen(FRIDAY, "USD", "1.11")]).await.unwrap().corrected, 1);
        let rows = list(&mut db.store.read().await.unwrap(), &tenant, &ecb(), "USD", &PageRequest::first(9)).await.unwrap();
        assert_eq!(rows.items.iter().map(|row| row.revision).collect::<Vec<_>>(), [3, 2, 1]);
    }

    async fn a_table_is_made_once_per_version_and_follows_every_addition(db: TestDb) {
        // A day of its own, or another test's equal table would be the one found.
        let day = if db.store.dialect() == crate::store::Dialect::Sqlite { date(2019, 3, 4) } else { date(2019, 3, 5) };
        put(&db, &ecb(), vec![seen(day, "USD", "1.1")]).await.unwrap();
        let (mut conn, tenant) = (db.store.read().await.unwrap(), db.ctx().tenant);
        let first = table(&mut conn, &tenant, Purpose::Prices).await.unwrap();
        let again = table(&mut conn, &tenant, Purpose::Orders).await.unwrap();
        assert!(Arc::ptr_eq(&first.table, &again.table));
        assert!(!first.built_in);
        drop(conn);
        put(&db, &ecb(), vec![seen(day.tomorrow().unwrap(), "USD", "1.2")]).await.unwrap();
        let next = table(&mut db.store.read().await.unwrap(), &tenant, Purpose::Prices).await.unwrap();
        assert_ne!(next.version, first.version);
        assert_eq!((first.table.last_day(), next.table.last_day()), (Some(day), Some(day.tomorrow().unwrap())));
    }

    async fn beyond_its_age_a_rate_publishes_nothing_and_still_refunds(db: TestDb) {
        put(&db, &ecb(), vec![seen(FRIDAY, "USD", "1.25")]).await.unwrap();
        let (mut conn, tenant) = (db.store.read().await.unwrap(), db.ctx().tenant);
        let book = table(&mut conn, &tenant, Purpose::Prices).await.unwrap();
        assert_eq!(book.rate("EUR", "USD", date(2026, 11, 6)).unwrap().age_days, 7);
        let late = book.rate("EUR", "USD", date(2026, 11, 7));
        assert!(matches!(late, Err(Error::Rates(FxError::Stale { age_days: 8, max_age_days: 7, .. }))), "{late:?}");
        let kept = book.rate_of_any_age("EUR", "USD", date(2027, 11, 7)).unwrap();
        assert_eq!((shown(&kept).to_string(), kept.found.rate_date), ("1.250000".to_owned(), FRIDAY));
        drop(conn);
        choose(&db, Use { purpose: Purpose::Prices, series: None, max_age_days: Some(8) }).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        assert!(table(&mut conn, &tenant, Purpose::Prices).await.unwrap().rate("EUR", "USD", date(2026, 11, 7)).is_ok());
        assert!(table(&mut conn, &tenant, Purpose::Orders).await.unwrap().rate("EUR", "USD", date(2026, 11, 7)).is_err());
        let found = latest(&mut conn, &tenant, Purpose::Orders, "USD", "EUR", date(2026, 12, 1)).await.unwrap();
        assert_eq!((shown(&found).to_string(), found.age_days), ("0.800000".to_owned(), 32));
    }

    async fn the_merchant_says_which_series_answers_and_the_first_one_does_otherwise(db: TestDb) {
        let tenant = db.ctx().tenant;
        let empty = table(&mut db.store.read().await.unwrap(), &tenant, Purpose::Prices).await.unwrap();
        assert!(empty.built_in && !empty.table.is_empty());
        let own = SeriesKey::parse("own/mid/EUR").unwrap();
        let fixed = SeriesKey::parse("own/fixed/EUR").unwrap();
        let other = SeriesKey::parse("another/mid/EUR").unwrap();
        put(&db, &own, vec![seen(FRIDAY, "USD", "1.0")]).await.unwrap();
        db.clock.advance(1);
        put(&db, &ecb(), vec![seen(FRIDAY, "USD", "1.1")]).await.unwrap();
        db.clock.advance(1);
        put(&db, &other, vec![seen(MONDAY, "USD", "1.2")]).await.unwrap();
        put(&db, &fixed, vec![seen(FRIDAY, "USD", "1.3")]).await.unwrap();
        assert_eq!(table(&mut db.store.read().await.unwrap(), &tenant, Purpose::Prices).await.unwrap().series, ecb());
        choose(&db, Use { purpose: Purpose::Prices, series: Some(fixed.clone()), max_age_days: None }).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        let book = table(&mut conn, &tenant, Purpose::Prices).await.unwrap();
        assert_eq!(shown(&book.rate("EUR", "USD", date(2031, 1, 1)).unwrap()).to_string(), "1.300000");
        assert_eq!(book.table.kind(), RateKind::Fixed);
        let all: Vec<String> = list_series(&mut conn, &tenant).await.unwrap().iter().map(|s| s.key.to_string()).collect();
        assert_eq!(all, ["another/mid/EUR", "ecb/mid/EUR", "own/fixed/EUR", "own/mid/EUR"]);
        drop(conn);
        let nowhere = SeriesKey::parse("nobody/mid/EUR").unwrap();
        let refused = choose(&db, Use { purpose: Purpose::Tax, series: Some(nowhere), max_age_days: None }).await.unwrap_err();
        assert!(refused.to_string().contains("nobody/mid/EUR"), "{refused}");
        assert_eq!(use_of(&mut db.store.read().await.unwrap(), &tenant, Purpose::Tax).await.unwrap().series, None);
    }

    async fn half_a_history_answers_for_nothing(db: TestDb) {
        let (ctx, key) = (db.ctx(), ecb());
        let old = vec![seen(date(1999, 1, 4), "USD", "1.1789")];
        db.store.write(move |tx| Box::pin(async move { record(tx, &ctx, &key, "x", &old).await })).await.unwrap();
        let tenant = db.ctx().tenant;
        assert!(table(&mut db.store.read().await.unwrap(), &tenant, Purpose::Tax).await.unwrap().built_in);
        let refused = choose(&db, Use { purpose: Purpose::Tax, series: Some(ecb()), max_age_days: None }).await;
        assert!(matches!(refused, Err(Error::NotReady { .. })), "{refused:?}");
        put(&db, &ecb(), vec![seen(FRIDAY, "USD", "1.1")]).await.unwrap();
        assert_eq!(table(&mut db.store.read().await.unwrap(), &tenant, Purpose::Tax).await.unwrap().series, ecb());
    }

    async fn what_cannot_be_a_rate_is_refused_and_nothing_of_its_list_is_kept(db: TestDb) {
        for (quote, value, word) in [("USD", "0", "above zero"), ("USD", "-1.1", "above zero"), ("usd", "1.1", "`usd`"), ("EUR", "1", "EUR in EUR")] {
            let list = vec![seen(FRIDAY, "GBP", "0.8"), seen(FRIDAY, quote, value)];
            let refused = put(&db, &ecb(), list).await.unwrap_err().to_string();
            assert!(refused.contains(word), "{refused}");
        }
        assert!(list_series(&mut db.store.read().await.unwrap(), &db.ctx().tenant).await.unwrap().is_empty());
    }

    async fn many_days_and_currencies_come_back_as_they_went_in(db: TestDb) {
        let all: Vec<Observation> = (0..900)
            .flat_map(|n| {
                let day = date(2020, 1, 1).checked_add(jiff::Span::new().days(n)).unwrap();
                ["AUD", "CAD", "USD"].map(|code| seen(day, code, &format!("1.{n:04}1")))
            })
            .collect();
        assert_eq!(put(&db, &ecb(), all.clone()).await.unwrap().new, 2_700);
        assert_eq!(put(&db, &ecb(), all.clone()).await.unwrap().unchanged, 2_700);
        let table = table_of(&mut db.store.read().await.unwrap(), &db.ctx().tenant, &ecb()).await.unwrap();
        let mut rows: Vec<_> = table.rows().map(|(day, code, value)| seen(day, code, &value.to_string())).collect();
        rows.sort_by(|a, b| (a.published_on, &a.quote).cmp(&(b.published_on, &b.quote)));
        assert_eq!(rows, all);
    }

    async fn two_who_record_the_same_day_at_once_leave_one_row(db: TestDb) {
        let writes = (0..6).map(|n| {
            let (store, ctx, key) = (db.store.clone(), db.ctx(), ecb());
            let list = vec![seen(FRIDAY, "USD", "1.1"), seen(FRIDAY, "GBP", if n % 2 == 0 { "0.8" } else { "0.80" })];
            tokio::spawn(async move { store.write(move |tx| Box::pin(async move { record(tx, &ctx, &key, "x", &list).await })).await })
        });
        let done = futures::future::join_all(writes).await;
        let new: u64 = done.into_iter().map(|recorded| recorded.unwrap().unwrap().new).sum();
        assert_eq!(new, 2);
        assert_eq!(get_series(&mut db.store.read().await.unwrap(), &db.ctx().tenant, &ecb()).await.unwrap().count, 2);
    }
}

#[test]
fn the_layouts_are_told_apart_by_how_they_begin() {
    let one = |text: &str, source| read_file(text, source).unwrap().remove(0);
    let table = one("\u{feff}Date,USD,JPY,\n2026-10-30,1.1172,N/A,\n", None);
    assert_eq!((table.series.to_string().as_str(), table.observations.as_slice()), ("ecb/mid/EUR", &[seen(FRIDAY, "USD", "1.1172")][..]));
    let xml = one("<Cube time='2026-10-30'><Cube currency='USD' rate='1.1172'/></Cube>", Some("mirror"));
    assert_eq!((xml.series.to_string().as_str(), xml.observations), ("mirror/mid/EUR", table.observations));
    let json = one(r#"{"timestamp": 1793318400, "base": "USD", "rates": {"EUR": 0.895, "USD": 1, "BTC": 7.0e-06}}"#, None);
    assert_eq!(json.series.to_string(), "openexchangerates/mid/USD");
    assert_eq!(json.observations, [seen(FRIDAY, "BTC", "0.000007"), seen(FRIDAY, "EUR", "0.895")]);
}

#[test]
fn own_files_may_hold_several_series_and_name_a_wrong_line() {
    let text = "date;base;quote;value;kind\n2026-11-01;EUR;USD;1.08;customs\n2026-11-01;GBP;USD;1.30;\n2026-12-01;EUR;USD;1.09;customs\n";
    let files = read_file(text, None).unwrap();
    let names: Vec<(String, usize)> = files.iter().map(|file| (file.series.to_string(), file.observations.len())).collect();
    assert_eq!(names, [("own/customs/EUR".to_owned(), 2), ("own/fixed/GBP".to_owned(), 1)]);
    for (line, word) in [
        ("2026-13-01,EUR,USD,1.1", "2026-13-01"),
        ("2026-11-01,EUR,USD,\"1,1\"", "1,1"),
        ("2026-11-01,EUR,USD,0", "above zero"),
        ("2026-11-01,EUR,EUR,1", "EUR in EUR"),
        ("2026-11-01,XXY,USD,1", "XXY"),
        ("2026-11-01,EUR,dollar,1", "dollar"),
    ] {
        let error = read_file(&format!("date,base,quote,value\n2026-11-01,EUR,GBP,0.8\n{line}\n"), None).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains(word), "{error}");
    }
    for (text, word) in
        [("date,base,rate\n", "`quote`"), ("date,USD,JPY\n2026-11-02,,\n", "no rates"), ("date,base,quote,value\n", "no rates")]
    {
        let error = read_file(text, None).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
