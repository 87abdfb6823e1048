//! A rate service as openexchangerates.org describes its own: `/api/latest.json` and `/api/historical/DAY.json`, an App ID in
//! the query, errors as `{"error": true, "status": …, "message": …, "description": …}`.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{Method, Response, StatusCode};
use axum::routing::get;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::clock::{Clock, system_clock};
use crate::faults::{Fault, Faults};
use crate::random::Dice;
use crate::server::{Front, Manners, RequestSeen, Server, answer, bind, json as json_answer, lock, set_header};

#[derive(Clone)]
pub struct RateServiceConfig {
    pub seed: u64,
    pub clock: Clock,
    /// 0 takes any free port.
    pub port: u16,
    pub app_id: String,
    /// False: a free plan, whose only base is US dollars.
    pub any_base: bool,
}

impl RateServiceConfig {
    pub fn seeded(seed: u64) -> Self {
        Self { seed, clock: system_clock(), port: 0, app_id: Dice::new(seed).hex(32), any_base: false }
    }
}

/// Rates as they were written, by currency, from an instant on (Unix seconds).
type Quotes = BTreeMap<i64, Vec<(String, String)>>;

struct Inner {
    config: RateServiceConfig,
    front: Arc<Front>,
    quotes: Mutex<Quotes>,
}

/// A simulated rate service. Dropping it closes it.
pub struct RateService {
    origin: String,
    inner: Arc<Inner>,
    server: Server,
}

impl RateService {
    pub async fn start(config: RateServiceConfig) -> io::Result<Self> {
        let listener = bind(config.port).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let front = Arc::new(Front::new(Arc::clone(&config.clock), config.seed));
        let inner = Arc::new(Inner { config, front: Arc::clone(&front), quotes: Mutex::default() });
        let router = Router::new()
            .route("/api/latest.json", get(latest))
            .route("/api/historical/{document}", get(historical))
            .with_state(Arc::clone(&inner));
        let server = Server::start(listener, front, Arc::new(ServiceManners), router)?;
        Ok(Self { origin, inner, server })
    }

    /// `http://127.0.0.1:port`, without a path.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub fn app_id(&self) -> &str {
        &self.inner.config.app_id
    }

    /// From this instant on (Unix milliseconds) the service says these rates, units per US dollar.
    pub fn quote(&self, from_ms: i64, rates: &[(&str, &str)]) {
        let rates = rates.iter().map(|(currency, rate)| ((*currency).to_owned(), (*rate).to_owned())).collect();
        lock(&self.inner.quotes).insert(from_ms.div_euclid(1000), rates);
    }

    pub fn faults(&self, turn: impl FnOnce(&mut Faults)) {
        turn(&mut lock(&self.inner.front.faults));
    }

    pub fn requests(&self) -> Vec<RequestSeen> {
        self.inner.front.seen()
    }

    pub async fn stop(&self) {
        self.server.stop().await;
    }

    pub async fn restart(&self) -> io::Result<()> {
        self.server.restart().await
    }
}

type Asked = Query<HashMap<String, String>>;

async fn latest(State(inner): State<Arc<Inner>>, Query(asked): Asked) -> Response<Body> {
    at(&inner, &asked, inner.front.now().div_euclid(1000))
}

async fn historical(State(inner): State<Arc<Inner>>, Path(document): Path<String>, Query(asked): Asked) -> Response<Body> {
    let day = document.strip_suffix(".json").and_then(|text| text.parse::<Date>().ok());
    let end = day.and_then(|day| day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok());
    let Some(end) = end.map(|end| end.timestamp().as_second() - 1) else {
        return refused(StatusCode::BAD_REQUEST, "invalid_date", "Invalid date; use YYYY-MM-DD.");
    };
    let now = inner.front.now().div_euclid(1000);
    let start_of_day = end - 86_399;
    match start_of_day > now {
        true => refused(StatusCode::BAD_REQUEST, "not_available", "Historical rates for the requested date are not available."),
        false => at(&inner, &asked, end.min(now)),
    }
}

fn at(inner: &Inner, asked: &HashMap<String, String>, second: i64) -> Response<Body> {
    match asked.get("app_id") {
        None => return refused(StatusCode::UNAUTHORIZED, "missing_app_id", "No App ID provided."),
        Some(given) if *given != inner.config.app_id => {
            return refused(StatusCode::UNAUTHORIZED, "invalid_app_id", "Invalid App ID provided.");
        }
        Some(_) => {}
    }
    let base = asked.get("base").map_or("USD", String::as_str);
    if base != "USD" && !inner.config.any_base {
        return refused(StatusCode::FORBIDDEN, "not_allowed", "Changing the API `base` currency is available for clients on other plans.");
    }
    if base != "USD" {
        return refused(StatusCode::BAD_REQUEST, "invalid_base", "This service quotes dollars only.");
    }
    let quotes = lock(&inner.quotes);
    let Some((_, rates)) = quotes.range(..=second).next_back() else {
        return refused(StatusCode::BAD_REQUEST, "not_available", "Historical rates for the requested date are not available.");
    };
    // Numbers are written as they were given: a float in between would change them.
    let listed: Vec<String> = rates.iter().map(|(currency, rate)| format!("\"{currency}\": {rate}")).collect();
    let stamp = Timestamp::from_second(second).map_or(0, Timestamp::as_second);
    let text = format!(
        "{{\n  \"disclaimer\": \"Usage subject to terms\",\n  \"license\": \"Simulated\",\n  \"timestamp\": {stamp},\n  \"base\": \"USD\",\n  \
         \"rates\": {{\n    {}\n  }}\n}}",
        listed.join(",\n    ")
    );
    answer(StatusCode::OK, "application/json; charset=utf-8", text.into_bytes())
}

fn refused(status: StatusCode, message: &str, description: &str) -> Response<Body> {
    json_answer(status, &json!({ "error": true, "status": status.as_u16(), "message": message, "description": description }))
}

struct ServiceManners;

impl Manners for ServiceManners {
    fn is_write(&self, _: &Method, _: &str, _: &[u8]) -> bool {
        false
    }

    fn refusal(&self, fault: Fault, retry_after_s: Option<u32>) -> Response<Body> {
        let mut response = match fault {
            Fault::Throttle => refused(StatusCode::TOO_MANY_REQUESTS, "access_restricted", "Access restricted for repeated over-use."),
            Fault::RefuseCredentials => refused(StatusCode::UNAUTHORIZED, "invalid_app_id", "Invalid App ID provided."),
            _ => {
                json_answer(StatusCode::OK, &json!({ "error": true, "status": 500, "message": "oops", "description": "Something broke." }))
            }
        };
        if let Some(seconds) = retry_after_s {
            set_header(response.headers_mut(), "retry-after", &seconds.to_string());
        }
        response
    }
}
