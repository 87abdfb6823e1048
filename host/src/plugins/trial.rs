//! `plugin try`: one webhook body through the connector in the sandbox, shown in the contract's own words.
//!
//! Untyped on purpose: what is printed is what the connector returned, under the names of `wit/`, not what the hub makes of
//! it. Records are objects, enums and cases without payload are strings, cases with payload are `{"case": payload}`, an absent
//! option is null. The form of the answer is `wit/v1/translate.schema.json`.

use serde_json::{Map, Value as Json};
use wasmtime::component::Val;

use super::call::{CallError, Caller};
use super::gate::Access;

#[cfg(test)]
mod tests;

/// What came of a trial.
#[derive(Debug)]
pub enum Tried {
    /// The events, a list.
    Mapped(Json),
    /// The connector's typed failure.
    Refused(Json),
    Crashed(CallError),
}

/// A delivery as the channel would send it, already verified.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub topic: String,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// RFC 3339.
    pub received_at: String,
}

const INTERFACE: &str = "entrepot:channel/webhooks@1.0.0";

impl Caller {
    /// Translates without a connection: `config_json` stands for its settings. Nothing is reached and nothing is stored.
    pub async fn try_translate(&self, config_json: &str, delivery: &Delivery) -> Tried {
        if !self.offers("webhooks") {
            return Tried::Crashed(CallError::Unsupported { capability: "webhooks" });
        }
        let parameters = [context(config_json), delivery.to_val()];
        let answer = self
            .run("webhooks", Access::Pure, move |mut store, loaded| {
                Box::pin(async move {
                    let result = async {
                        let instance = loaded.pre.instantiate_async(&mut store).await?;
                        let absent = || wasmtime::Error::msg("the interface `webhooks` is gone");
                        let interface = instance.get_export_index(&mut store, None, INTERFACE).ok_or_else(absent)?;
                        let function = instance.get_export_index(&mut store, Some(&interface), "translate").ok_or_else(absent)?;
                        let function = instance.get_func(&mut store, function).ok_or_else(absent)?;
                        let mut results = [Val::Bool(false)];
                        function.call_async(&mut store, &parameters, &mut results).await?;
                        let [result] = results;
                        Ok(Ok(result))
                    }
                    .await;
                    (result, store)
                })
            })
            .await;
        match answer {
            Ok(Val::Result(Ok(events))) => Tried::Mapped(events.as_deref().map_or(Json::Null, json)),
            Ok(Val::Result(Err(failure))) => Tried::Refused(failure.as_deref().map_or(Json::Null, json)),
            Ok(other) => Tried::Crashed(CallError::Incompatible { missing: format!("`translate` returned {other:?}") }),
            Err(error) => Tried::Crashed(error),
        }
    }
}

fn text(text: &str) -> Val {
    Val::String(text.to_owned())
}

fn record<const N: usize>(fields: [(&str, Val); N]) -> Val {
    Val::Record(fields.map(|(name, value)| (name.to_owned(), value)).to_vec())
}

fn context(config_json: &str) -> Val {
    record([
        ("connection", text("trial")),
        ("config-json", text(config_json)),
        ("trace", text("trial")),
        ("attempt", Val::U32(1)),
        ("idempotency-key", text("trial")),
        ("dry-run", Val::Bool(true)),
        ("extras", Val::List(Vec::new())),
    ])
}

impl Delivery {
    fn to_val(&self) -> Val {
        let headers = self.headers.iter().map(|(name, value)| Val::Tuple(vec![text(name), text(value)])).collect();
        record([
            ("topic", text(&self.topic)),
            ("headers", Val::List(headers)),
            ("body", text(&self.body)),
            ("received-at", text(&self.received_at)),
        ])
    }
}

/// A value under the contract's names. The contract has no floats, handles or streams; they would show as null.
fn json(value: &Val) -> Json {
    match value {
        Val::Bool(value) => Json::from(*value),
        Val::S8(value) => Json::from(*value),
        Val::U8(value) => Json::from(*value),
        Val::S16(value) => Json::from(*value),
        Val::U16(value) => Json::from(*value),
        Val::S32(value) => Json::from(*value),
        Val::U32(value) => Json::from(*value),
        Val::S64(value) => Json::from(*value),
        Val::U64(value) => Json::from(*value),
        Val::Char(value) => Json::from(value.to_string()),
        Val::String(value) | Val::Enum(value) | Val::Variant(value, None) => Json::from(value.as_str()),
        Val::Variant(case, Some(payload)) => Json::Object(Map::from_iter([(case.clone(), json(payload))])),
        Val::Option(value) => value.as_deref().map_or(Json::Null, json),
        Val::List(values) | Val::Tuple(values) | Val::FixedLengthList(values) => values.iter().map(json).collect(),
        Val::Record(fields) => Json::Object(fields.iter().map(|(name, value)| (name.clone(), json(value))).collect()),
        Val::Flags(names) => names.iter().map(|name| Json::from(name.as_str())).collect(),
        Val::Map(pairs) => pairs.iter().map(|(key, value)| Json::from(vec![json(key), json(value)])).collect(),
        Val::Result(result) => {
            let (case, payload) = match result {
                Ok(payload) => ("ok", payload),
                Err(payload) => ("err", payload),
            };
            Json::Object(Map::from_iter([(case.to_owned(), payload.as_deref().map_or(Json::Null, json))]))
        }
        Val::Float32(_) | Val::Float64(_) | Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => Json::Null,
    }
}
