//! Exchange rates: histories, days without a table, corrections, outages, and what they are good for.

use std::sync::Arc;

use entrepot::connections::{self, Connection, Health, NewConnection, Origin};
use entrepot::lanes::Filter;
use entrepot::money::RoundingMode;
use entrepot::page::PageRequest;
use entrepot::rates::{self, Purpose, SeriesKey};
use entrepot::secrets::Secret;
use entrepot::sync::{self, golive, setup};
use entrepot_simulators::rates::{CentralBank, CentralBankConfig, RateService, RateServiceConfig};
use entrepot_simulators::{Fault, When};
use entrepot_tests::connectors;
use entrepot_tests::hub::{NOON, TestHub, pumped};
use entrepot_tests::on_both;
use jiff::Span;
use jiff::civil::{Date, Weekday, date};
use serde_json::{Value, json};

const HOUR: i64 = 3_600_000;
/// Stories begin at noon of a Friday.
const TODAY: Date = date(2026, 11, 20);

fn clock_of(hub: &TestHub) -> entrepot_simulators::Clock {
    let clock = hub.clock.clone();
    Arc::new(move || clock.now_ms())
}

/// One table per working day; each day has a dollar of its own.
fn publish(bank: &CentralBank, first: Date, last: Date) {
    for day in first.series(Span::new().days(1)).take_while(|day| *day <= last).filter(|day| is_working(*day)) {
        bank.publish(day, &[("USD", &dollar(day)), ("JPY", "175.68"), ("GBP", "0.83380")]);
    }
}

fn is_working(day: Date) -> bool {
    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn dollar(day: Date) -> String {
    format!("1.{:03}{}", day.day_of_year(), day.year() % 10)
}

async fn bank(hub: &TestHub) -> CentralBank {
    CentralBank::start(CentralBankConfig { clock: clock_of(hub), ..CentralBankConfig::seeded(3) }).await.unwrap()
}

async fn connect(hub: &TestHub, plugin: &'static str, origin: &str, more: Value, secrets: &[(&str, &str)]) -> Connection {
    let wasm = tokio::task::spawn_blocking(move || connectors::extra(plugin)).await.unwrap();
    hub.install_one(plugin, &wasm).await;
    let mut settings = json!({ "origin": origin });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let new = NewConnection { plugin: plugin.into(), name: plugin.into(), settings, since_at: None };
    let secrets = secrets.iter().map(|(name, value)| ((*name).to_owned(), Secret::from_text(value))).collect();
    let grants = vec![Origin::parse(origin).unwrap()];
    setup::add(&hub.app.sync, &hub.app.ctx, setup::Setup { new, secrets, grants }).await.unwrap()
}

async fn state_of(hub: &TestHub, connection: &Connection) -> Connection {
    connections::get(&mut hub.read().await, &hub.app.ctx.tenant, &connection.id).await.unwrap()
}

/// The rate for prices on a day, with the day it is of.
async fn rate(hub: &TestHub, base: &str, quote: &str, on: Date) -> Result<(String, Date), String> {
    let book = rates::table(&mut hub.read().await, &hub.app.ctx.tenant, Purpose::Prices).await.unwrap();
    let found = book.rate(base, quote, on).map_err(|error| error.to_string())?;
    let shown = found.found.rate.to_decimal(10, RoundingMode::HalfUp).unwrap().normalize();
    Ok((shown.to_string(), found.found.rate_date))
}

async fn series(hub: &TestHub, name: &str) -> Option<rates::Series> {
    let key = SeriesKey::parse(name).unwrap();
    rates::find_series(&mut hub.read().await, &hub.app.ctx.tenant, &key).await.unwrap()
}

/// Hours go by at once; what they made due happens in the minute after them.
async fn later(hub: &mut TestHub, hours: i64) {
    hub.clock.advance(hours * HOUR - 60_000);
    hub.pass(60_000).await;
}

/// (status, body) of the hub's own API.
async fn ask(hub: &TestHub, method: &str, target: &str, body: &[u8]) -> (u16, Value) {
    let router = entrepot::api::router(&hub.app);
    let (status, bytes) =
        entrepot::api::ask(&router, method, &format!("/api/v1{target}"), "application/json", body.to_vec()).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}

/// Without the hub's own.
async fn lanes_of_connections(hub: &TestHub) -> Vec<String> {
    let lanes = hub.lanes(Filter::All).await;
    lanes.iter().filter(|lane| lane.key.connection.is_some()).map(|lane| lane.key.id()).collect()
}

on_both! {
    async fn a_history_is_imported_and_each_new_table_follows_by_schedule(place: Place) {
        let mut hub = TestHub::empty(place).await;
        let bank = bank(&hub).await;
        publish(&bank, date(2024, 1, 1), TODAY.yesterday().unwrap());
        let ecb = connect(&hub, "ecb", bank.origin(), json!({}), &[]).await;
        let account = pumped(&hub.clock, setup::check(&hub.app.sync, &hub.app.ctx, &ecb)).await.unwrap();
        assert_eq!(account.currency.as_deref(), Some("EUR"));
        assert!(rates::table(&mut hub.read().await, &hub.app.ctx.tenant, Purpose::Prices).await.unwrap().built_in);
        hub.run().await;
        let known = series(&hub, "ecb/mid/EUR").await.unwrap();
        assert_eq!((known.first_on, known.last_on), (date(2024, 1, 1), date(2026, 11, 19)));
        let days = date(2024, 1, 1).series(Span::new().days(1)).take_while(|day| *day < TODAY).filter(|day| is_working(*day));
        assert_eq!(known.count, 3 * days.clone().count() as i64, "every value once, whichever file it came in");
        for day in days.step_by(50) {
            assert_eq!(rate(&hub, "EUR", "USD", day).await.unwrap(), (dollar(day), day));
        }
        assert_eq!(rate(&hub, "USD", "EUR", date(2024, 1, 1)).await.unwrap().1, date(2024, 1, 1));
        assert!(bank.requests().iter().all(|seen| seen.method == "GET"));
        // What reads nothing but rates has the lanes for that and no others.
        assert_eq!(lanes_of_connections(&hub).await, [format!("rates/{}/rates-in", ecb.id)]);
        assert!(golive::plan(&hub.app.sync, &hub.app.ctx, &ecb).await.is_err(), "and nothing to go live with");
        // Friday's table appears in the afternoon.
        hub.pass(HOUR).await;
        assert_eq!(rate(&hub, "EUR", "USD", TODAY).await.unwrap().1, date(2026, 11, 19));
        bank.publish(TODAY, &[("USD", "1.2345"), ("JPY", "175.7"), ("GBP", "0.8339")]);
        hub.pass(HOUR).await;
        assert_eq!(rate(&hub, "EUR", "USD", TODAY).await.unwrap(), ("1.2345".into(), TODAY));
        let after = series(&hub, "ecb/mid/EUR").await.unwrap();
        assert_eq!(after.count, known.count + 3);
        assert_eq!(state_of(&hub, &ecb).await.health, Health::Healthy);
        bank.stop().await;
        hub.finish().await;
    }

    async fn days_without_a_table_are_answered_by_the_one_before_until_it_is_too_old(place: Place) {
        let mut hub = TestHub::empty(place).await;
        let bank = bank(&hub).await;
        publish(&bank, date(2026, 11, 2), TODAY);
        bank.publish(TODAY, &[("USD", "1.25"), ("RUB", "N/A")]);
        connect(&hub, "ecb", bank.origin(), json!({ "history": "90-days" }), &[]).await;
        hub.run().await;
        // Saturday, Sunday, and on: the bank says nothing more.
        for (days, held) in [(1, true), (2, true), (7, true), (8, false), (40, false)] {
            let on = TODAY.checked_add(Span::new().days(days)).unwrap();
            let found = rate(&hub, "EUR", "USD", on).await;
            assert_eq!(found.is_ok(), held, "{days} days later: {found:?}");
            if let Ok(found) = found {
                assert_eq!(found, ("1.25".into(), TODAY));
            }
        }
        // Yen were left out that day: the last day that had them answers, and no zero ever does.
        assert_eq!(rate(&hub, "EUR", "JPY", TODAY).await.unwrap(), ("175.68".into(), date(2026, 11, 19)));
        assert!(rate(&hub, "EUR", "RUB", TODAY).await.unwrap_err().contains("RUB"));
        // What is refunded needs a rate however old it is.
        let book = rates::table(&mut hub.read().await, &hub.app.ctx.tenant, Purpose::Prices).await.unwrap();
        assert!(book.rate_of_any_age("EUR", "USD", date(2028, 1, 1)).is_ok());
        bank.stop().await;
        hub.finish().await;
    }

    async fn a_correction_is_kept_beside_what_it_corrects(place: Place) {
        let mut hub = TestHub::empty(place).await;
        let bank = bank(&hub).await;
        publish(&bank, date(2026, 10, 1), TODAY);
        connect(&hub, "ecb", bank.origin(), json!({}), &[]).await;
        hub.run().await;
        let (wednesday, knew_at) = (date(2026, 11, 18), hub.clock.now_ms());
        assert_eq!(rate(&hub, "EUR", "USD", wednesday).await.unwrap().0, dollar(wednesday));
        bank.publish(wednesday, &[("USD", "1.5"), ("JPY", "175.68"), ("GBP", "0.8338")]);
        // Monday's table is the first after a pause, so the last 90 days are read as a whole.
        bank.publish(date(2026, 11, 23), &[("USD", "1.26")]);
        hub.pass(HOUR).await;
        assert_eq!(rate(&hub, "EUR", "USD", wednesday).await.unwrap().0, "1.5");
        let (key, tenant) = (SeriesKey::parse("ecb/mid/EUR").unwrap(), hub.app.ctx.tenant.clone());
        let rows = rates::list(&mut hub.read().await, &tenant, &key, "USD", &PageRequest::first(500)).await.unwrap().items;
        let of_day: Vec<(i64, String)> =
            rows.iter().filter(|row| row.published_on == wednesday).map(|row| (row.revision, row.value.to_string())).collect();
        assert_eq!(of_day, [(2, "1.5".into()), (1, dollar(wednesday))]);
        assert!(rows.iter().filter(|row| row.published_on != wednesday).all(|row| row.revision == 1), "and nothing else was touched");
        let then = rates::table_known_at(&mut hub.read().await, &tenant, &key, knew_at).await.unwrap();
        let found = then.rate_on("EUR", "USD", wednesday, Default::default(), Some(0)).unwrap();
        assert_eq!(found.rate.to_decimal(4, RoundingMode::HalfUp).unwrap().to_string(), dollar(wednesday));
        bank.stop().await;
        hub.finish().await;
    }

    async fn an_outage_heals_and_a_crash_in_the_middle_loses_and_doubles_nothing(place: Place) {
        let mut hub = TestHub::empty(place).await;
        let bank = bank(&hub).await;
        publish(&bank, date(2026, 7, 1), date(2026, 11, 19));
        let ecb = connect(&hub, "ecb", bank.origin(), json!({}), &[]).await;
        // The history comes, the newest table does not: half of the work is done when the process dies.
        bank.faults(|faults| faults.on_next(3, When::Contains("daily".into()), Fault::ServerError));
        hub.run().await;
        assert_eq!(state_of(&hub, &ecb).await.health, Health::Failing);
        let half = series(&hub, "ecb/mid/EUR").await.unwrap();
        assert!(half.count > 0 && half.ready_at.is_none());
        assert!(rates::table(&mut hub.read().await, &hub.app.ctx.tenant, Purpose::Tax).await.unwrap().built_in, "half a history answers nothing");
        let mut hub = hub.crash().await;
        hub.pass(60_000).await;
        assert_eq!(state_of(&hub, &ecb).await.health, Health::Healthy);
        let whole = series(&hub, "ecb/mid/EUR").await.unwrap();
        assert_eq!(whole.count, half.count, "the newest table was in the history too");
        assert!(whole.ready_at.is_some());
        // A page instead of the file, an answer cut short, refusals, nothing at all: none of them becomes a rate.
        bank.publish(TODAY, &[("USD", "1.3")]);
        for fault in [Fault::ErrorIn200, Fault::TruncateBody, Fault::Throttle, Fault::DropRequest] {
            bank.faults(|faults| faults.on_next(1, When::Any, fault));
        }
        hub.pass(2 * HOUR).await;
        bank.faults(|faults| assert_eq!(faults.still_planned(), 0));
        assert_eq!(rate(&hub, "EUR", "USD", TODAY).await.unwrap(), ("1.3".into(), TODAY));
        assert_eq!(series(&hub, "ecb/mid/EUR").await.unwrap().count, whole.count + 1);
        // Four months later: more than the 90 days are missing, and all of them come.
        bank.stop().await;
        later(&mut hub, 1).await;
        later(&mut hub, 1).await;
        later(&mut hub, 1).await;
        assert!(hub.lanes(Filter::Quarantined).await.is_empty(), "nobody has to release anything");
        assert_eq!(state_of(&hub, &ecb).await.health, Health::Failing);
        publish(&bank, date(2026, 11, 23), date(2027, 3, 19));
        bank.restart().await.unwrap();
        later(&mut hub, 1).await;
        assert_eq!(rate(&hub, "EUR", "USD", date(2027, 3, 19)).await.unwrap().1, date(2027, 3, 19));
        assert_eq!(rate(&hub, "EUR", "USD", date(2026, 12, 1)).await.unwrap(), (dollar(date(2026, 12, 1)), date(2026, 12, 1)));
        bank.stop().await;
        hub.finish().await;
    }

    async fn a_service_with_a_key_brings_provisional_and_then_final_rates(place: Place) {
        let mut hub = TestHub::empty(place).await;
        let service = RateService::start(RateServiceConfig { clock: clock_of(&hub), ..RateServiceConfig::seeded(4) }).await.unwrap();
        service.quote(NOON - 40 * 24 * HOUR, &[("EUR", "0.8"), ("JPY", "150.123456"), ("BTC", "6.734e-05")]);
        let app_id = service.app_id().to_owned();
        let oxr = connect(&hub, "openexchangerates", service.origin(), json!({ "history-from": "2026-10-15" }), &[("app-id", &app_id)]).await;
        hub.run().await;
        let known = series(&hub, "openexchangerates/mid/USD").await.unwrap();
        assert_eq!((known.first_on, known.last_on, known.count), (date(2026, 10, 15), TODAY, 37 * 3));
        assert_eq!(rate(&hub, "USD", "EUR", TODAY).await.unwrap(), ("0.8".into(), TODAY));
        assert_eq!(rate(&hub, "EUR", "USD", TODAY).await.unwrap().0, "1.25");
        let bitcoin = rates::list(&mut hub.read().await, &hub.app.ctx.tenant, &known.key, "BTC", &PageRequest::first(1)).await.unwrap();
        assert_eq!(bitcoin.items[0].value.to_string(), "0.00006734", "no float came near it");
        // The evening's rates stand for the day until it is over, the last ones of it for good.
        service.quote(NOON + 4 * HOUR, &[("EUR", "0.81")]);
        service.quote(NOON + 11 * HOUR, &[("EUR", "0.82")]);
        later(&mut hub, 7).await;
        assert_eq!(rate(&hub, "USD", "EUR", TODAY).await.unwrap().0, "0.81");
        later(&mut hub, 12).await;
        assert_eq!(rate(&hub, "USD", "EUR", TODAY).await.unwrap(), ("0.82".into(), TODAY));
        let revisions = rates::list(&mut hub.read().await, &hub.app.ctx.tenant, &known.key, "EUR", &PageRequest::first(9)).await.unwrap().items;
        let of_today: Vec<String> = revisions.iter().filter(|row| row.published_on == TODAY).map(|row| row.value.to_string()).collect();
        assert_eq!(of_today, ["0.82", "0.81", "0.8"]);
        // The key is the host's to add, and nobody's to read.
        assert!(service.requests().iter().all(|seen| seen.target.contains(&app_id)));
        service.faults(|faults| faults.refuse_credentials_per_mille = 1000);
        hub.lanes_may_fail();
        hub.make_due(sync::rates_lane(&oxr.id)).await;
        hub.run().await;
        let refused = state_of(&hub, &oxr).await;
        assert_eq!(refused.health, Health::Refused);
        let said = format!("{:?} {:?}", refused.health_reason, hub.lanes(Filter::All).await);
        assert!(said.contains("invalid_app_id") && !said.contains(&app_id), "{said}");
        service.stop().await;
        hub.finish().await;
    }

    async fn a_paused_source_is_left_alone_and_a_removed_one_leaves_its_rates(place: Place) {
        let mut hub = TestHub::empty(place).await;
        let bank = bank(&hub).await;
        publish(&bank, date(2026, 11, 16), TODAY);
        let ecb = connect(&hub, "ecb", bank.origin(), json!({}), &[]).await;
        hub.run().await;
        assert_eq!(ask(&hub, "POST", "/connections/ecb/pause", b"{}").await.0, 200);
        let asked = bank.requests().len();
        hub.pass(2 * HOUR).await;
        assert_eq!(bank.requests().len(), asked);
        assert_eq!(ask(&hub, "POST", "/connections/ecb/resume", b"{}").await.0, 200);
        hub.run().await;
        assert!(bank.requests().len() > asked, "resuming reads at once");
        assert_eq!(ask(&hub, "DELETE", "/connections/ecb", b"").await.0, 200);
        assert!(lanes_of_connections(&hub).await.is_empty());
        assert_eq!(rate(&hub, "EUR", "USD", TODAY).await.unwrap().1, TODAY, "what is known stays known");
        assert!(connections::find(&mut hub.read().await, &hub.app.ctx.tenant, &ecb.id).await.unwrap().is_none());
        bank.stop().await;
        hub.finish().await;
    }

    async fn the_merchants_own_rates_and_files_have_the_same_doors(place: Place) {
        let hub = TestHub::empty(place).await;
        let set = |body: Value| body.to_string().into_bytes();
        let (status, own) = ask(&hub, "POST", "/rates", &set(json!({ "base": "EUR", "quote": "USD", "value": "1.0850" }))).await;
        assert_eq!((status, own["series"].as_str(), own["new"].as_u64()), (201, Some("own/fixed/EUR"), Some(1)));
        assert_eq!(own["published_on"], "2026-11-20");
        for (body, field) in [
            (json!({ "base": "EUR", "quote": "USD", "value": "1,08" }), "value"),
            (json!({ "base": "EUR", "quote": "USD", "value": "0" }), "value"),
            (json!({ "base": "EUR", "quote": "EUR", "value": "1" }), "quote"),
            (json!({ "base": "EUR", "quote": "USD", "value": "1", "kind": "order_lock" }), "kind"),
            (json!({ "base": "EUR", "quote": "USD", "value": "1", "date": "2026-02-30" }), "date"),
        ] {
            let (status, refused) = ask(&hub, "POST", "/rates", &set(body)).await;
            assert_eq!((status, refused["field"].as_str()), (422, Some(field)), "{refused}");
        }
        let file = "date,base,quote,value,kind\n2026-11-01,EUR,USD,1.0731,customs\n2026-12-01,EUR,USD,1.0802,customs\n";
        let (status, done) = ask(&hub, "POST", "/rates/import", file.as_bytes()).await;
        assert_eq!((status, done["items"][0]["series"].as_str(), done["items"][0]["new"].as_u64()), (200, Some("own/customs/EUR"), Some(2)));
        assert_eq!(ask(&hub, "POST", "/rates/import", file.as_bytes()).await.1["items"][0]["unchanged"], 2);
        let (status, refused) = ask(&hub, "POST", "/rates/import", b"date,base,quote,value\n2026-11-01,EUR,USD,dear\n").await;
        assert!(status == 422 && refused["message"].as_str().unwrap().contains("line 2"), "{refused}");
        let (_, table) = ask(&hub, "POST", "/rates/import?source=mirror", b"Date,USD,JPY,\n2026-11-19,1.1,N/A,\n").await;
        assert_eq!(table["items"][0]["series"], "mirror/mid/EUR");
        // Whoever came first among the middle rates answers, until the merchant says otherwise.
        let (_, found) = ask(&hub, "GET", "/rates/lookup?quote=USD", b"").await;
        assert_eq!((found["value"].as_str(), found["series"].as_str(), found["published_on"].as_str()), (Some("1.1"), Some("mirror/mid/EUR"), Some("2026-11-19")));
        let chosen = set(json!({ "series": "own/fixed/EUR", "max_age_days": null }));
        assert_eq!(ask(&hub, "PUT", "/rates/uses/prices", &chosen).await.0, 200);
        let (_, found) = ask(&hub, "GET", "/rates/lookup?quote=EUR&base=USD&date=2030-01-01", b"").await;
        assert_eq!((found["value"].as_str(), found["kind"].as_str()), (Some("0.921658986175"), Some("fixed")));
        let (_, customs) = ask(&hub, "GET", "/rates/lookup?series=own/customs/EUR&quote=USD&date=2026-11-15&policy=first_on_or_after", b"").await;
        assert_eq!((customs["value"].as_str(), customs["published_on"].as_str()), (Some("1.0802"), Some("2026-12-01")));
        let (status, stale) = ask(&hub, "GET", "/rates/lookup?purpose=tax&quote=USD&date=2026-11-30", b"").await;
        assert_eq!((status, stale["code"].as_str()), (409, Some("conflict")), "{stale}");
        let (status, absent) = ask(&hub, "GET", "/rates/lookup?quote=GBP", b"").await;
        assert_eq!((status, absent["field"].as_str()), (404, Some("quote")), "{absent}");
        assert_eq!(ask(&hub, "PUT", "/rates/uses/prices", &set(json!({ "series": "nobody/mid/EUR" }))).await.0, 404);
        assert_eq!(ask(&hub, "PUT", "/rates/uses/lunch", &set(json!({}))).await.0, 422);
        let (_, all) = ask(&hub, "GET", "/rates/series", b"").await;
        let names: Vec<&str> = all["items"].as_array().unwrap().iter().map(|series| series["series"].as_str().unwrap()).collect();
        assert_eq!(names, ["mirror/mid/EUR", "own/customs/EUR", "own/fixed/EUR"]);
        let (_, uses) = ask(&hub, "GET", "/rates/uses", b"").await;
        assert_eq!((uses["items"][0]["series"].as_str(), uses["items"][1]["series"].as_str()), (Some("own/fixed/EUR"), Some("mirror/mid/EUR")));
        let (_, page) = ask(&hub, "GET", "/rates?series=own/customs/EUR&quote=USD&limit=1", b"").await;
        assert_eq!((page["items"][0]["value"].as_str(), page["items"][0]["published_on"].as_str()), (Some("1.0802"), Some("2026-12-01")));
        assert!(page["next_cursor"].is_string() && page["items"][0]["fetched_at"].is_string());
        hub.finish().await;
    }
}
