//! The same API without a network: for the command line when no hub is running.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use tower::ServiceExt;

use super::request::Operator;

/// Asks the router itself. Returns the status and the body.
pub async fn ask(router: &Router, method: &str, target: &str, kind: &str, body: Vec<u8>) -> Result<(u16, Vec<u8>), String> {
    let request = Request::builder().method(method).uri(target).header(header::CONTENT_TYPE, kind).extension(Operator);
    let request = request.body(Body::from(body)).map_err(|error| error.to_string())?;
    let Ok(response) = router.clone().oneshot(request).await;
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.map_err(|error| error.to_string())?;
    Ok((status, bytes.to_vec()))
}
