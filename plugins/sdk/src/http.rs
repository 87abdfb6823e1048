//! Outbound requests. Build a [`Request`], look at it in a unit test, send it in the sandbox.

pub use crate::bindings::entrepot::host::http::{BodyForm, Pace, Payload, Request as RawRequest, Response as RawResponse};

use crate::bindings::entrepot::host::http as host;
use crate::types::Failure;

/// A request being built. Everything but `GET` and `HEAD` counts as changing something until [`Request::reads_only`].
#[derive(Clone, Debug, PartialEq)]
pub struct Request(RawRequest);

impl Request {
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self(RawRequest {
            method: method.to_owned(),
            url: url.into(),
            headers: Vec::new(),
            body: Payload::Empty,
            credentials: Vec::new(),
            idempotency_key: None,
            mutating: !matches!(method, "GET" | "HEAD"),
            timeout_ms: None,
            want: BodyForm::Text,
            pace: None,
        })
    }

    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    pub fn put(url: impl Into<String>) -> Self {
        Self::new("PUT", url)
    }

    pub fn delete(url: impl Into<String>) -> Self {
        Self::new("DELETE", url)
    }

    /// Lower-case names; `authorization` and `host` are the hub's.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.headers.push((name.into(), value.into()));
        self
    }

    /// A JSON body with its content type.
    pub fn json(mut self, body: &serde_json::Value) -> Self {
        self.0.body = Payload::Text(body.to_string());
        self.header("content-type", "application/json")
    }

    pub fn text(mut self, content_type: &str, body: impl Into<String>) -> Self {
        self.0.body = Payload::Text(body.into());
        self.header("content-type", content_type)
    }

    /// Adds a credential that the manifest declares.
    pub fn credential(mut self, name: impl Into<String>) -> Self {
        self.0.credentials.push(name.into());
        self
    }

    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.0.idempotency_key = Some(key.into());
        self
    }

    /// Says that this `POST` (a GraphQL query, a search) changes nothing, so that dry runs let it through.
    pub fn reads_only(mut self) -> Self {
        self.0.mutating = false;
        self
    }

    pub fn timeout_ms(mut self, ms: u32) -> Self {
        self.0.timeout_ms = Some(ms);
        self
    }

    /// Draws `cost` units from a rate-limit bucket of the manifest.
    pub fn pace(mut self, bucket: impl Into<String>, cost: u32) -> Self {
        self.0.pace = Some(Pace { bucket: bucket.into(), cost });
        self
    }

    pub fn want(mut self, form: BodyForm) -> Self {
        self.0.want = form;
        self
    }

    /// The request as the hub will see it.
    pub fn raw(&self) -> &RawRequest {
        &self.0
    }

    /// Every status is a response; failures are the hub's refusals and the network's faults.
    pub fn send(self) -> Result<Response, Failure> {
        let mutating = self.0.mutating;
        host::send(&self.0).map(|raw| Response { raw, mutating })
    }

    /// At most 100 requests, up to 8 at a time; answers in the order of the requests.
    pub fn send_many(requests: Vec<Request>, parallel: u32) -> Vec<Result<Response, Failure>> {
        let (raw, mutating): (Vec<_>, Vec<_>) = requests.into_iter().map(|r| (r.0.clone(), r.0.mutating)).unzip();
        host::send_many(&raw, parallel)
            .into_iter()
            .zip(mutating)
            .map(|(answer, mutating)| answer.map(|raw| Response { raw, mutating }))
            .collect()
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    raw: RawResponse,
    mutating: bool,
}

impl From<RawResponse> for Response {
    /// As the answer to a request that changed nothing.
    fn from(raw: RawResponse) -> Self {
        Self { raw, mutating: false }
    }
}

impl Response {
    /// For tests of code that reads responses.
    pub fn new(status: u16, headers: &[(&str, &str)], body: impl Into<String>) -> Self {
        let headers = headers.iter().map(|(n, v)| (n.to_ascii_lowercase(), (*v).to_owned())).collect();
        Self { raw: RawResponse { status, headers, body: Payload::Text(body.into()) }, mutating: false }
    }

    pub fn status(&self) -> u16 {
        self.raw.status
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.raw.status)
    }

    /// The first header of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.raw.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub fn headers(&self) -> &[(String, String)] {
        &self.raw.headers
    }

    pub fn body(&self) -> &Payload {
        &self.raw.body
    }

    /// The body as text; empty when it came in another form.
    pub fn text(&self) -> &str {
        match &self.raw.body {
            Payload::Text(text) => text,
            _ => "",
        }
    }

    /// Reads a JSON body. One that is not what was expected is the channel's fault; where the request changed something, the
    /// change may well have happened.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(self.text()).map_err(|error| {
            let sent = if self.mutating { crate::types::Sent::Maybe } else { crate::types::Sent::No };
            Failure::remote(format!("The channel's answer (status {}) is not the JSON expected: {error}.", self.raw.status)).with_sent(sent)
        })
    }

    /// A success as it is; any other status as the failure it usually means, with `Retry-After` honoured and the start of
    /// the body in the message.
    pub fn success(self) -> Result<Self, Failure> {
        if self.is_success() {
            return Ok(self);
        }
        let start: String = self.text().chars().take(200).collect();
        let failure = Failure::from_status(self.raw.status, self.mutating, format!("The channel answered {}: {start}", self.raw.status));
        Err(match self.retry_after_ms() {
            Some(ms) => failure.with_retry_after_ms(ms),
            None => failure,
        })
    }

    /// `Retry-After` in whole or decimal seconds. The date form is ignored: it needs the channel's clock.
    pub fn retry_after_ms(&self) -> Option<u32> {
        let text = self.header("retry-after")?.trim();
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
        let seconds: u32 = seconds.parse().ok()?;
        let mut ms = 0;
        for (digit, unit) in fraction.chars().zip([100, 10, 1]) {
            ms += digit.to_digit(10)? * unit;
        }
        seconds.checked_mul(1000)?.checked_add(ms)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::types::{Fault, Sent};

    #[test]
    fn a_post_counts_as_a_change_until_it_says_otherwise() {
        assert!(Request::post("https://a.example/").raw().mutating);
        assert!(!Request::post("https://a.example/").reads_only().raw().mutating);
        assert!(!Request::get("https://a.example/").raw().mutating);
    }

    #[test]
    fn a_throttled_answer_carries_its_pause() {
        for (header, ms) in [("2.0", 2_000), ("30", 30_000), ("0.25", 250)] {
            let failure = Response::new(429, &[("Retry-After", header)], "slow down").success().unwrap_err();
            assert_eq!((failure.fault, failure.retry_after_ms), (Fault::Throttled, Some(ms)));
        }
        let dated = Response::new(429, &[("Retry-After", "Fri, 31 Dec 2027 23:59:59 GMT")], "").success().unwrap_err();
        assert_eq!(dated.retry_after_ms, None);
    }

    #[test]
    fn an_answer_that_is_not_json_is_the_channels_fault() {
        let failure = Response::new(200, &[], "<html>").json::<serde_json::Value>().unwrap_err();
        assert_eq!((failure.fault, failure.sent), (Fault::Remote, Sent::No));
    }
}
