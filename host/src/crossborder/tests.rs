#![allow(clippy::unwrap_used)]

use entrepot_crossborder::quote::{Buyer, Channel, Line, National, QuoteInput, Seller};
use jiff::civil::date;

use super::*;
use crate::id::Entropy;
use crate::money::{Currency, Money};
use crate::on_both;
use crate::store::tests::TestDb;

async fn write<T: Send + 'static>(
    db: &TestDb,
    work: impl for<'t> FnOnce(&'t mut WriteTx) -> futures::future::BoxFuture<'t, Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    db.store.write(work).await
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::from_code("EUR").unwrap())
}

fn list(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| (*text).to_owned()).collect())
}

/// A shop of a seller in Germany.
struct Shop {
    connection: ConnectionId,
    entity: Entity,
}

async fn shop(db: &TestDb, registrations: &[&str]) -> Shop {
    let (ctx, connection) = (db.ctx(), ConnectionId::new(&db.ctx().ids));
    let facts = EntityFacts {
        country: Some("DE".into()),
        ships_from: Some("DE".into()),
        registrations: list(registrations),
        ..EntityFacts::default()
    };
    let at = connection.clone();
    let entity = write(db, move |tx| {
        Box::pin(async move {
            let entity = set_entity(tx, &ctx, "Haus GmbH", facts).await?;
            let facts = ChannelFacts { kind: Some(Channel::OwnStore), ..ChannelFacts::default() };
            set_channel(tx, &ctx, &at, "Haus GmbH", facts).await?;
            Ok(entity)
        })
    })
    .await
    .unwrap();
    Shop { connection, entity }
}

/// An order of one line, prices without tax, for which the shop charged `tax`.
fn sale(db: &TestDb, shop: &Shop, to: &str, on: Date, net: i64, tax: i64) -> Sold {
    let ctx = db.ctx();
    let at = on.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_millisecond();
    let line = Line {
        sku: Some("MUG".into()),
        unit_minor: net,
        qty: 1,
        kind: Some("ordinary".into()),
        category: None,
        hs: None,
        origin: None,
        duty_rate: None,
        duty_rate_max: None,
    };
    let question = QuoteInput {
        date: on,
        ship_from: None,
        ship_to: to.into(),
        region: None,
        postal_code: None,
        seller: Seller::default(),
        buyer: Some(Buyer::Consumer),
        channel: None,
        mode: None,
        incoterm: None,
        currency: eur(0).currency(),
        prices_include_tax: false,
        lines: vec![line],
        shipping_minor: 0,
        insurance_minor: 0,
        onward_minor: 0,
        fees: Vec::new(),
        max_rate_age_days: None,
        elect_border: false,
        national: National::default(),
    };
    let charged = Charged {
        tax: Some(eur(tax)),
        collector: Some("seller".into()),
        paid: eur(net + tax),
        prices_include_tax: false,
        lines: vec![ChargedLine { line: "1".into(), taxes: Vec::new() }],
    };
    Sold {
        order: OrderId::new(&ctx.ids),
        connection: shop.connection.clone(),
        number: format!("#{net}"),
        placed_at: at,
        sold_on: on,
        counted: true,
        cancelled: None,
        picture: format!("{to} {net}"),
        question: Ok(question),
        parts: vec![Part { line: "1".into(), sku: Some("MUG".into()), title: "Mug".into(), positions: vec![0] }],
        assumptions: Vec::new(),
        charged,
        refunds: Vec::new(),
    }
}

fn refund(id: &str, on: Date, amount: i64, of_line: Option<i64>) -> Refunded {
    let at = on.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_millisecond();
    Refunded {
        external_id: id.into(),
        moment: Moment { at, on },
        amount: eur(amount),
        lines: of_line.map(|minor| ("1".to_owned(), eur(minor))).into_iter().collect(),
    }
}

async fn frozen(db: &TestDb, sold: &Sold) -> i64 {
    let (ctx, sold) = (db.ctx(), sold.clone());
    write(db, move |tx| Box::pin(async move { freeze(tx, &ctx, &sold, false).await })).await.unwrap()
}

async fn told(db: &TestDb, sold: &Sold) -> Explanation {
    explain(&mut db.store.read().await.unwrap(), &db.ctx().tenant, &sold.order).await.unwrap()
}

async fn quarter(db: &TestDb, shop: &Shop, country: Option<&str>) -> Return {
    let mut conn = db.store.read().await.unwrap();
    let days = period("2026-Q1").unwrap();
    vat_report(&mut conn, &db.ctx().tenant, Some(&shop.entity), country, days, eur(0).currency()).await.unwrap()
}

async fn set_file(db: &TestDb, name: &'static str, text: &'static str) -> Result<String, Error> {
    let ctx = db.ctx();
    write(db, move |tx| Box::pin(async move { Ok(set_rules(tx, &ctx, name, text).await?.version().to_owned()) })).await
}

const HIGHER: &str =
    "jurisdiction,tax,category,rate,valid_from,valid_to,verification,sources\nDE,VAT,standard,0.30,2026-01-01,,merchant,\n";

on_both! {
    async fn an_entity_is_made_changed_and_kept_while_a_connection_sells_for_it(db: TestDb) {
        let shop = shop(&db, &["eu.oss"]).await;
        let ctx = db.ctx();
        write(&db, move |tx| Box::pin(async move {
            assert!(matches!(remove_entity(tx, &ctx, "Haus GmbH").await, Err(Error::EntityInUse { connections: 1, .. })));
            let facts = EntityFacts { country: Some("at".into()), ..EntityFacts::default() };
            let changed = set_entity(tx, &ctx, "Haus GmbH", facts).await?;
            assert_eq!(changed.facts.country.as_deref(), Some("AT"));
            let other = set_entity(tx, &ctx, "Other", EntityFacts::default()).await?;
            assert_eq!(remove_entity(tx, &ctx, other.id.as_str()).await?.name, "Other");
            assert!(matches!(set_entity(tx, &ctx, " ", EntityFacts::default()).await, Err(Error::BadName { .. })));
            let nobody = set_channel(tx, &ctx, &ConnectionId::new(&ctx.ids), "Nobody", ChannelFacts::default()).await;
            assert!(nobody.unwrap_err().to_string().contains("Nobody"));
            Ok(())
        })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        let tenant = db.ctx().tenant;
        assert_eq!(entities(&mut conn, &tenant).await.unwrap().len(), 1);
        assert_eq!(get_entity(&mut conn, &tenant, "Haus GmbH").await.unwrap().id, shop.entity.id);
        let channel = channels(&mut conn, &tenant).await.unwrap().remove(0);
        assert_eq!((channel.entity, channel.facts.kind), (shop.entity.id, Some(Channel::OwnStore)));
    }

    async fn goods_keep_what_was_said_of_them(db: TestDb) {
        let (ctx, variant) = (db.ctx(), VariantId::new(&db.ctx().ids));
        let (c, v) = (ctx.clone(), variant.clone());
        write(&db, move |tx| Box::pin(async move {
            let facts = GoodsFacts { category: Some("books".into()), ..GoodsFacts::default() };
            set_goods(tx, &c, &v, facts.clone()).await?;
            set_goods(tx, &c, &v, GoodsFacts { description: Some("printed book".into()), ..facts }).await
        })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        let found = goods(&mut conn, &ctx.tenant, &variant).await.unwrap();
        assert_eq!((found.category.as_deref(), found.description.as_deref()), (Some("books"), Some("printed book")));
        assert_eq!(goods(&mut conn, &ctx.tenant, &VariantId::new(&ctx.ids)).await.unwrap(), GoodsFacts::default());
        assert_eq!(goods_of(&mut conn, &ctx.tenant, std::slice::from_ref(&variant)).await.unwrap().len(), 1);
    }

    async fn a_rule_file_that_does_not_fit_is_refused_by_name_and_changes_nothing(db: TestDb) {
        let overlapping = "jurisdiction,tax,category,rate,valid_from,valid_to,verification,sources\n\
            DE,VAT,toys,0.05,2026-01-01,,merchant,\nDE,VAT,toys,0.06,2026-06-01,,merchant,\n";
        let refused = set_file(&db, "tax_rates.csv", overlapping).await.unwrap_err().to_string();
        assert!(refused.contains("DE VAT toys") && refused.contains("two rows"), "{refused}");
        let refused = set_file(&db, "tax_rates.csv", "jurisdiction,colour\nDE,red\n").await.unwrap_err().to_string();
        assert!(refused.contains("tax_rates.csv"), "{refused}");
        assert!(set_file(&db, "unknown.csv", "").await.unwrap_err().to_string().contains("unknown.csv"));
        let (ctx, builtin) = (db.ctx(), builtin().unwrap().version().to_owned());
        let mut conn = db.store.read().await.unwrap();
        assert_eq!(rules(&mut conn, &ctx.tenant).await.unwrap().version(), builtin);
        assert!(rule_files(&mut conn, &ctx.tenant).await.unwrap().is_empty());
        drop(conn);
        let version = set_file(&db, "tax_rates.csv", HIGHER).await.unwrap();
        assert_ne!(version, builtin);
        let mut conn = db.store.read().await.unwrap();
        assert_eq!(rules(&mut conn, &ctx.tenant).await.unwrap().version(), version);
        assert_eq!(rule_file(&mut conn, &ctx.tenant, "tax_rates.csv").await.unwrap(), HIGHER);
        drop(conn);
        let c = ctx.clone();
        write(&db, move |tx| Box::pin(async move {
            assert!(matches!(remove_rules(tx, &c, "zones.csv").await, Err(Error::NoRuleFile { .. })));
            remove_rules(tx, &c, "tax_rates.csv").await.map(drop)
        })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        assert_eq!(rules(&mut conn, &ctx.tenant).await.unwrap().version(), builtin);
    }

    async fn what_was_frozen_stays_whatever_the_rules_become_and_an_edit_adds_a_version(db: TestDb) {
        let shop = shop(&db, &["eu.oss"]).await;
        let first = sale(&db, &shop, "DE", date(2026, 2, 2), 1_000, 190);
        assert_eq!(frozen(&db, &first).await, 1);
        let before = told(&db, &first).await;
        assert_eq!(before.versions[0].answer.amounts.tax, Some(eur(190)));
        set_file(&db, "tax_rates.csv", HIGHER).await.unwrap();
        assert_eq!(frozen(&db, &first).await, 1, "the same picture");
        let after = told(&db, &first).await;
        assert_eq!(after.versions[0].answer, before.versions[0].answer);
        assert_eq!(after.words, before.words);
        let edited = Sold { picture: "edited".into(), ..first.clone() };
        assert_eq!(frozen(&db, &edited).await, 2);
        let both = told(&db, &first).await;
        let taxes: Vec<_> = both.versions.iter().map(|version| version.answer.amounts.tax).collect();
        assert_eq!(taxes, [Some(eur(190)), Some(eur(300))]);
        assert_ne!(both.versions[0].rule_set, both.versions[1].rule_set);
        assert!(both.differences.iter().any(|d| d.kind == "amount" && d.version == 2));
        // Only the version that counts is in the return.
        let report = quarter(&db, &shop, None).await.report;
        assert_eq!(report.rows.iter().map(|row| row.amount).collect::<Vec<_>>(), [eur(300)]);
    }

    async fn orders_wait_for_their_tax_until_they_were_looked_at(db: TestDb) {
        let ctx = db.ctx();
        let (a, b) = (OrderId::new(&ctx.ids), OrderId::new(&ctx.ids));
        let c = ctx.clone();
        let (first, second) = (a.clone(), b.clone());
        write(&db, move |tx| Box::pin(async move {
            note(tx, &c, &second, 20).await?;
            note(tx, &c, &first, 10).await?;
            note_anew(tx, &c, &first, 10).await?;
            note(tx, &c, &first, 10).await
        })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        let waiting_now = waiting(&mut conn, &ctx.tenant, 10).await.unwrap();
        assert_eq!(waiting_now.iter().map(|work| (&work.order, work.anew)).collect::<Vec<_>>(), [(&a, true), (&b, false)]);
        drop(conn);
        let c = ctx.clone();
        write(&db, move |tx| Box::pin(async move {
            // Wished for again after it was read: it stays.
            note(tx, &c, &waiting_now[0].order, 10).await?;
            for work in &waiting_now {
                finish(tx, &c, work).await?;
            }
            Ok(())
        })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        let left = waiting(&mut conn, &ctx.tenant, 10).await.unwrap();
        assert_eq!(left.iter().map(|work| &work.order).collect::<Vec<_>>(), [&a]);
    }

    async fn refunds_and_cancellations_take_back_the_figures_of_the_sale(db: TestDb) {
        let shop = shop(&db, &["eu.oss"]).await;
        let mut order = sale(&db, &shop, "FR", date(2026, 1, 10), 10_000, 2_000);
        frozen(&db, &order).await;
        set_file(&db, "tax_rates.csv", "jurisdiction,tax,category,rate,valid_from,valid_to,verification,sources\n\
            FR,VAT,standard,0.25,2026-01-01,,merchant,\n").await.unwrap();
        order.refunds = vec![refund("r1", date(2026, 2, 1), 6_000, Some(5_000))];
        frozen(&db, &order).await;
        frozen(&db, &order).await;
        let halfway = told(&db, &order).await;
        assert_eq!(halfway.credits.len(), 1, "a refund is booked once");
        assert_eq!((halfway.credits[0].net, halfway.credits[0].tax), (eur(5_000), eur(1_000)));
        let report = quarter(&db, &shop, Some("FR")).await;
        assert_eq!(report.owed_by_seller, eur(1_000));
        assert_eq!(report.report.rows[0].scheme, "eu.oss");
        order.cancelled = Some(Moment { at: 1_772_000_000_000, on: date(2026, 2, 25) });
        frozen(&db, &order).await;
        frozen(&db, &order).await;
        assert_eq!(quarter(&db, &shop, None).await.owed_by_seller, eur(0));
        let ended = told(&db, &order).await;
        assert_eq!(ended.credits.iter().map(|c| c.tax.minor()).sum::<i64>(), 2_000);
        // The shop opened it again.
        order.cancelled = None;
        frozen(&db, &order).await;
        assert_eq!(quarter(&db, &shop, None).await.owed_by_seller, eur(1_000));
        order.cancelled = Some(Moment { at: 1_772_100_000_000, on: date(2026, 2, 26) });
        frozen(&db, &order).await;
        assert_eq!(quarter(&db, &shop, None).await.owed_by_seller, eur(0));
    }

    async fn a_refund_of_more_than_was_paid_is_shown_and_never_makes_the_tax_negative(db: TestDb) {
        let shop = shop(&db, &[]).await;
        let mut order = sale(&db, &shop, "DE", date(2026, 1, 10), 10_000, 1_900);
        order.refunds = vec![refund("r1", date(2026, 1, 11), 11_900, None), refund("r2", date(2026, 1, 12), 500, None)];
        frozen(&db, &order).await;
        let told = told(&db, &order).await;
        assert_eq!(told.credits.iter().map(|c| (c.tax.minor(), c.unplaced.minor())).collect::<Vec<_>>(), [(1_900, 0), (0, 500)]);
        assert!(told.differences.iter().any(|d| d.kind == "over_refund" && d.words.contains("5.00 EUR")), "{:?}", told.differences);
        assert_eq!(quarter(&db, &shop, None).await.owed_by_seller, eur(0));
    }

    async fn if_the_channel_charged_another_tax_a_whole_refund_still_takes_all_of_ours_back(db: TestDb) {
        let shop = shop(&db, &["eu.oss"]).await;
        let mut order = sale(&db, &shop, "FR", date(2026, 1, 10), 10_000, 1_900);
        frozen(&db, &order).await;
        let open = told(&db, &order).await;
        assert!(open.differences.iter().any(|d| d.kind == "amount" && d.settled_at.is_none()));
        assert_eq!(open.standing.charged.tax, Some(eur(1_900)), "the channel's figure stays as it said it");
        order.refunds = vec![refund("all", date(2026, 1, 11), 11_900, Some(10_000))];
        frozen(&db, &order).await;
        let told = told(&db, &order).await;
        assert_eq!((told.credits[0].tax, told.credits[0].unplaced), (eur(2_000), eur(0)));
    }

    async fn a_difference_is_for_a_person_and_goes_when_the_channel_agrees(db: TestDb) {
        let shop = shop(&db, &[]).await;
        let mut order = sale(&db, &shop, "DE", date(2026, 1, 10), 10_000, 700);
        frozen(&db, &order).await;
        let other = sale(&db, &shop, "DE", date(2026, 1, 11), 20_000, 700);
        frozen(&db, &other).await;
        let tenant = db.ctx().tenant;
        let mut conn = db.store.read().await.unwrap();
        assert_eq!(count_differences(&mut conn, &tenant).await.unwrap(), 2);
        let first = differences(&mut conn, &tenant, false, &PageRequest::first(1)).await.unwrap();
        let rest = PageRequest { cursor: first.next_cursor.clone(), limit: Some(1) };
        let second = differences(&mut conn, &tenant, false, &rest).await.unwrap();
        assert_ne!(first.items[0].order, second.items[0].order);
        assert_eq!(second.next_cursor, None);
        drop(conn);
        order.charged.tax = Some(eur(1_900));
        frozen(&db, &order).await;
        let (ctx, id) = (db.ctx(), other.order.clone());
        write(&db, move |tx| Box::pin(async move {
            assert!(settle(tx, &ctx, &id, Some("collector"), "").await.unwrap_err().to_string().contains("collector"));
            assert_eq!(settle(tx, &ctx, &id, None, "agreed with the shop").await?, 1);
            assert!(matches!(settle(tx, &ctx, &id, None, "").await, Err(Error::NoDifference { .. })));
            Ok(())
        })).await.unwrap();
        frozen(&db, &other).await;
        let mut conn = db.store.read().await.unwrap();
        assert_eq!(count_differences(&mut conn, &tenant).await.unwrap(), 0, "looked at once is enough");
        let all = differences(&mut conn, &tenant, true, &PageRequest::default()).await.unwrap().items;
        assert_eq!(all.len(), 2);
        assert!(all.iter().any(|d| d.note.as_deref() == Some("agreed with the shop") && d.settled_by.as_deref() == Some("test")));
    }

    async fn the_running_total_of_all_channels_decides_where_the_next_sale_is_taxed(db: TestDb) {
        let shop = shop(&db, &[]).await;
        let at = |order: &Explanation| order.versions[0].answer.rates[0].jurisdiction.clone();
        let early = sale(&db, &shop, "FR", date(2026, 1, 5), 600_000, 114_000);
        frozen(&db, &early).await;
        let first = told(&db, &early).await;
        assert_eq!(at(&first), "DE");
        assert_eq!(first.versions[0].question.seller.year_to_date_eur_minor, Some(0));
        assert!(first.words.iter().any(|w| w.contains("the hub has seen all EU distance sales of 2026")), "{:?}", first.words);
        // Another channel of the same entity.
        let second_shop = Shop { connection: ConnectionId::new(&db.ctx().ids), entity: shop.entity.clone() };
        let (ctx, c) = (db.ctx(), second_shop.connection.clone());
        write(&db, move |tx| Box::pin(async move {
            let facts = ChannelFacts { kind: Some(Channel::OwnStore), ..ChannelFacts::default() };
            set_channel(tx, &ctx, &c, "Haus GmbH", facts).await.map(drop)
        })).await.unwrap();
        let crossing = sale(&db, &second_shop, "IT", date(2026, 1, 6), 400_001, 88_000);
        frozen(&db, &crossing).await;
        let crossed = told(&db, &crossing).await;
        assert_eq!((at(&crossed).as_str(), crossed.versions[0].question.seller.year_to_date_eur_minor), ("IT", Some(600_000)));
        let mut conn = db.store.read().await.unwrap();
        let lines = thresholds_of(&mut conn, &db.ctx().tenant, &shop.entity, date(2026, 3, 1)).await.unwrap();
        let eu = lines.iter().find(|line| line.name == "eu.oss_threshold" && line.from.year() == 2026).unwrap();
        assert_eq!((eu.total, eu.crossed_on), (eur(1_000_001), Some(date(2026, 1, 6))));
        drop(conn);
        // Not paid: in no total.
        let unpaid = Sold { counted: false, ..sale(&db, &shop, "FR", date(2026, 1, 4), 900_000, 0) };
        frozen(&db, &unpaid).await;
        let late = sale(&db, &shop, "ES", date(2026, 1, 7), 100, 21);
        frozen(&db, &late).await;
        assert_eq!(told(&db, &late).await.versions[0].question.seller.year_to_date_eur_minor, Some(1_000_001));
        assert_eq!(quarter(&db, &shop, None).await.unpaid_orders, 1);
    }

    async fn sales_stated_from_elsewhere_are_in_the_total_and_the_year_before_counts(db: TestDb) {
        let shop = shop(&db, &[]).await;
        let ctx = db.ctx();
        write(&db, move |tx| Box::pin(async move {
            let facts = EntityFacts {
                country: Some("DE".into()), ships_from: Some("DE".into()), registrations: Some(Vec::new()),
                eu_sales_elsewhere: [(2025, 1_500_000), (2026, 50_000)].into(), ..EntityFacts::default()
            };
            set_entity(tx, &ctx, "Haus GmbH", facts).await.map(drop)
        })).await.unwrap();
        let order = sale(&db, &shop, "FR", date(2026, 1, 5), 100, 20);
        frozen(&db, &order).await;
        let told = told(&db, &order).await;
        let seller = &told.versions[0].question.seller;
        assert_eq!((seller.year_to_date_eur_minor, seller.previous_year_eur_minor), (Some(50_000), Some(1_500_000)));
        assert_eq!(told.versions[0].answer.rates[0].jurisdiction, "FR");
    }

    async fn an_order_that_cannot_be_worked_out_says_why_and_stays_in_the_books_if_it_was_before(db: TestDb) {
        let shop = shop(&db, &["eu.oss"]).await;
        let none = |why: &str, sale_stands| Err(NoQuestion { why: why.into(), sale_stands });
        let mut order = sale(&db, &shop, "FR", date(2026, 1, 5), 10_000, 2_000);
        frozen(&db, &order).await;
        order.picture = "erased".into();
        order.question = none("the buyer's data were erased", true);
        assert_eq!(frozen(&db, &order).await, 1);
        let told_now = told(&db, &order).await;
        assert!(told_now.words.iter().any(|w| w.contains("were erased")));
        assert_eq!(quarter(&db, &shop, None).await.owed_by_seller, eur(2_000));
        order.picture = "emptied".into();
        order.question = none("nothing in it is taxed as goods", false);
        assert_eq!(frozen(&db, &order).await, 0);
        assert_eq!(quarter(&db, &shop, None).await.owed_by_seller, eur(0));
        let told_now = told(&db, &order).await;
        assert!(told_now.tax_line.contains("nothing in it is taxed"), "{}", told_now.tax_line);
        assert_eq!(told_now.versions.len(), 1, "what was answered is kept");
        let missing = explain(&mut db.store.read().await.unwrap(), &db.ctx().tenant, &OrderId::new(&db.ctx().ids)).await;
        assert!(matches!(missing, Err(Error::NotYet(_))));
    }

    async fn without_a_legal_entity_nothing_is_guessed_and_a_second_look_completes_it(db: TestDb) {
        let nobody = Shop { connection: ConnectionId::new(&db.ctx().ids), entity: shop(&db, &["eu.oss"]).await.entity };
        let order = sale(&db, &nobody, "FR", date(2026, 1, 5), 10_000, 2_000);
        frozen(&db, &order).await;
        let first = told(&db, &order).await;
        assert_eq!((first.standing.complete, first.standing.tax), (false, None));
        assert!(first.words.iter().any(|w| w.starts_with("Missing: ")), "{:?}", first.words);
        let tenant = db.ctx().tenant;
        let mut conn = db.store.read().await.unwrap();
        assert_eq!(standings(&mut conn, &tenant, true, &PageRequest::default()).await.unwrap().items.len(), 1);
        drop(conn);
        let (ctx, c, again) = (db.ctx(), nobody.connection.clone(), order.clone());
        write(&db, move |tx| Box::pin(async move {
            let facts = ChannelFacts { kind: Some(Channel::OwnStore), ..ChannelFacts::default() };
            set_channel(tx, &ctx, &c, "Haus GmbH", facts).await?;
            assert_eq!(freeze(tx, &ctx, &again, false).await?, 1, "not by itself");
            assert_eq!(freeze(tx, &ctx, &again, true).await?, 2);
            Ok(())
        })).await.unwrap();
        let second = told(&db, &order).await;
        assert_eq!((second.standing.complete, second.standing.tax), (true, Some(eur(2_000))));
        let mut conn = db.store.read().await.unwrap();
        assert!(standings(&mut conn, &tenant, true, &PageRequest::default()).await.unwrap().items.is_empty());
    }

    async fn a_return_adds_up_to_the_orders_and_what_went_back(db: TestDb) {
        let shop = shop(&db, &["eu.oss"]).await;
        let entropy = Entropy::seeded(4);
        let dice = move |below: u64| {
            let mut bytes = [0u8; 8];
            entropy.fill(&mut bytes);
            u64::from_le_bytes(bytes) % below
        };
        let mut orders = Vec::new();
        for n in 0..40 {
            let to = ["DE", "FR", "IT", "PL", "SE"][dice(5) as usize];
            let on = date(2026, 1 + dice(3) as i8, 1 + dice(28) as i8);
            let net = 1 + dice(50_000) as i64;
            let mut order = sale(&db, &shop, to, on, net, net / 5);
            order.picture = format!("{n}");
            frozen(&db, &order).await;
            if dice(4) == 0 {
                // Edited: another amount, another version.
                let net = 1 + dice(50_000) as i64;
                let edited = sale(&db, &shop, to, on, net, net / 5);
                order = Sold { order: order.order.clone(), picture: format!("{n} edited"), ..edited };
                frozen(&db, &order).await;
            }
            for part in 0..dice(3) {
                let amount = 1 + dice(order.charged.paid.minor().max(1) as u64) as i64;
                order.refunds.push(refund(&format!("{part}"), date(2026, 3, 30), amount, (dice(2) == 0).then_some(amount / 2)));
            }
            if dice(6) == 0 {
                order.cancelled = Some(Moment { at: order.placed_at + 1, on });
            }
            frozen(&db, &order).await;
            orders.push(order);
        }
        let (mut taxes, mut nets, mut by_country) = (0, 0, std::collections::BTreeMap::<String, i64>::new());
        for order in &orders {
            let told = told(&db, order).await;
            let answer = &told.versions.iter().find(|v| v.version == told.standing.version).unwrap().answer;
            let back: i64 = told.credits.iter().map(|c| c.tax.minor()).sum();
            let back_net: i64 = told.credits.iter().map(|c| c.net.minor()).sum();
            let left = answer.amounts.tax.unwrap().minor() - back;
            assert!(left >= 0 && (order.cancelled.is_none() || left == 0), "{told:?}");
            taxes += left;
            nets += answer.amounts.goods.minor() - back_net;
            *by_country.entry(answer.rates[0].jurisdiction.clone()).or_default() += left;
        }
        let whole = quarter(&db, &shop, None).await;
        assert_eq!(whole.owed_by_seller, eur(taxes));
        assert_eq!(whole.report.rows.iter().map(|row| row.taxable.minor()).sum::<i64>(), nets);
        assert_eq!((whole.unknown_orders, whole.unpaid_orders), (0, 0));
        for (country, tax) in by_country {
            assert_eq!(quarter(&db, &shop, Some(&country)).await.owed_by_seller, eur(tax), "{country}");
        }
        let csv = whole.report.to_csv();
        assert_eq!(csv.lines().count(), whole.report.rows.len() + 1);
        assert!(whole.report.rows.iter().all(|row| row.scheme == if row.country == "DE" { "de.vat" } else { "eu.oss" }));
    }

    async fn lists_are_imported_whole_or_not_at_all_and_nobody_is_clear_without_one(db: TestDb) {
        let ctx = db.ctx();
        let who = |name: &str| entrepot_crossborder::screening::Subject { name: name.into(), country: None };
        let mut conn = db.store.read().await.unwrap();
        let none = screen(&mut conn, &ctx.tenant, &who("Anna Lind")).await.unwrap();
        assert_ne!(none.outcome, entrepot_crossborder::screening::Outcome::Clear);
        drop(conn);
        let c = ctx.clone();
        write(&db, move |tx| Box::pin(async move {
            let made = import_list(tx, &c, "un", "id,name\n1,Iwan Petrowitsch Beispiel\n").await?;
            assert_eq!(made.entries, 1);
            assert!(matches!(import_list(tx, &c, "un", "id,name\n").await, Err(Error::List(_))));
            Ok(())
        })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        let hit = screen(&mut conn, &ctx.tenant, &who("Beispiel, Iwan Petrowitsch")).await.unwrap();
        assert_eq!((hit.outcome, hit.hits[0].list.as_str()), (entrepot_crossborder::screening::Outcome::Block, "un"));
        let clear = screen(&mut conn, &ctx.tenant, &who("Anna Lind")).await.unwrap();
        assert_eq!(clear.outcome, entrepot_crossborder::screening::Outcome::Clear);
        assert_eq!(lists(&mut conn, &ctx.tenant).await.unwrap()[0].version, clear.looked_at[0].1);
        drop(conn);
        let c = ctx.clone();
        write(&db, move |tx| Box::pin(async move {
            remove_list(tx, &c, "un").await?;
            assert!(matches!(remove_list(tx, &c, "un").await, Err(Error::NoList { .. })));
            Ok(())
        })).await.unwrap();
    }

    async fn a_question_on_behalf_of_an_entity_takes_what_is_known_of_it(db: TestDb) {
        let shop = shop(&db, &[]).await;
        let order = sale(&db, &shop, "FR", date(2026, 1, 5), 999_900, 0);
        frozen(&db, &order).await;
        let mut conn = db.store.read().await.unwrap();
        let tenant = db.ctx().tenant;
        let mut question = sale(&db, &shop, "FR", date(2026, 1, 6), 101, 0).question.unwrap();
        question.channel = Some(Channel::OwnStore);
        let alone = ask(&mut conn, &tenant, None, question.clone()).await.unwrap();
        assert!(alone.amounts.tax.is_none() && !alone.missing.is_empty());
        let known = ask(&mut conn, &tenant, Some(&shop.entity), question.clone()).await.unwrap();
        assert_eq!(known.rates[0].jurisdiction, "FR", "with this sale the year is above the threshold");
        question.seller.year_to_date_eur_minor = Some(0);
        question.seller.previous_year_eur_minor = Some(0);
        let stated = ask(&mut conn, &tenant, Some(&shop.entity), question).await.unwrap();
        assert_eq!(stated.rates[0].jurisdiction, "DE", "what is asked counts more");
    }
}
