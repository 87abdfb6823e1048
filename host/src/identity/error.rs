#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the channel's {kind} `{external_id}` already stands for {known} and cannot stand for {wanted}; hint: the channel has used one id twice"
    )]
    Taken { kind: &'static str, external_id: String, known: String, wanted: String },
    #[error("{0}")]
    Store(#[from] crate::store::Error),
}
