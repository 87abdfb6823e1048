//! What a request that cannot be served gets: one of a closed set of codes, a sentence, the field it is about.
//!
//! Every error of every room is mapped here, exhaustively: a new variant does not compile until somebody has decided what the
//! outside is told. What is the hub's own fault is told in one constant sentence and logged once with its chain.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::store::chain;
use crate::{
    access, app, catalog, connections, crossborder, fulfilment, inbox, lanes, listings, locations, orders, page, plugins, pricing, rates,
    secrets, store, sync,
};

macro_rules! codes {
    ($($name:ident $word:literal $status:literal),* $(,)?) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Code { $($name),* }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            pub fn status(self) -> StatusCode {
                StatusCode::from_u16(match self { $(Self::$name => $status),* }).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)* _ => None }
            }
        }
    };
}

codes! {
    Unauthenticated "unauthenticated" 401,
    Forbidden "forbidden" 403,
    NotFound "not-found" 404,
    MethodNotAllowed "method-not-allowed" 405,
    Malformed "malformed" 400,
    UnknownField "unknown-field" 400,
    Invalid "invalid" 422,
    Conflict "conflict" 409,
    TooLarge "too-large" 413,
    Busy "busy" 503,
    Internal "internal" 500,
    PluginFailure "plugin-failure" 502,
    CpuTimeout "cpu-timeout" 502,
    WallTimeout "wall-timeout" 502,
    OutOfMemory "out-of-memory" 502,
    PayloadTooLarge "payload-too-large" 502,
    PluginCrash "plugin-crash" 502,
    Incompatible "incompatible" 422,
    Unsupported "unsupported" 422,
    Stopped "stopped" 503,
    SandboxFailed "sandbox-failed" 500,
}

#[derive(Clone, Debug)]
pub struct Error {
    pub code: Code,
    pub message: String,
    pub field: Option<String>,
    /// For the log only.
    pub cause: Option<String>,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None, cause: None }
    }

    #[must_use]
    pub fn about(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    fn of(code: Code, error: &dyn std::error::Error) -> Self {
        Self::new(code, error.to_string())
    }

    /// Our fault: the sentence is constant, the chain is logged.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        let message = "the hub could not do this; its log says why, under this request's id";
        Self { cause: Some(chain(error)), ..Self::new(Code::Internal, message) }
    }
}

/// The status and nothing readable yet: the outermost layer knows the request's id and writes the body.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match &error {
            store::Error::Duplicate(_) => Self::of(Code::Conflict, &error),
            store::Error::Contended(_) | store::Error::Unwritable { .. } => Self::of(Code::Busy, &error),
            store::Error::Closed => Self::of(Code::Stopped, &error),
            store::Error::Check(_)
            | store::Error::Driver(_)
            | store::Error::Shape { .. }
            | store::Error::Panicked
            | store::Error::Poisoned
            | store::Error::Migration(_)
            | store::Error::Setup { .. } => Self::internal(&error),
        }
    }
}

impl From<app::backup::Error> for Error {
    fn from(error: app::backup::Error) -> Self {
        use app::backup::Error as Backup;
        match error {
            Backup::OtherTool { .. } => Self::of(Code::Unsupported, &error),
            Backup::Exists(_) | Backup::Relative(_) => Self::of(Code::Invalid, &error).about("file"),
            Backup::Busy(_) => Self::of(Code::Conflict, &error),
        }
    }
}

impl From<page::BadCursor> for Error {
    fn from(error: page::BadCursor) -> Self {
        Self::of(Code::Invalid, &error).about("cursor")
    }
}

impl From<crate::id::Malformed> for Error {
    fn from(error: crate::id::Malformed) -> Self {
        Self::of(Code::Invalid, &error)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<access::Error> for Error {
    fn from(error: access::Error) -> Self {
        match error {
            access::Error::Store(error) => error.into(),
            access::Error::Cursor(error) => error.into(),
            access::Error::Refused => Self::of(Code::Unauthenticated, &error),
            access::Error::UnknownKey { .. } => Self::of(Code::NotFound, &error),
            access::Error::UnknownScope { .. } => Self::of(Code::Invalid, &error).about("scope"),
            access::Error::BadName => Self::of(Code::Invalid, &error).about("name"),
            access::Error::Past { .. } => Self::of(Code::Invalid, &error).about("expires_at"),
        }
    }
}

impl From<connections::Error> for Error {
    fn from(error: connections::Error) -> Self {
        match error {
            connections::Error::Store(error) => error.into(),
            connections::Error::Cursor(error) => error.into(),
            connections::Error::Unknown { .. } => Self::of(Code::NotFound, &error),
            connections::Error::NameTaken { .. } => Self::of(Code::Conflict, &error).about("name"),
            connections::Error::BadName { .. } => Self::of(Code::Invalid, &error).about("name"),
            connections::Error::Settings(ref problems) => {
                let field = problems.first().map_or_else(|| "settings".to_owned(), |problem| format!("settings/{}", problem.field));
                Self::of(Code::Invalid, &error).about(field)
            }
            connections::Error::Schema { .. } => Self::of(Code::Incompatible, &error),
            connections::Error::BadOrigin { .. } => Self::of(Code::Invalid, &error).about("origin"),
            connections::Error::Step { .. } | connections::Error::OpenWork { .. } => Self::of(Code::Conflict, &error),
            connections::Error::NegativeBuffer { .. } => Self::of(Code::Invalid, &error).about("units"),
        }
    }
}

impl From<catalog::Problem> for Error {
    fn from(problem: catalog::Problem) -> Self {
        Self::of(Code::Invalid, &problem).about(problem.field)
    }
}

impl From<catalog::Error> for Error {
    fn from(error: catalog::Error) -> Self {
        match error {
            catalog::Error::Store(error) => error.into(),
            catalog::Error::Cursor(error) => error.into(),
            catalog::Error::Refused(problem) => problem.into(),
            catalog::Error::SkuTaken { .. } => Self::of(Code::Conflict, &error).about("sku"),
            catalog::Error::UnknownProduct { .. } | catalog::Error::UnknownVariant { .. } => Self::of(Code::NotFound, &error),
            catalog::Error::UnknownColumn { ref column } => Self::of(Code::Invalid, &error).about(column.clone()),
            catalog::Error::Circle { .. } => Self::of(Code::Conflict, &error).about("components"),
            catalog::Error::NoSkuColumn => Self::of(Code::Invalid, &error).about("sku"),
            catalog::Error::Sheet(error) => error.into(),
        }
    }
}

impl From<crate::sheet::Error> for Error {
    fn from(error: crate::sheet::Error) -> Self {
        Self::of(Code::Invalid, &error)
    }
}

impl From<listings::Error> for Error {
    fn from(error: listings::Error) -> Self {
        match error {
            listings::Error::Store(error) => error.into(),
            listings::Error::Cursor(error) => error.into(),
            listings::Error::Catalog(error) => error.into(),
            listings::Error::Unknown { .. } | listings::Error::UnknownVariant { .. } => Self::of(Code::NotFound, &error),
            listings::Error::Publication { .. } => Self::of(Code::Invalid, &error),
        }
    }
}

impl From<pricing::Error> for Error {
    fn from(error: pricing::Error) -> Self {
        match error {
            pricing::Error::Store(error) => error.into(),
            pricing::Error::Cursor(error) => error.into(),
            pricing::Error::Catalog(error) => error.into(),
            pricing::Error::Connection(error) => error.into(),
            pricing::Error::Sheet(error) => error.into(),
            pricing::Error::UnknownLine { .. } => Self::of(Code::NotFound, &error),
            pricing::Error::Invalid { field, .. } => Self::of(Code::Invalid, &error).about(field),
            pricing::Error::UnknownColumn { ref column } => Self::of(Code::Invalid, &error).about(column.clone()),
            pricing::Error::NoSkuColumn => Self::of(Code::Invalid, &error).about("sku"),
            pricing::Error::Rates(error) => error.into(),
            pricing::Error::Arithmetic(_) | pricing::Error::Document(_) => Self::internal(&error),
        }
    }
}

impl From<locations::Error> for Error {
    fn from(error: locations::Error) -> Self {
        match error {
            locations::Error::Store(error) => error.into(),
            locations::Error::Unknown { .. } => Self::of(Code::NotFound, &error),
            locations::Error::NameTaken { .. } => Self::of(Code::Conflict, &error).about("name"),
            locations::Error::BadName { .. } => Self::of(Code::Invalid, &error).about("name"),
            locations::Error::BadCountry { .. } => Self::of(Code::Invalid, &error).about("country"),
        }
    }
}

impl From<crate::stock::Error> for Error {
    fn from(error: crate::stock::Error) -> Self {
        use crate::stock::Error as Stock;
        match error {
            Stock::Store(error) => error.into(),
            Stock::NotPositive { .. } | Stock::NegativeCount { .. } => Self::of(Code::Invalid, &error).about("units"),
            Stock::Catalog(error) => error.into(),
            Stock::Location(error) => error.into(),
            Stock::NegativeSafety { .. } => Self::of(Code::Invalid, &error).about("units"),
            Stock::BelowReserved { .. } => Self::of(Code::Conflict, &error).about("units"),
            Stock::SamePlace { .. } => Self::of(Code::Invalid, &error).about("to"),
            Stock::Kit { .. } | Stock::OwnStock { .. } => Self::of(Code::Conflict, &error).about("variant"),
            Stock::NoTime { .. } => Self::of(Code::Invalid, &error).about("unpaid_hours"),
            Stock::ImpossibleLedger { .. } => Self::of(Code::Conflict, &error),
            Stock::LimitTooLow { .. } => Self::of(Code::Invalid, &error).about("limit"),
        }
    }
}

impl From<crate::identity::Error> for Error {
    fn from(error: crate::identity::Error) -> Self {
        match error {
            crate::identity::Error::Store(error) => error.into(),
            crate::identity::Error::Taken { .. } => Self::of(Code::Conflict, &error),
        }
    }
}

impl From<orders::Error> for Error {
    fn from(error: orders::Error) -> Self {
        match error {
            orders::Error::Store(error) => error.into(),
            orders::Error::Secrets(error) => error.into(),
            orders::Error::Stock(error) => error.into(),
            orders::Error::Document(_) => Self::internal(&error),
            orders::Error::Missing(_) | orders::Error::Unknown { .. } => Self::of(Code::NotFound, &error),
            orders::Error::Ambiguous { .. } => Self::of(Code::Conflict, &error),
            orders::Error::Catalog(error) => error.into(),
            orders::Error::NoSuchLine { .. } | orders::Error::TooMany { .. } | orders::Error::NotOut { .. } => {
                Self::of(Code::Invalid, &error).about("lines")
            }
        }
    }
}

impl From<fulfilment::Error> for Error {
    fn from(error: fulfilment::Error) -> Self {
        match error {
            fulfilment::Error::Store(error) => error.into(),
            fulfilment::Error::Order(error) => error.into(),
            fulfilment::Error::Document(_) => Self::internal(&error),
            fulfilment::Error::NothingToShip { .. } => Self::of(Code::Conflict, &error),
        }
    }
}

impl From<inbox::Error> for Error {
    fn from(error: inbox::Error) -> Self {
        match error {
            inbox::Error::Store(error) => error.into(),
            inbox::Error::Secrets(error) => error.into(),
            inbox::Error::Content(_) | inbox::Error::Packing(_) => Self::internal(&error),
            inbox::Error::Busy | inbox::Error::NotRecorded | inbox::Error::NoRoom => Self::of(Code::Busy, &error),
            inbox::Error::Missing(_) => Self::of(Code::NotFound, &error),
        }
    }
}

impl From<secrets::Error> for Error {
    fn from(error: secrets::Error) -> Self {
        match error {
            secrets::Error::Store(error) => error.into(),
            secrets::Error::Unreadable { .. } | secrets::Error::Destroyed => Self::of(Code::Conflict, &error),
            secrets::Error::WrongMasterKey { .. } | secrets::Error::Unopened(_) => Self::internal(&error),
        }
    }
}

impl From<crossborder::Error> for Error {
    fn from(error: crossborder::Error) -> Self {
        use crossborder::Error as Tax;
        match error {
            Tax::Store(error) => error.into(),
            Tax::Cursor(error) => error.into(),
            Tax::Series(error) => error.into(),
            Tax::Document(_) => Self::internal(&error),
            Tax::UnknownEntity { .. }
            | Tax::NoRuleFile { .. }
            | Tax::NoList { .. }
            | Tax::NotYet(_)
            | Tax::NoLock(_)
            | Tax::NoDifference { .. } => Self::of(Code::NotFound, &error),
            Tax::EntityInUse { .. } => Self::of(Code::Conflict, &error),
            Tax::BadName { .. } => Self::of(Code::Invalid, &error).about("name"),
            Tax::BadFact { field, .. } => Self::of(Code::Invalid, &error).about(field),
            Tax::BadPeriod { .. } => Self::of(Code::Invalid, &error).about("period"),
            Tax::Rules(_)
            | Tax::List(_)
            | Tax::Question(_)
            | Tax::Rates(_)
            | Tax::Report(_)
            | Tax::Threshold(_)
            | Tax::Gate(_)
            | Tax::Papers(_)
            | Tax::Credit(_)
            | Tax::Money(_) => Self::of(Code::Invalid, &error),
        }
    }
}

impl From<rates::Error> for Error {
    fn from(error: rates::Error) -> Self {
        use entrepot_crossborder::fx;
        match error {
            rates::Error::Store(error) => error.into(),
            rates::Error::Cursor(error) => error.into(),
            rates::Error::Sheet(error) => error.into(),
            rates::Error::UnknownSeries { .. } => Self::of(Code::NotFound, &error).about("series"),
            rates::Error::NotReady { .. } => Self::of(Code::Conflict, &error).about("series"),
            rates::Error::BadSeries { .. } => Self::of(Code::Invalid, &error).about("series"),
            rates::Error::BadKind { .. } => Self::of(Code::Invalid, &error).about("kind"),
            rates::Error::BadPurpose { .. } => Self::of(Code::Invalid, &error).about("purpose"),
            rates::Error::BadCode { .. } | rates::Error::SamePair { .. } => Self::of(Code::Invalid, &error).about("quote"),
            rates::Error::NotPositive { .. } => Self::of(Code::Invalid, &error).about("value"),
            rates::Error::BadFile { .. } => Self::of(Code::Invalid, &error),
            // No rate, or none young enough, is a state of what was recorded, not a slip of the caller.
            rates::Error::Rates(fx::Error::Stale { .. }) => Self::of(Code::Conflict, &error).about("date"),
            rates::Error::Rates(fx::Error::NoRate { .. }) => Self::of(Code::NotFound, &error).about("quote"),
            rates::Error::Rates(
                fx::Error::NotFixedYet { .. }
                | fx::Error::NeverFixed { .. }
                | fx::Error::OverRefund { .. }
                | fx::Error::BadFile { .. }
                | fx::Error::Money(_),
            )
            | rates::Error::Money(_) => Self::of(Code::Invalid, &error),
        }
    }
}

impl From<crate::money::Error> for Error {
    fn from(error: crate::money::Error) -> Self {
        Self::of(Code::Invalid, &error)
    }
}

impl From<lanes::Error> for Error {
    fn from(error: lanes::Error) -> Self {
        match error {
            lanes::Error::Store(error) => error.into(),
            lanes::Error::Stale => Self::of(Code::Conflict, &error),
        }
    }
}

impl From<lanes::schedule::Error> for Error {
    fn from(error: lanes::schedule::Error) -> Self {
        match error {
            lanes::schedule::Error::Store(error) => error.into(),
            lanes::schedule::Error::Cron(error) => Self::of(Code::Invalid, &error).about("cron"),
        }
    }
}

impl From<plugins::CallError> for Error {
    fn from(error: plugins::CallError) -> Self {
        use plugins::CallError as Call;
        match &error {
            Call::Failed(_) => Self::of(Code::PluginFailure, &error),
            Call::CpuTimeout { .. } => Self::of(Code::CpuTimeout, &error),
            Call::WallTimeout { .. } => Self::of(Code::WallTimeout, &error),
            Call::OutOfMemory { .. } => Self::of(Code::OutOfMemory, &error),
            Call::PayloadTooLarge { .. } => Self::of(Code::PayloadTooLarge, &error),
            Call::Crash { .. } => Self::of(Code::PluginCrash, &error),
            Call::Incompatible { .. } => Self::of(Code::Incompatible, &error),
            Call::Unsupported { .. } => Self::of(Code::Unsupported, &error),
            Call::Busy { .. } => Self::of(Code::Busy, &error),
            Call::Stopped => Self::of(Code::Stopped, &error),
            Call::Host(_) => Self::internal(&error),
        }
    }
}

impl From<plugins::registry::Error> for Error {
    fn from(error: plugins::registry::Error) -> Self {
        use plugins::compile::Error as Compile;
        use plugins::registry::Error as Registry;
        match error {
            Registry::Store(error) => error.into(),
            Registry::Link(error) => error.into(),
            Registry::Artifact(error) => Self::of(Code::Invalid, &error),
            Registry::Compile(ref compile) => match compile {
                Compile::Refused(_) | Compile::TooCostly => Self::of(Code::Invalid, &error),
                Compile::Folder { .. } | Compile::Start(_) | Compile::Unloadable(_) => Self::internal(&error),
            },
            Registry::Absent(_) => Self::of(Code::NotFound, &error),
            Registry::NoOlder(_) | Registry::Damaged { .. } => Self::of(Code::Conflict, &error),
        }
    }
}

impl From<sync::Error> for Error {
    fn from(error: sync::Error) -> Self {
        match error {
            sync::Error::Call(error) => error.into(),
            sync::Error::Lane(error) => error.into(),
            sync::Error::Refused { .. } => Self::of(Code::Conflict, &error),
            // Half done: whoever asked must know which half.
            sync::Error::NotNoted { .. } => Self { cause: Some(chain(&error)), ..Self::of(Code::Internal, &error) },
            sync::Error::Connection(error) => error.into(),
            sync::Error::Identity(error) => error.into(),
            sync::Error::Catalog(error) => error.into(),
            sync::Error::Listing(error) => error.into(),
            sync::Error::Stock(error) => error.into(),
            sync::Error::Order(error) => error.into(),
            sync::Error::Fulfilment(error) => error.into(),
            sync::Error::Location(error) => error.into(),
            sync::Error::Pricing(error) => error.into(),
            sync::Error::Inbox(error) => error.into(),
            sync::Error::Crossborder(error) => error.into(),
            sync::Error::Money(error) => error.into(),
            sync::Error::Rates(error) => error.into(),
            sync::Error::Secrets(error) => error.into(),
            sync::Error::Schedule(error) => error.into(),
            sync::Error::Plugin(error) => error.into(),
            sync::Error::Document(_) => Self::internal(&error),
            sync::Error::Store(error) => error.into(),
        }
    }
}

impl From<app::Error> for Error {
    fn from(error: app::Error) -> Self {
        match error {
            app::Error::Sync(error) => error.into(),
            app::Error::Store(error) => error.into(),
            other => Self::internal(&other),
        }
    }
}
