//! The sources of rates answer as their documents say.

use std::io::Read;

use entrepot_simulators::rates::{CentralBank, CentralBankConfig, RateService, RateServiceConfig};
use entrepot_simulators::{Fault, HandClock, When};
use jiff::civil::date;

async fn get(url: &str) -> (u16, Vec<u8>) {
    let response = super::receiver::http().get(url).send().await.unwrap();
    (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
}

async fn text(url: &str) -> (u16, String) {
    let (status, bytes) = get(url).await;
    (status, String::from_utf8(bytes).unwrap())
}

#[tokio::test]
async fn the_bank_rewrites_its_three_files_with_every_table() {
    let bank = CentralBank::start(CentralBankConfig::seeded(1)).await.unwrap();
    let file = |name: &str| format!("{}/stats/eurofxref/{name}", bank.origin());
    assert_eq!(text(&file("eurofxref-daily.xml")).await.0, 404);
    bank.publish(date(2026, 1, 5), &[("USD", "1.0500"), ("RUB", "99.1")]);
    bank.publish(date(2026, 10, 29), &[("USD", "1.1000")]);
    bank.publish(date(2026, 10, 30), &[("USD", "1.1172"), ("JPY", "175.68")]);
    let (_, daily) = text(&file("eurofxref-daily.xml")).await;
    assert!(daily.contains("<Cube time='2026-10-30'>") && daily.contains("<Cube currency='USD' rate='1.1172'/>"), "{daily}");
    assert!(!daily.contains("2026-10-29"));
    let (_, recent) = text(&file("eurofxref-hist-90d.xml")).await;
    assert!(recent.contains("time=\"2026-10-29\"") && !recent.contains("2026-01-05"), "{recent}");
    let (_, archive) = get(&file("eurofxref-hist.zip")).await;
    assert!(archive.starts_with(b"PK\x03\x04"));
    // Name of 18 bytes behind a header of 30.
    let mut unpacked = String::new();
    flate2::read::DeflateDecoder::new(&archive[48..]).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, "Date,JPY,RUB,USD,\n2026-10-30,175.68,N/A,1.1172,\n2026-10-29,N/A,N/A,1.1000,\n2026-01-05,N/A,99.1,1.0500,\n");
    bank.faults(|faults| faults.on_next(1, When::Contains("daily".into()), Fault::ErrorIn200));
    assert!(text(&file("eurofxref-daily.xml")).await.1.starts_with("<html>"));
}

#[tokio::test]
async fn the_service_asks_for_an_app_id_and_keeps_the_last_rates_of_each_day() {
    let clock = HandClock::at(1_793_361_600_000); // 2026-10-30T12:00:00Z
    let service = RateService::start(RateServiceConfig { clock: clock.clock(), ..RateServiceConfig::seeded(2) }).await.unwrap();
    let ask = |path: &str| format!("{}/api/{path}", service.origin());
    let with_id = |path: &str| format!("{}?app_id={}", ask(path), service.app_id());
    service.quote(clock.now_ms() - 3_600_000, &[("EUR", "0.8951"), ("BTC", "6.7e-05")]);
    let (status, newest) = text(&with_id("latest.json")).await;
    assert!(status == 200 && newest.contains("\"EUR\": 0.8951") && newest.contains("\"timestamp\": 1793361600"), "{newest}");
    clock.advance_ms(86_400_000);
    service.quote(clock.now_ms(), &[("EUR", "0.9")]);
    let (_, before) = text(&with_id("historical/2026-10-30.json")).await;
    assert!(before.contains("0.8951") && before.contains("\"timestamp\": 1793404799"), "{before}");
    for (url, status, word) in [
        (ask("latest.json"), 401, "missing_app_id"),
        (format!("{}?app_id=x", ask("latest.json")), 401, "invalid_app_id"),
        (format!("{}&base=EUR", with_id("latest.json")), 403, "not_allowed"),
        (with_id("historical/2026-12-01.json"), 400, "not_available"),
        (with_id("historical/soon.json"), 400, "invalid_date"),
    ] {
        let (seen, body) = text(&url).await;
        assert!(seen == status && body.contains(word), "{seen} {body}");
    }
}
