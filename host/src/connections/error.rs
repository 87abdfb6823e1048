use super::model::{OpenWork, State};
use super::settings::Problem;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no connection `{what}`; hint: `entrepot connection list` shows their names and ids")]
    Unknown { what: String },
    #[error("another connection is already called `{name}`; hint: choose another name, or rename or remove that one")]
    NameTaken { name: String },
    #[error("`{name}` cannot be the name of a connection; hint: use 1 to 60 characters, none of them a control character, and no id")]
    BadName { name: String },
    #[error("{}", list(.0))]
    Settings(Vec<Problem>),
    /// The fault is the connector's, not the merchant's.
    #[error("the connector's own description of its settings cannot be used ({why}); hint: report this to the connector's author")]
    Schema { why: String },
    #[error(
        "`{value}` is not an origin; hint: give scheme, host and, if needed, port, such as https://shop.example or http://127.0.0.1:8080"
    )]
    BadOrigin { value: String },
    #[error("a connection that is {from} cannot become {to} in this way; hint: look at its plan and accept it")]
    Step { from: State, to: State },
    #[error("a buffer of {units} units is not possible; hint: give zero or more")]
    NegativeBuffer { units: i64 },
    #[error("`{name}` still has open work: {work}; hint: let it finish, or force the removal and look after these yourself")]
    OpenWork { name: String, work: OpenWork },
    #[error("{0}")]
    Cursor(#[from] crate::page::BadCursor),
    #[error("{0}")]
    Store(#[from] crate::store::Error),
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}
