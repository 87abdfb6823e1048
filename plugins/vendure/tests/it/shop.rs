//! A shop that gives prepared answers, one after the other, and remembers what it was asked.

use std::cell::RefCell;
use std::collections::VecDeque;

use entrepot_sdk::http::Payload;
use entrepot_vendure::calls::{Hub, Shop};
use entrepot_vendure::contract::*;
use entrepot_vendure::settings::Settings;
use serde_json::{Value, json};

/// 2026-11-29T02:00:00Z.
pub const NOW: i64 = 1_795_917_600;

#[derive(Default)]
pub struct Prepared {
    answers: RefCell<VecDeque<Result<Response, Failure>>>,
    /// Name of each operation, and its variables.
    pub asked: RefCell<Vec<(String, Value)>>,
}

impl Prepared {
    pub fn with(answers: impl IntoIterator<Item = Value>) -> Self {
        let shop = Self::default();
        answers.into_iter().for_each(|data| shop.then(Ok(good(data))));
        shop
    }

    pub fn then(&self, answer: Result<Response, Failure>) {
        self.answers.borrow_mut().push_back(answer);
    }

    pub fn names(&self) -> Vec<String> {
        self.asked.borrow().iter().map(|(name, _)| name.clone()).collect()
    }

    pub fn variables(&self, at: usize) -> Value {
        self.asked.borrow()[at].1.clone()
    }
}

impl Hub for Prepared {
    fn send(&self, request: Request) -> Result<Response, Failure> {
        let raw = request.raw();
        assert_eq!((raw.url.as_str(), raw.credentials.as_slice()), ("https://shop.example/admin-api", ["api".to_owned()].as_slice()));
        assert!(raw.headers.contains(&("vendure-token".to_owned(), "channel-2".to_owned())));
        let Payload::Text(body) = &raw.body else { panic!("no body") };
        let body: Value = serde_json::from_str(body).unwrap();
        let document = body["query"].as_str().unwrap();
        assert_eq!(raw.mutating, document.starts_with("mutation"));
        let name = document.split(['(', '{', ' ']).nth(1).unwrap().to_owned();
        self.asked.borrow_mut().push((name.clone(), body["variables"].clone()));
        self.answers.borrow_mut().pop_front().unwrap_or_else(|| panic!("{name} was not expected"))
    }

    fn now(&self) -> i64 {
        NOW
    }

    fn warn(&self, message: &str) {
        panic!("{message}");
    }
}

pub fn with_shop<T>(hub: &Prepared, run: impl FnOnce(&Shop<'_>) -> T) -> T {
    let settings = Settings::parse(r#"{"origin":"https://shop.example/","channel-token":"channel-2","since":"2026-11-01"}"#).unwrap();
    let result = run(&Shop { hub, settings: &settings });
    assert!(hub.answers.borrow().is_empty(), "it asked less than expected: {:?}", hub.names());
    result
}

pub fn good(data: Value) -> Response {
    Response::new(200, &[("date", "Sun, 29 Nov 2026 01:59:58 GMT")], json!({ "data": data }).to_string())
}

pub fn bad(code: &str) -> Response {
    Response::new(200, &[], json!({ "errors": [{ "message": "so it is", "extensions": { "code": code } }], "data": null }).to_string())
}

/// Rows of a list, with what the shop is like.
pub fn list(name: &str, items: Value) -> Value {
    let mut data = super::recorded::variants();
    data.as_object_mut().unwrap().remove("productVariants");
    data[name] = json!({ "items": items });
    data
}
