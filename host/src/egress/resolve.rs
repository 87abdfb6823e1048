//! Names to addresses, once per connection, filtered before anything is dialled.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::address;

const TIME_LIMIT: Duration = Duration::from_secs(5);
/// A name with more addresses than this is cut, not refused.
const MAX_ADDRESSES: usize = 16;

/// Asks whoever knows names.
pub trait Resolver: Send + Sync + 'static {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The machine's own resolver.
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// A name that leads nowhere a connector may go.
#[derive(Debug, thiserror::Error)]
#[error("the name {host} leads to {address}, which is not on the public internet")]
pub struct Inward {
    pub host: String,
    pub address: IpAddr,
}

/// The resolver a client dials with: what it returns is what is dialled.
pub(super) struct Filtered {
    pub inner: Arc<dyn Resolver>,
    /// The operator granted this origin by hand, so it may be private.
    pub private: bool,
}

impl Filtered {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let found = tokio::time::timeout(TIME_LIMIT, self.inner.resolve(host))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the name could not be resolved in time"))??;
        let admitted =
            |address: &IpAddr| if self.private { !address::is_forbidden_by_name(*address) } else { address::is_public(*address) };
        let first = found.first().copied();
        let dial: Vec<IpAddr> = found.into_iter().map(|address| address.to_canonical()).filter(admitted).take(MAX_ADDRESSES).collect();
        match (dial.is_empty(), first) {
            (false, _) => Ok(dial),
            (true, Some(address)) => Err(Box::new(Inward { host: host.to_owned(), address })),
            (true, None) => Err(Box::new(io::Error::new(io::ErrorKind::NotFound, "the name has no address"))),
        }
    }
}

#[derive(Clone)]
pub(super) struct Dial(pub Arc<Filtered>);

impl reqwest::dns::Resolve for Dial {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let filtered = Arc::clone(&self.0);
        Box::pin(async move {
            let addresses = filtered.addresses(name.as_str()).await?;
            let with_port = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(with_port) as reqwest::dns::Addrs)
        })
    }
}
