//! The store that keeps the files of bulk operations: signed addresses, parts by `Range`, XML when it refuses.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use bytes::Bytes;

use crate::server::{lock, set_header};
use crate::shopify::shop::Inner;

fn refused(status: StatusCode, code: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>")));
    *response.status_mut() = status;
    set_header(response.headers_mut(), "content-type", "application/xml; charset=UTF-8");
    response
}

pub(crate) async fn file(
    State(inner): State<Arc<Inner>>,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response<Body> {
    let now = inner.front.now();
    let found = {
        let state = lock(&inner.state);
        let export = name.strip_suffix("-final").and_then(|name| state.exports.values().find(|export| export.file == name));
        export.filter(|export| !export.lost).map(|export| (export.lines.clone(), export.signature.clone(), export.expires_at))
    };
    let Some((lines, signature, expires_at)) = found else {
        return refused(StatusCode::NOT_FOUND, "NoSuchKey");
    };
    if query.get("Signature") != Some(&signature) {
        return refused(StatusCode::FORBIDDEN, "SignatureDoesNotMatch");
    }
    let named = query.get("Expires").and_then(|text| text.parse::<i64>().ok()).map_or(0, |seconds| seconds.saturating_mul(1000));
    if now >= expires_at || now >= named {
        return refused(StatusCode::BAD_REQUEST, "ExpiredToken");
    }
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok()).and_then(|text| part(text, lines.len()));
    match range {
        None => given(StatusCode::OK, lines),
        Some(Err(())) => {
            let mut response = refused(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
            set_header(response.headers_mut(), "content-range", &format!("bytes */{}", lines.len()));
            response
        }
        Some(Ok((from, to))) => {
            let mut response = given(StatusCode::PARTIAL_CONTENT, lines.slice(from..=to));
            set_header(response.headers_mut(), "content-range", &format!("bytes {from}-{to}/{}", lines.len()));
            response
        }
    }
}

fn given(status: StatusCode, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    set_header(response.headers_mut(), "content-type", "application/jsonl");
    set_header(response.headers_mut(), "accept-ranges", "bytes");
    response
}

/// One part, both ends in it. What is no range is ignored; one that begins past the end cannot be given.
fn part(text: &str, length: usize) -> Option<Result<(usize, usize), ()>> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    let from: usize = from.parse().ok()?;
    let last = length.saturating_sub(1);
    let to = if to.is_empty() { last } else { to.parse::<usize>().ok()?.min(last) };
    Some(if from >= length || from > to { Err(()) } else { Ok((from, to)) })
}
