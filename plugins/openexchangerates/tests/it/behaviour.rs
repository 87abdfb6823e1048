//! Which documents make up a page, and what the service's refusals mean.

use std::cell::{Cell, RefCell};

use entrepot_documents::instant;
use entrepot_openexchangerates::calls::{self, Hub};
use entrepot_openexchangerates::settings::Settings;
use entrepot_openexchangerates::translate;
use entrepot_sdk::http::{Request, Response};
use entrepot_sdk::rates_in::RatePage;
use entrepot_sdk::types::{Failure, Fault};

/// A service at some moment.
struct Service {
    now: Cell<i64>,
    asked: RefCell<Vec<String>>,
    /// A request whose address contains this fails.
    broken: RefCell<Option<&'static str>>,
}

impl Service {
    fn at(text: &str) -> Self {
        Self { now: Cell::new(instant::parse(text).unwrap()), asked: RefCell::default(), broken: RefCell::default() }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.borrow_mut())
    }
}

fn document(stamp: i64) -> String {
    // Each moment has rates of its own.
    format!(r#"{{"timestamp": {stamp}, "base": "USD", "rates": {{"EUR": 0.9{}, "USD": 1, "BTC": 6.734e-05}}}}"#, stamp % 1_000)
}

impl Hub for Service {
    fn send_many(&self, requests: Vec<Request>) -> Vec<Result<Response, Failure>> {
        let answer = |request: Request| {
            let name = request.raw().url.rsplit("/api/").next().unwrap().to_owned();
            self.asked.borrow_mut().push(name.clone());
            if self.broken.borrow().is_some_and(|part| name.contains(part)) {
                return Ok(Response::new(503, &[], "<html>down</html>"));
            }
            let stamp = match name.strip_prefix("historical/") {
                // The last moment of the day.
                Some(rest) => (instant::parse_day(rest.strip_suffix(".json").unwrap()).unwrap() + 1) * 86_400 - 1,
                None => self.now.get(),
            };
            Ok(Response::new(200, &[], document(stamp)))
        };
        requests.into_iter().map(answer).collect()
    }

    fn now(&self) -> i64 {
        self.now.get()
    }
}

fn settings(history_from: Option<&str>) -> Settings {
    let history_from = history_from.map(|day| instant::parse_day(day).unwrap());
    Settings { origin: "https://rates.example".into(), base: None, history_from }
}

fn days(page: &RatePage) -> Vec<&str> {
    page.publications.iter().map(|publication| publication.published_on.as_str()).collect()
}

const LIMIT: u32 = 60_000;

#[test]
fn a_day_is_provisional_until_it_is_over_and_is_then_taken_from_its_own_document() {
    let service = Service::at("2026-10-30T06:11:00Z");
    let first = calls::pull(&service, &settings(None), None, LIMIT).unwrap();
    assert_eq!((days(&first), first.cursor.as_str(), first.more), (vec!["2026-10-30"], "2026-10-29", false));
    service.asked();
    service.now.set(service.now.get() + 86_400);
    let next = calls::pull(&service, &settings(None), Some(&first.cursor), LIMIT).unwrap();
    assert_eq!(service.asked(), ["historical/2026-10-30.json", "latest.json"]);
    assert_eq!((days(&next), next.cursor.as_str()), (vec!["2026-10-30", "2026-10-31"], "2026-10-30"));
    assert_ne!(first.publications[0].values, next.publications[0].values);
    assert!(next.publications[0].values.contains(&("BTC".to_owned(), "0.00006734".to_owned())));
}

#[test]
fn history_comes_by_the_month_and_ends_with_today() {
    let service = Service::at("2026-10-30T12:00:00Z");
    let (mut cursor, mut seen) = (None, Vec::new());
    for _ in 0..20 {
        let page = calls::pull(&service, &settings(Some("2026-07-01")), cursor.as_deref(), LIMIT).unwrap();
        assert!(page.publications.len() <= 31);
        seen.extend(days(&page).into_iter().map(str::to_owned));
        cursor = Some(page.cursor.clone());
        if !page.more {
            break;
        }
    }
    let all: Vec<String> = (0..122).map(|n| instant::format_day(instant::parse_day("2026-07-01").unwrap() + n)).collect();
    assert_eq!(seen, all);
    let small = calls::pull(&service, &settings(Some("2026-07-01")), None, 1_000).unwrap();
    assert_eq!((small.publications.len(), small.more), (5, true), "some 200 values a day");
    let early = calls::pull(&service, &settings(Some("1970-01-01")), None, 1_000).unwrap();
    assert_eq!(days(&early)[0], "1999-01-01");
}

#[test]
fn what_came_before_a_failure_is_kept_and_the_rest_is_asked_for_again() {
    let service = Service::at("2026-10-30T12:00:00Z");
    *service.broken.borrow_mut() = Some("2026-10-27");
    let page = calls::pull(&service, &settings(None), Some("2026-10-24"), LIMIT).unwrap();
    assert_eq!((days(&page), page.cursor.as_str(), page.more), (vec!["2026-10-25", "2026-10-26"], "2026-10-26", true));
    let failed = calls::pull(&service, &settings(None), Some(&page.cursor), LIMIT).unwrap_err();
    assert_eq!(failed.fault, Fault::Remote);
    *service.broken.borrow_mut() = Some("latest");
    let page = calls::pull(&service, &settings(None), Some("2026-10-28"), LIMIT).unwrap();
    assert_eq!((days(&page), page.cursor.as_str(), page.more), (vec!["2026-10-29"], "2026-10-29", true));
    assert!(calls::pull(&service, &settings(None), Some("2026-10-29"), LIMIT).is_err(), "today is wanted too");
    assert!(calls::pull(&service, &settings(None), Some("soon"), LIMIT).is_err());
}

#[test]
fn each_refusal_of_the_service_means_one_thing() {
    let refusal = |status: u16, code: &str| {
        let body = format!(r#"{{"error": true, "status": {status}, "message": "{code}", "description": "Words."}}"#);
        translate::refused(Response::new(status, &[], body)).unwrap_err()
    };
    for (status, code, fault) in [
        (401, "invalid_app_id", Fault::Auth),
        (401, "missing_app_id", Fault::Auth),
        (403, "not_allowed", Fault::Permission),
        (429, "not_allowed", Fault::Permission),
        (400, "invalid_base", Fault::Config),
        (429, "access_restricted", Fault::Throttled),
        (404, "not_found", Fault::Missing),
        (500, "oops", Fault::Remote),
    ] {
        let failure = refusal(status, code);
        assert_eq!(failure.fault, fault, "{status} {code}");
    }
    assert_eq!(refusal(429, "access_restricted").retry_after_ms, Some(6 * 3_600_000));
    assert_eq!(translate::refused(Response::new(502, &[], "<html>")).unwrap_err().fault, Fault::Remote);
}

#[test]
fn a_document_of_another_shape_is_the_services_fault_and_a_bad_rate_is_refused_alone() {
    for text in ["", "[]", "{}", r#"{"timestamp": "soon", "base": "USD", "rates": {}}"#, r#"{"timestamp": 1, "base": "USD", "rates": []}"#]
    {
        assert_eq!(translate::rates(text, None).unwrap_err().fault, Fault::Remote, "{text}");
    }
    let text = r#"{"timestamp": 1793318400, "base": "USD", "rates": {"EUR": 0.895, "VEF_DICOM": 1.5, "XXX": 0, "YYY": null, "ZZZ": -1}}"#;
    let rates = translate::rates(text, None).unwrap();
    assert_eq!((instant::format_day(rates.day).as_str(), rates.values), ("2026-10-30", vec![("EUR".to_owned(), "0.895".to_owned())]));
    let refused: Vec<&str> = rates.refused.iter().map(|(currency, _)| currency.as_str()).collect();
    assert_eq!(refused, ["VEF_DICOM", "XXX", "YYY", "ZZZ"]);
}
