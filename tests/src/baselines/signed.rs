//! B1: B0 after a check of the signature, as WooCommerce makes it: base64 of HMAC-SHA256 over the raw body.

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

pub const SECRET: &[u8] = b"a-secret-of-both-sides";
pub const HEADER: &str = "x-wc-webhook-signature";

pub fn router() -> Router {
    Router::new().route("/webhooks/{token}", post(|headers: HeaderMap, body: Bytes| async move { answer(&headers, &body) }))
}

fn answer(headers: &HeaderMap, body: &[u8]) -> StatusCode {
    let claimed = headers.get(HEADER).and_then(|value| BASE64_STANDARD.decode(value.as_bytes()).ok());
    let Some(claimed) = claimed else { return StatusCode::UNAUTHORIZED };
    match mac(body).verify_slice(&claimed) {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::UNAUTHORIZED,
    }
}

/// The header's value for a body.
pub fn sign(body: &[u8]) -> String {
    BASE64_STANDARD.encode(mac(body).finalize().into_bytes())
}

fn mac(body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(body);
    mac
}
