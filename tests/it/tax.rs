//! What every order owes: worked out once, frozen, told in words, compared with what the shop charged, summed in the return.

use entrepot::crossborder::{self, Explanation};
use entrepot::id::OrderId;
use entrepot::money::Decimal;
use entrepot::pricing::Policy;
use entrepot_simulators::Buyer;
use entrepot_tests::hub::{Place, TestHub};
use entrepot_tests::on_both;
use entrepot_tests::shop::Kind;
use serde_json::{Value, json};

/// Through the hub's own routes, as its command line does.
async fn api(hub: &TestHub, method: &str, target: &str, body: &Value) -> (u16, Value) {
    let router = entrepot::api::router(&hub.app);
    let target = format!("/api/v1{target}");
    let (status, bytes) = entrepot::api::ask(&router, method, &target, "application/json", body.to_string().into_bytes()).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned())))
}

async fn get(hub: &TestHub, target: &str) -> Value {
    let (status, body) = api(hub, "GET", target, &json!({})).await;
    assert_eq!(status, 200, "{target}: {body}");
    body
}

/// A German seller with the one-stop shop, who sells through both shops.
async fn german(hub: &TestHub) {
    let facts = json!({ "country": "DE", "ships_from": "DE", "registrations": ["eu.oss"] });
    let (status, body) = api(hub, "PUT", "/crossborder/entities/Haus%20GmbH", &facts).await;
    assert_eq!(status, 200, "{body}");
    for kind in hub.kinds() {
        let connection = hub.connection(kind).await.id;
        let profile = json!({ "entity": "Haus GmbH", "kind": "own_store" });
        let (status, body) = api(hub, "PUT", &format!("/connections/{connection}/tax"), &profile).await;
        assert_eq!(status, 200, "{body}");
    }
}

async fn told(hub: &TestHub, kind: Kind, order: i64) -> (OrderId, Explanation) {
    let id = hub.find_order(kind, order).await.unwrap();
    let told = crossborder::explain(&mut hub.read().await, &hub.app.ctx.tenant, &id).await.unwrap();
    (id, told)
}

fn has(words: &[String], parts: &[&str]) {
    let whole = words.join("\n");
    for part in parts {
        assert!(whole.contains(part), "`{part}` is not in:\n{whole}");
    }
}

async fn in_words(place: Place, seller: Kind) {
    let mut hub = TestHub::trading(place).await;
    german(&hub).await;
    let order = hub.shop(seller).sell("MUG", 2).unwrap();
    hub.run().await;
    let (id, told) = told(&hub, seller, order).await;
    has(
        &told.words,
        &[
            "sold by the legal entity Haus GmbH to a consumer in DE",
            "VAT 19 % DE: ",
            "collected by the seller",
            "Rule eu.intra_eu",
            "source S",
            "Assumed: the buyer gave no tax number",
            "Line MUG: 25.00 EUR without tax, tax 4.75 EUR",
            "The channel charged ",
            "unchanged since",
            "not legal or tax advice",
        ],
    );
    assert!(told.differences.is_empty(), "{:?}", told.differences);
    assert_eq!(told.standing.tax, told.standing.charged.tax, "to the cent what the shop charged");
    let answer = get(&hub, &format!("/orders/{id}/tax")).await;
    assert_eq!(answer["words"].as_array().unwrap().len(), told.words.len());
    // The shop tells it again: nothing changes.
    hub.poll(seller).await;
    hub.run().await;
    hub.ship(seller, order, "JJD000390007").await;
    hub.run().await;
    let (_, again) = self::told(&hub, seller, order).await;
    assert_eq!(again.versions.len(), 1);
    assert_eq!(again.versions[0].answer, told.versions[0].answer);
    hub.finish().await;
}

on_both! {
    async fn an_order_in_woocommerce_shows_its_tax_in_words(place: Place) {
        in_words(place, Kind::Woo).await;
    }

    async fn an_order_in_shopify_shows_its_tax_in_words(place: Place) {
        in_words(place, Kind::Shopify).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_charged_the_wrong_rate_is_shown_and_nothing_is_overwritten() {
    for seller in [Kind::Woo, Kind::Shopify] {
        let mut hub = TestHub::trading(Place::file()).await;
        german(&hub).await;
        let order = hub.shop(seller).sell_to("MUG", 2, Buyer::number(2)).unwrap();
        hub.run().await;
        let (id, told) = told(&hub, seller, order).await;
        has(&told.words, &["VAT 20 % FR: ", "To look at: the channel charged"]);
        let list = get(&hub, "/crossborder/differences").await;
        assert_eq!(
            (list["items"][0]["order"].as_str(), list["items"][0]["kind"].as_str()),
            (Some(id.as_str()), Some("amount")),
            "{seller:?}"
        );
        let view = hub.order(seller, order).await;
        assert_eq!(view.tax, told.standing.charged.tax, "{seller:?}: the shop's figure is the shop's");
        assert_ne!(view.tax, told.standing.tax);
        let (status, body) = api(&hub, "POST", "/crossborder/differences/settle", &json!({ "order": id, "note": "rate corrected" })).await;
        assert_eq!(status, 200, "{body}");
        assert!(get(&hub, "/crossborder/differences").await["items"].as_array().unwrap().is_empty());
        hub.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_and_an_edit_in_the_shop_reach_the_return_by_the_frozen_figures() {
    for seller in [Kind::Woo, Kind::Shopify] {
        let mut hub = TestHub::trading(Place::file()).await;
        german(&hub).await;
        let shop = hub.shop(seller);
        let order = shop.sell("MUG", 2).unwrap();
        hub.run().await;
        let owed = |report: &Value| report["owed_by_seller"]["amount_minor"].as_i64().unwrap();
        let whole = owed(&get(&hub, "/crossborder/report?period=2026-Q4&country=DE").await);
        let (_, first) = told(&hub, seller, order).await;
        assert_eq!(whole, first.standing.tax.unwrap().minor());
        assert!(whole >= 475);

        hub.clock.advance(1_000);
        shop.refund(order, &[("MUG", 1)], true);
        hub.pass(10_000).await;
        let (_, refunded) = told(&hub, seller, order).await;
        assert_eq!(refunded.versions.len(), 1, "{seller:?}: a refund is no edit");
        assert_eq!(refunded.credits.iter().map(|credit| credit.tax.minor()).sum::<i64>(), 238, "{seller:?}: of 12.50");
        let left = owed(&get(&hub, "/crossborder/report?period=2026-Q4").await);
        assert_eq!(left, whole - 238, "{seller:?}");
        let (_, csv) = api(&hub, "GET", "/crossborder/report?period=2026-11&format=csv", &json!({})).await;
        assert!(csv.as_str().unwrap().starts_with("from,to,scheme"), "{csv}");

        let second = shop.sell("LAMP", 1).unwrap();
        hub.run().await;
        hub.clock.advance(1_000);
        shop.edit(second, "LAMP", 2);
        hub.pass(10_000).await;
        let (_, edited) = told(&hub, seller, second).await;
        assert_eq!(edited.versions.len(), 2, "{seller:?}: an edit adds a version");
        let taxes: Vec<_> = edited.versions.iter().map(|version| version.answer.amounts.tax.unwrap().minor()).collect();
        assert_eq!(taxes[1] - taxes[0], 931, "{seller:?}: 19 % of another lamp");
        assert_eq!(owed(&get(&hub, "/crossborder/report?period=2026").await), left + taxes[1], "{seller:?}");
        shop.cancel(second);
        hub.pass(10_000).await;
        assert_eq!(owed(&get(&hub, "/crossborder/report?period=2026").await), left, "{seller:?}: cancelled is taken back");
        hub.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sales_of_both_shops_run_into_one_total() {
    let mut hub = TestHub::trading(Place::file()).await;
    german(&hub).await;
    for seller in [Kind::Woo, Kind::Shopify] {
        hub.shop(seller).sell_to("MUG", 2, Buyer::number(2)).unwrap();
        hub.run().await;
    }
    let list = get(&hub, "/crossborder/thresholds").await;
    let lines = list["items"].as_array().unwrap();
    let eu = lines.iter().find(|line| line["name"] == "eu.oss_threshold" && line["from"] == "2026-01-01").unwrap();
    let orders = get(&hub, "/crossborder/orders").await;
    let nets: i64 = orders["items"].as_array().unwrap().iter().map(|order| order["net"]["amount_minor"].as_i64().unwrap()).sum();
    assert_eq!(eu["total"]["amount_minor"].as_i64(), Some(nets));
    assert!(nets >= 5_000, "{orders}");
    assert_eq!(eu["level"], "below");
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_from_before_the_merchant_was_known_is_completed_on_request() {
    let mut hub = TestHub::trading(Place::file()).await;
    let order = hub.shop(Kind::Woo).sell("MUG", 1).unwrap();
    hub.run().await;
    let (id, first) = told(&hub, Kind::Woo, order).await;
    assert!(!first.standing.complete);
    has(&first.words, &["Missing: ", "no legal entity"]);
    german(&hub).await;
    let (status, body) = api(&hub, "POST", "/crossborder/again", &json!({})).await;
    assert_eq!((status, body["orders"].as_i64()), (200, Some(1)));
    hub.run().await;
    let (_, second) = told(&hub, Kind::Woo, order).await;
    assert!(second.standing.complete, "{:?}", second.words);
    assert_eq!(second.versions.len(), 2, "the first answer is kept");
    let (status, refused) = api(&hub, "GET", "/orders/ord_00000000000000000000000000/tax", &json!({})).await;
    assert_eq!((status, refused["code"].as_str()), (404, Some("not-found")));
    assert!(id.as_str().starts_with("ord_"));
    hub.finish().await;
}

/// Books in dollars, a shop in euros.
async fn locked_paid_out_and_refunded(place: Place, seller: Kind) {
    let mut hub = TestHub::trading(place).await;
    german(&hub).await;
    let facts = json!({ "country": "DE", "ships_from": "DE", "registrations": ["eu.oss"], "currency": "USD" });
    assert_eq!(api(&hub, "PUT", "/crossborder/entities/Haus%20GmbH", &facts).await.0, 200);
    hub.set_policy(seller, Policy { markup_bps: Decimal::from(200), ..Policy::default() }).await;
    let shop = hub.shop(seller);
    let order = shop.sell("MUG", 2).unwrap();
    hub.run().await;
    let (id, first) = told(&hub, seller, order).await;
    has(&first.words, &["Not locked yet: no rate from USD to EUR"]);
    let (status, refused) = api(&hub, "POST", &format!("/orders/{id}/payouts"), &json!({ "reference": "P1", "on": "2026-11-21" })).await;
    assert_eq!((status, refused["code"].as_str()), (404, Some("not-found")), "{refused}");

    // A rate of the order's day comes later; the order is locked at it all the same, and never again.
    let rate = async |value: &str, date: &str| {
        let body = json!({ "base": "USD", "quote": "EUR", "value": value, "date": date, "kind": "mid" });
        assert_eq!(api(&hub, "POST", "/rates", &body).await.0, 201);
    };
    rate("0.8", "2026-11-20").await;
    rate("0.75", "2026-11-21").await;
    assert_eq!(api(&hub, "PUT", "/rates/uses/orders", &json!({ "series": "own/mid/USD", "max_age_days": 7 })).await.0, 200);
    hub.run().await;
    let (_, locked) = told(&hub, seller, order).await;
    let exchange = locked.exchange.unwrap();
    let lock = exchange.locked.lock.unwrap();
    assert_eq!((lock.rate, lock.markup_bps, lock.rate_date.to_string()), (Decimal::new(8, 1), Decimal::from(200), "2026-11-20".into()));
    has(&locked.words, &["Locked at 0.8 EUR per USD (own rates, mid, of 2026-11-20) and a markup of 2 %"]);

    hub.clock.advance(26 * 3_600_000);
    shop.refund(order, &[("MUG", 1)], true);
    hub.pass(60_000).await;
    let (_, refunded) = told(&hub, seller, order).await;
    let back = refunded.exchange.unwrap().entries;
    assert_eq!(back.len(), 1, "{back:?}");
    // At the lock, 0.8 x 1.02; in cash at the day's 0.75: a loss.
    let at = |minor: i64, per: i64| (minor * 10_000 + per / 2) / per;
    let minor = back[0].amount.minor();
    assert_eq!((back[0].at_lock.minor(), back[0].at_day.minor()), (at(minor, 8_160), at(minor, 7_500)));
    assert_eq!(back[0].gain.minor(), at(minor, 8_160) - at(minor, 7_500));
    assert!(back[0].gain.is_negative());

    let paid = refunded.standing.charged.paid;
    let payout = json!({
        "reference": "P1", "on": "2026-11-21", "amount": { "amount_minor": paid.minor() - minor, "currency": "EUR" },
        "conversion_fee_rate": "0.01", "remittance_fee": { "amount_minor": 30, "currency": "USD" }
    });
    let number = refunded.standing.number.trim_start_matches('#').to_owned();
    let target = format!("/orders/{number}/payouts");
    let (status, booked) = api(&hub, "POST", &target, &payout).await;
    assert_eq!(status, 200, "an order is found by its number: {booked}");
    let came = at(paid.minor() - minor, 7_500);
    assert_eq!(booked["at_day"]["amount_minor"].as_i64(), Some(came));
    assert_eq!(booked["fees"]["amount_minor"].as_i64(), Some((came + 50) / 100 + 30), "costs of their own");
    assert_eq!(api(&hub, "POST", &target, &payout).await.0, 200, "said twice, booked once");
    for wrong in [json!({ "reference": "P2", "on": "2026-11-21", "amount": paid }), json!({ "reference": "P1", "on": "2026-11-20" })] {
        assert_eq!(api(&hub, "POST", &target, &wrong).await.0, 422, "{wrong}");
    }
    let gains = get(&hub, "/crossborder/gains?period=2026-11").await;
    let sum: i64 = gains["items"].as_array().unwrap().iter().map(|row| row["gain"]["amount_minor"].as_i64().unwrap()).sum();
    let (_, all) = told(&hub, seller, order).await;
    assert_eq!(sum, all.exchange.unwrap().gain.minor());
    let (_, csv) = api(&hub, "GET", "/crossborder/gains?period=2026&format=csv", &json!({})).await;
    assert!(csv.as_str().unwrap().contains("\"Haus GmbH\",payout,1,EUR,"), "{csv}");
    hub.finish().await;
}

on_both! {
    async fn a_foreign_order_keeps_its_rate_and_gains_and_losses_are_apart(place: Place) {
        locked_paid_out_and_refunded(place, Kind::Woo).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shopify_order_keeps_its_rate_too() {
    locked_paid_out_and_refunded(Place::file(), Kind::Shopify).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_over_the_api_names_its_reasons_and_a_wrong_one_its_field() {
    let hub = TestHub::empty(Place::file()).await;
    let mut question = json!({
        "date": "2026-03-10", "ship_from": "CN", "ship_to": "DE", "buyer": "consumer", "channel": "marketplace", "currency": "EUR",
        "lines": [{ "unit_minor": 4000, "qty": 2 }], "shipping_minor": 500
    });
    let (status, answer) = api(&hub, "POST", "/crossborder/quote", &question).await;
    assert_eq!((status, answer["scheme"].as_str(), answer["amounts"]["tax"]["amount_minor"].as_i64()), (200, Some("eu.ioss"), Some(1615)));
    assert!(answer["words"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains("not legal")));
    question["colour"] = json!("red");
    let (status, refused) = api(&hub, "POST", "/crossborder/quote", &question).await;
    assert_eq!((status, refused["code"].as_str(), refused["field"].as_str()), (400, Some("unknown-field"), Some("colour")));
    question.as_object_mut().unwrap().remove("colour");
    question["ship_to"] = json!("Germany");
    let (status, refused) = api(&hub, "POST", "/crossborder/quote", &question).await;
    assert_eq!((status, refused["code"].as_str()), (422, Some("invalid")));
    assert!(refused["message"].as_str().unwrap().contains("Germany"), "{refused}");
    let (status, refused) = api(&hub, "POST", "/crossborder/quote?entity=Nobody", &json!({})).await;
    assert!(status == 422 || status == 404, "{refused}");
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_show_a_destination_and_an_order_with_their_reasons_and_marks() {
    let mut hub = TestHub::trading(Place::file()).await;
    german(&hub).await;
    let order = hub.shop(Kind::Shopify).sell("MUG", 1).unwrap();
    hub.run().await;
    let router = entrepot::api::router(&hub.app);
    let page = async |target: &str| {
        let (status, body) = entrepot::api::ask(&router, "GET", target, "text/html", Vec::new()).await.unwrap();
        (status, String::from_utf8(body).unwrap())
    };
    let (status, empty) = page("/tax").await;
    assert_eq!(status, 200);
    assert!(empty.contains("last compared with their sources on") && empty.contains("not verified"), "{empty}");
    let (_, answer) =
        page("/tax?to=no&price=100&currency=NOK&from=cn&buyer=consumer&channel=marketplace&kind=ordinary&date=2026-03-10").await;
    for part in ["no.voec", "VAT 25 % NO", "Reasons", "S13", "Nothing is missing", "not legal"] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
    let (_, wrong) = page("/tax?to=DE&price=%3Cscript%3E").await;
    assert!(wrong.contains("&lt;script&gt;") && !wrong.contains("<script>"), "{wrong}");
    let id = hub.find_order(Kind::Shopify, order).await.unwrap();
    let (status, of_order) = page(&format!("/orders/{id}/tax")).await;
    assert_eq!(status, 200);
    for part in ["VAT 19 % DE", "The channel charged", "not legal"] {
        assert!(of_order.contains(part), "{part} in {of_order}");
    }
    assert!(!of_order.contains("onclick") && !of_order.contains("style="), "nothing inline");
    assert_eq!(page("/orders/ord_nothing/tax").await.0, 404);
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_says_why_an_offer_stays_off_a_country_and_opens_with_what_was_missing() {
    let hub = TestHub::stocked(Place::file()).await;
    let closed = |gates: &Value| -> Vec<String> {
        gates["closed"].as_array().unwrap().iter().map(|gate| gate["gate"].as_str().unwrap().to_owned()).collect()
    };
    let before = get(&hub, "/variants/MUG/gates?to=de").await;
    assert!(closed(&before).contains(&"gpsr".to_owned()) && closed(&before).contains(&"de.packaging".to_owned()), "{before}");
    let fields = json!({
        "manufacturer_name": "Töpfer", "manufacturer_postal_address": "Weg 1, Bonn", "manufacturer_electronic_address": "a@example.com",
        "product_picture": "mug.jpg", "product_type": "mug", "product_identifier": "MUG", "warnings_in_market_language": "none"
    });
    let goods = json!({ "manufacturer_country": "DE", "fields": fields, "description": "ceramic mug" });
    let (status, body) = api(&hub, "PUT", "/variants/MUG/tax", &goods).await;
    assert_eq!(status, 200, "{body}");
    let facts = json!({ "country": "DE", "registrations": ["de.lucid", "de.weee"] });
    api(&hub, "PUT", "/crossborder/entities/Haus", &facts).await;
    let after = get(&hub, "/variants/MUG/gates?to=DE&entity=Haus").await;
    assert!(!closed(&after).contains(&"gpsr".to_owned()) && !closed(&after).contains(&"de.packaging".to_owned()), "{after}");
    let (status, refused) = api(&hub, "GET", "/variants/MUG/gates?to=Germany", &json!({})).await;
    assert_eq!((status, refused["field"].as_str()), (422, Some("to")));
    hub.finish().await;
}

on_both! {
    async fn what_the_law_keeps_off_a_market_is_not_put_on_sale_there(place: Place) {
        let mut hub = TestHub::trading(place).await;
        german(&hub).await;
        let guarded = hub.connection(Kind::Woo).await.id;
        let profile = json!({ "entity": "Haus GmbH", "kind": "own_store", "sells_to": ["de", "FR", "DE"] });
        let (status, set) = api(&hub, "PUT", &format!("/connections/{guarded}/tax"), &profile).await;
        assert_eq!((status, &set["sells_to"]), (200, &json!(["DE", "FR"])), "{set}");
        hub.receive("MUG", 5, "more").await;
        hub.run().await;
        assert_eq!((hub.shop(Kind::Woo).shows("MUG"), hub.shop(Kind::Shopify).shows("MUG")), (Some(10), Some(15)));
        let held = hub.unsent(Kind::Woo).await;
        let why = held[0].problem.clone().unwrap();
        assert!(why.contains("not put on sale, because DE: ") && why.contains("crossborder gates MUG"), "{why}");
        // A person cannot let it through, and fewer always go out.
        let plan = hub.let_through(Kind::Woo).await;
        assert!(plan.changes[0].held.as_ref().unwrap().contains("not put on sale"), "{:?}", plan.changes);
        hub.run().await;
        assert_eq!(hub.shop(Kind::Woo).shows("MUG"), Some(10));
        hub.shop(Kind::Shopify).sell("MUG", 8).unwrap();
        hub.run().await;
        assert_eq!(hub.shop(Kind::Woo).shows("MUG"), Some(7), "fewer than before");
        // What was missing opens it.
        let fields = json!({
            "manufacturer_name": "Töpfer", "manufacturer_postal_address": "Weg 1, Bonn", "manufacturer_electronic_address": "a@example.com",
            "product_picture": "mug.jpg", "product_type": "mug", "product_identifier": "MUG", "warnings_in_market_language": "none"
        });
        let goods = json!({ "manufacturer_country": "DE", "fields": fields, "description": "ceramic mug" });
        assert_eq!(api(&hub, "PUT", "/variants/MUG/tax", &goods).await.0, 200);
        assert_eq!(api(&hub, "PATCH", "/variants/MUG", &json!({ "hs_code": "691200" })).await.0, 200);
        let mut needed = vec!["eu.oss".to_owned()];
        for to in ["DE", "FR"] {
            let left = get(&hub, &format!("/variants/MUG/gates?to={to}&entity=Haus%20GmbH")).await;
            let needs = left["closed"].as_array().unwrap().iter().flat_map(|gate| gate["needs"].as_array().unwrap().clone());
            needed.extend(needs.map(|name| name.as_str().unwrap().to_owned()).filter(|name| name.contains('.')));
        }
        let facts = json!({ "country": "DE", "ships_from": "DE", "registrations": needed });
        assert_eq!(api(&hub, "PUT", "/crossborder/entities/Haus%20GmbH", &facts).await.0, 200);
        hub.receive("MUG", 1, "one more").await;
        hub.run().await;
        let unsent = hub.unsent(Kind::Woo).await;
        assert_eq!((hub.shop(Kind::Woo).shows("MUG"), hub.shop(Kind::Shopify).shows("MUG")), (Some(8), Some(8)), "{unsent:?}");
        // A fact of the catalogue may close it, and open it again without anything being sold.
        assert_eq!(api(&hub, "PATCH", "/variants/MUG", &json!({ "hs_code": null })).await.0, 200);
        hub.receive("MUG", 1, "and one more").await;
        hub.run().await;
        assert_eq!(hub.shop(Kind::Woo).shows("MUG"), Some(8));
        assert_eq!(api(&hub, "PATCH", "/variants/MUG", &json!({ "hs_code": "691200" })).await.0, 200);
        hub.run().await;
        assert_eq!(hub.shop(Kind::Woo).shows("MUG"), Some(9));
        hub.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_papers_of_an_order_name_what_customs_would_ask() {
    let mut hub = TestHub::trading(Place::file()).await;
    let order = hub.shop(Kind::Woo).sell("MUG", 1).unwrap();
    hub.run().await;
    let id = hub.find_order(Kind::Woo, order).await.unwrap();
    let bare = get(&hub, &format!("/orders/{id}/papers?by=post&letter=true&per_sdr=1.2")).await;
    assert_eq!(bare["form"], "CN22");
    assert!(bare["lines"][0]["missing"].as_array().unwrap().contains(&json!("hs_code")), "{bare}");
    assert!(bare["lines"][0]["description"].as_str().unwrap().contains("empty"), "{bare}");
    api(&hub, "PUT", "/variants/MUG/tax", &json!({ "description": "gift" })).await;
    let vague = get(&hub, &format!("/orders/{id}/papers")).await;
    assert_eq!(vague["form"], "commercial_invoice");
    assert!(vague["lines"][0]["description"].as_str().unwrap().contains("gift"), "{vague}");
    hub.finish().await;
}
