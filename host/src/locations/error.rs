#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no location `{what}`; hint: give the id or the exact name of one of ours")]
    Unknown { what: String },
    #[error("another location is already called `{name}`; hint: choose another name")]
    NameTaken { name: String },
    #[error("`{name}` cannot be the name of a location; hint: use 1 to 60 characters, none of them a control character, and no id")]
    BadName { name: String },
    #[error("`{country}` is no country; hint: give its two-letter ISO code, such as DE or US")]
    BadCountry { country: String },
    #[error("{0}")]
    Store(#[from] crate::store::Error),
}
