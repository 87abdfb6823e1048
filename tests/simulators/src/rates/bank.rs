//! A central bank that publishes as the European one does: three files under `/stats/eurofxref/`, rewritten with each table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Response, StatusCode};
use axum::routing::get;
use jiff::civil::Date;

use super::packed;
use crate::clock::{Clock, system_clock};
use crate::faults::{Fault, Faults};
use crate::server::{Front, Manners, RequestSeen, Server, answer, bind, lock, set_header};

#[derive(Clone)]
pub struct CentralBankConfig {
    pub seed: u64,
    pub clock: Clock,
    /// 0 takes any free port.
    pub port: u16,
}

impl CentralBankConfig {
    pub fn seeded(seed: u64) -> Self {
        Self { seed, clock: system_clock(), port: 0 }
    }
}

/// What was published: day, then currency and rate as it was written.
type Tables = BTreeMap<Date, BTreeMap<String, String>>;

/// A simulated central bank. Dropping it closes it.
pub struct CentralBank {
    origin: String,
    front: Arc<Front>,
    tables: Arc<Mutex<Tables>>,
    server: Server,
}

/// Days of the middle file.
const NINETY_DAYS: i64 = 90;

impl CentralBank {
    pub async fn start(config: CentralBankConfig) -> io::Result<Self> {
        let listener = bind(config.port).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let front = Arc::new(Front::new(config.clock, config.seed));
        let tables = Arc::new(Mutex::new(Tables::new()));
        let router = Router::new()
            .route("/stats/eurofxref/eurofxref-daily.xml", get(daily))
            .route("/stats/eurofxref/eurofxref-hist-90d.xml", get(ninety_days))
            .route("/stats/eurofxref/eurofxref-hist.zip", get(history))
            .with_state(Arc::clone(&tables));
        let server = Server::start(listener, Arc::clone(&front), Arc::new(BankManners), router)?;
        Ok(Self { origin, front, tables, server })
    }

    /// `http://127.0.0.1:port`, without a path.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Publishes the table of a day. A second one of the same day takes its place, as a correction does.
    pub fn publish(&self, day: Date, rates: &[(&str, &str)]) {
        let table = rates.iter().map(|(currency, rate)| ((*currency).to_owned(), (*rate).to_owned())).collect();
        lock(&self.tables).insert(day, table);
    }

    pub fn faults(&self, turn: impl FnOnce(&mut Faults)) {
        turn(&mut lock(&self.front.faults));
    }

    pub fn requests(&self) -> Vec<RequestSeen> {
        self.front.seen()
    }

    pub async fn stop(&self) {
        self.server.stop().await;
    }

    pub async fn restart(&self) -> io::Result<()> {
        self.server.restart().await
    }
}

type Shared = State<Arc<Mutex<Tables>>>;

async fn daily(State(tables): Shared) -> Response<Body> {
    let tables = lock(&tables);
    match tables.iter().next_back() {
        Some((day, _)) => xml(&envelope(&tables, *day, '\'')),
        None => absent(),
    }
}

async fn ninety_days(State(tables): Shared) -> Response<Body> {
    let tables = lock(&tables);
    match tables.iter().next_back() {
        Some((day, _)) => xml(&envelope(&tables, day.saturating_sub(jiff::Span::new().days(NINETY_DAYS)), '"')),
        None => absent(),
    }
}

/// Newest day first. The files differ in their quotes, as the real ones do.
fn envelope(tables: &Tables, from: Date, quote: char) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<gesmes:Envelope xmlns:gesmes=\"http://www.gesmes.org/xml/2002-08-01\" \
                    xmlns=\"http://www.ecb.int/vocabulary/2002-08-01/eurofxref\">\n\t<gesmes:subject>Reference rates</gesmes:subject>\n\
                    \t<gesmes:Sender>\n\t\t<gesmes:name>European Central Bank</gesmes:name>\n\t</gesmes:Sender>\n\t<Cube>\n"
        .to_owned();
    for (day, table) in tables.range(from..).rev() {
        let _ = writeln!(text, "\t\t<Cube time={quote}{day}{quote}>");
        for (currency, rate) in table {
            let _ = writeln!(text, "\t\t\t<Cube currency={quote}{currency}{quote} rate={quote}{rate}{quote}/>");
        }
        text.push_str("\t\t</Cube>\n");
    }
    text.push_str("\t</Cube>\n</gesmes:Envelope>\n");
    text
}

async fn history(State(tables): Shared) -> Response<Body> {
    match packed::zip("eurofxref-hist.csv", &table(&lock(&tables))) {
        Ok(archive) => answer(StatusCode::OK, "application/zip", archive),
        Err(_) => absent(),
    }
}

/// One column per currency that ever was, `N/A` where it was not; every line ends in a comma.
fn table(tables: &Tables) -> String {
    let currencies: BTreeSet<&String> = tables.values().flat_map(BTreeMap::keys).collect();
    let mut text = "Date,".to_owned();
    currencies.iter().for_each(|currency| text.push_str(&format!("{currency},")));
    text.push('\n');
    for (day, table) in tables.iter().rev() {
        text.push_str(&format!("{day},"));
        for currency in &currencies {
            text.push_str(table.get(*currency).map_or("N/A", String::as_str));
            text.push(',');
        }
        text.push('\n');
    }
    text
}

fn xml(text: &str) -> Response<Body> {
    answer(StatusCode::OK, "text/xml", text.as_bytes().to_vec())
}

fn absent() -> Response<Body> {
    answer(StatusCode::NOT_FOUND, "text/html", b"<html><body>Page not found</body></html>".to_vec())
}

/// Files behind a network that delivers them: what refuses is its front.
struct BankManners;

impl Manners for BankManners {
    fn is_write(&self, _: &Method, _: &str, _: &[u8]) -> bool {
        false
    }

    fn refusal(&self, fault: Fault, retry_after_s: Option<u32>) -> Response<Body> {
        let (status, text) = match fault {
            Fault::Throttle => (StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
            Fault::RefuseCredentials => (StatusCode::FORBIDDEN, "Access denied"),
            // A page instead of the file.
            _ => (StatusCode::OK, "The website is being maintained"),
        };
        let mut response = answer(status, "text/html", format!("<html><body>{text}</body></html>").into_bytes());
        if let Some(seconds) = retry_after_s {
            set_header(response.headers_mut(), "retry-after", &seconds.to_string());
        }
        response
    }
}
