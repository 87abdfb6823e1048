//! The host's side of the imports. Every refusal is a value; only an engine fault is an error.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use wasmtime::component::Resource;

use super::CallState;
use super::bindings::entrepot::host::{blobs, clock, http, log, pacing, state, vault};
use super::bindings::entrepot::types::{base, commerce};
use crate::clock::to_rfc3339;
use crate::plugins::services::denied;
use base::Failure;

impl base::Host for CallState {}
impl commerce::Host for CallState {}

impl CallState {
    /// Counts a request before it is sent; what a guest may not do costs nobody anything.
    fn admit(&mut self, request: &http::Request) -> Result<(), Failure> {
        self.requests += 1;
        if self.requests > self.limits.requests {
            return Err(denied(format!("more than {} requests in one call; hint: take smaller pages", self.limits.requests)));
        }
        if self.scope.dry_run && request.mutating {
            return Err(denied("a dry run sends nothing that changes anything"));
        }
        let size = body_bytes(&request.body);
        if size > self.limits.body_bytes {
            return Err(denied(format!("a request body of {size} bytes is over the limit of {}", self.limits.body_bytes)));
        }
        self.transfer(size)
    }

    fn transfer(&mut self, bytes: usize) -> Result<(), Failure> {
        self.transferred = self.transferred.saturating_add(bytes);
        match self.transferred > self.limits.transferred_bytes {
            true => Err(denied(format!("more than {} bytes sent and received in one call", self.limits.transferred_bytes))),
            false => Ok(()),
        }
    }

    fn count_state(&mut self) -> Result<(), Failure> {
        self.state_operations += 1;
        match self.state_operations > self.limits.state_operations {
            true => Err(denied(format!("more than {} uses of state in one call", self.limits.state_operations))),
            false => Ok(()),
        }
    }

    fn settle(&mut self, answer: Result<http::Response, Failure>) -> Result<http::Response, Failure> {
        let response = answer?;
        self.transfer(body_bytes(&response.body))?;
        Ok(response)
    }
}

fn body_bytes(body: &http::Payload) -> usize {
    match body {
        http::Payload::Empty | http::Payload::Stored(_) => 0,
        http::Payload::Text(text) => text.len(),
        http::Payload::Bytes(bytes) => bytes.len(),
    }
}

/// Turns a stored request body into bytes, and a response into a blob where one is wanted.
async fn send_one(
    services: crate::plugins::Services,
    scope: crate::plugins::CallScope,
    shelf: BlobShelf,
    mut request: http::Request,
) -> Result<http::Response, Failure> {
    if let http::Payload::Stored(name) = &request.body {
        let blob = shelf.open(name).ok_or_else(|| denied(format!("there is no blob `{name}` in this call")))?;
        request.body = http::Payload::Bytes(blob.bytes());
    }
    let stored = matches!(request.want, http::BodyForm::Stored);
    if stored {
        request.want = http::BodyForm::Bytes;
    }
    let mut response = services.outbound.send(&scope, request).await?;
    if let (true, http::Payload::Bytes(bytes)) = (stored, &response.body) {
        response.body = http::Payload::Stored(shelf.put(bytes.clone()).name());
    }
    Ok(response)
}

impl http::Host for CallState {
    async fn send(&mut self, request: http::Request) -> Result<http::Response, Failure> {
        self.admit(&request)?;
        let answer = send_one(self.services.clone(), self.scope.clone(), self.blobs.clone(), request).await;
        self.settle(answer)
    }

    async fn send_many(&mut self, requests: Vec<http::Request>, parallel: u32) -> Vec<Result<http::Response, Failure>> {
        let admitted: Vec<Result<http::Request, Failure>> =
            requests.into_iter().map(|request| self.admit(&request).map(|()| request)).collect();
        let parallel = parallel.clamp(1, self.limits.parallel_requests) as usize;
        let (services, scope, shelf) = (self.services.clone(), self.scope.clone(), self.blobs.clone());
        let sends = futures::stream::iter(admitted).map(|request| {
            let (services, scope, shelf) = (services.clone(), scope.clone(), shelf.clone());
            async move { send_one(services, scope, shelf, request?).await }
        });
        let answers: Vec<_> = sends.buffered(parallel).collect().await;
        answers.into_iter().map(|answer| self.settle(answer)).collect()
    }
}

impl pacing::Host for CallState {
    async fn observed(&mut self, bucket: String, remaining: u32, capacity: u32, restore_per_minute: u32) {
        if self.count_state().is_ok() {
            self.services.outbound.observed(&self.scope, bucket, remaining, capacity, restore_per_minute).await;
        }
    }
}

impl vault::Host for CallState {
    async fn has(&mut self, name: String) -> bool {
        self.services.secrets.has(&self.scope, &name).await
    }

    async fn hmac(&mut self, name: String, algorithm: vault::Algorithm, data: Vec<u8>) -> Result<Vec<u8>, Failure> {
        self.services.secrets.hmac(&self.scope, &name, algorithm, &data).await
    }

    async fn verify_hmac(&mut self, name: String, algorithm: vault::Algorithm, data: Vec<u8>, code: Vec<u8>) -> Result<bool, Failure> {
        use subtle::ConstantTimeEq;
        let expected = self.services.secrets.hmac(&self.scope, &name, algorithm, &data).await?;
        Ok(expected.ct_eq(&code).into())
    }

    async fn sign_jwt(&mut self, name: String, claims_json: String) -> Result<String, Failure> {
        self.services.secrets.sign_jwt(&self.scope, &name, &claims_json).await
    }
}

impl state::Host for CallState {
    async fn get(&mut self, key: String) -> Result<Option<state::Entry>, Failure> {
        self.count_state()?;
        self.services.state.get(&self.scope, &key).await
    }

    async fn put(&mut self, key: String, value: Vec<u8>, expect_revision: Option<u32>) -> Result<u32, Failure> {
        self.count_state()?;
        self.services.state.put(&self.scope, &key, value, expect_revision).await
    }

    async fn delete(&mut self, key: String) -> Result<bool, Failure> {
        self.count_state()?;
        self.services.state.delete(&self.scope, &key).await
    }

    async fn list(&mut self, prefix: String, after: Option<String>, limit: u32) -> Result<Vec<String>, Failure> {
        self.count_state()?;
        self.services.state.list(&self.scope, &prefix, after.as_deref(), limit.min(1_000)).await
    }
}

impl log::Host for CallState {
    async fn emit(&mut self, level: log::Level, message: String, fields: Vec<(String, String)>) {
        if self.log_lines >= self.limits.log_lines {
            self.log_dropped += 1;
            return;
        }
        self.log_lines += 1;
        let level = match level {
            log::Level::Trace => tracing::Level::TRACE,
            log::Level::Debug => tracing::Level::DEBUG,
            log::Level::Info => tracing::Level::INFO,
            log::Level::Warn => tracing::Level::WARN,
            log::Level::Error => tracing::Level::ERROR,
        };
        self.services.log.emit(&self.scope, level, cut(&message, self.limits.log_line_bytes), &fields);
    }
}

/// The longest beginning of at most `bytes` bytes.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl clock::Host for CallState {
    async fn now(&mut self) -> String {
        to_rfc3339(self.services.clock.now_ms())
    }

    async fn remaining_ms(&mut self) -> u32 {
        u32::try_from(self.remaining().as_millis()).unwrap_or(u32::MAX)
    }
}

/// Bytes that never cross the boundary as one list.
#[derive(Clone)]
pub struct Blob {
    name: String,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Blob {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn bytes(&self) -> Vec<u8> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The blobs of one call, by name.
#[derive(Clone, Default)]
pub struct BlobShelf(Arc<Mutex<BTreeMap<String, Blob>>>);

/// All blobs of one call together.
const SHELF_BYTES: usize = 64 << 20;
const WINDOW_BYTES: u32 = 1 << 20;

impl BlobShelf {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Blob>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn put(&self, bytes: Vec<u8>) -> Blob {
        let mut shelf = self.lock();
        let blob = Blob { name: format!("blob-{}", shelf.len() + 1), bytes: Arc::new(Mutex::new(bytes)) };
        shelf.insert(blob.name(), blob.clone());
        blob
    }

    fn open(&self, name: &str) -> Option<Blob> {
        self.lock().get(name).cloned()
    }

    fn size(&self) -> usize {
        self.lock().values().map(|blob| blob.lock().len()).sum()
    }
}

impl CallState {
    fn handle(&mut self, blob: Blob) -> Result<Resource<Blob>, Failure> {
        self.table.push(blob).map_err(|_| denied("too many open blobs in one call"))
    }

    fn blob(&self, handle: &Resource<Blob>) -> Result<Blob, Failure> {
        self.table.get(handle).cloned().map_err(|_| denied("this blob is closed"))
    }
}

impl blobs::Host for CallState {
    async fn create(&mut self, _media_type: String) -> Result<Resource<Blob>, Failure> {
        let blob = self.blobs.put(Vec::new());
        self.handle(blob)
    }

    async fn open(&mut self, name: String) -> Result<Resource<Blob>, Failure> {
        let blob = self.blobs.open(&name).ok_or_else(|| denied(format!("there is no blob `{name}` in this call")))?;
        self.handle(blob)
    }
}

impl blobs::HostBlob for CallState {
    async fn name(&mut self, handle: Resource<Blob>) -> String {
        self.blob(&handle).map_or_else(|_| String::new(), |blob| blob.name())
    }

    async fn size(&mut self, handle: Resource<Blob>) -> u32 {
        self.blob(&handle).map_or(0, |blob| u32::try_from(blob.lock().len()).unwrap_or(u32::MAX))
    }

    async fn read(&mut self, handle: Resource<Blob>, offset: u32, length: u32) -> Result<Vec<u8>, Failure> {
        let blob = self.blob(&handle)?;
        let bytes = blob.lock();
        let start = (offset as usize).min(bytes.len());
        let end = start.saturating_add(length.min(WINDOW_BYTES) as usize).min(bytes.len());
        Ok(bytes[start..end].to_vec())
    }

    async fn append(&mut self, handle: Resource<Blob>, bytes: Vec<u8>) -> Result<u32, Failure> {
        let blob = self.blob(&handle)?;
        if self.blobs.size() + bytes.len() > SHELF_BYTES {
            return Err(denied(format!("more than {SHELF_BYTES} bytes of blobs in one call")));
        }
        let mut content = blob.lock();
        content.extend_from_slice(&bytes);
        Ok(u32::try_from(content.len()).unwrap_or(u32::MAX))
    }

    async fn drop(&mut self, handle: Resource<Blob>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}
