//! Asking another process of this hub: the command line beside a running `serve`.

use std::time::Duration;

/// Sends one request to a hub's API and returns status and body. `Err` when nobody answered.
pub async fn ask(
    base: &str,
    key: Option<&str>,
    method: &str,
    target: &str,
    kind: &str,
    body: Vec<u8>,
    limit: Duration,
) -> Result<(u16, Vec<u8>), String> {
    let tls = super::tls_config(None).map_err(|error| error.to_string())?;
    #[allow(clippy::disallowed_methods)] // egress makes the clients
    let client =
        reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().connect_timeout(Duration::from_secs(2)).timeout(limit).build();
    let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
    let mut request = client.map_err(|error| error.to_string())?.request(method, format!("{}{target}", base.trim_end_matches('/')));
    request = request.header("content-type", kind).body(body);
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let response = request.send().await.map_err(|error| error.without_url().to_string())?;
    let status = response.status().as_u16();
    Ok((status, response.bytes().await.map_err(|error| error.without_url().to_string())?.to_vec()))
}
