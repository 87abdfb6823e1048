//! From texts and numbers to values that can be relied on.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::layers::Layers;
use super::{Config, Egress, Error, Folders, Hidden, Lanes, Log, Plugins, Retention, Secrets, Server, Tenant};

/// Which database.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    File(PathBuf),
    /// With its password; not for a log.
    Postgres(String),
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Postgres(_) => f.write_str("postgres://…"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// Scheme and authority under which channels reach the hub, perhaps with a path; without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `path` begins with a slash.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

/// A range of addresses: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse().ok()?, Some(bits.parse().ok()?)),
            None => (text.parse().ok()?, None),
        };
        let width = if matches!(address, IpAddr::V4(_)) { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        (bits <= width).then_some(Self { address, bits })
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()).checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()).checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Names the option in an error.
struct Checker<'a>(&'a Layers);

impl Checker<'_> {
    fn wrong(&self, key: &str, value: impl std::fmt::Display, hint: impl Into<String>) -> Error {
        Error::WrongValue { place: self.0.place(key), key: key.to_owned(), value: value.to_string(), hint: hint.into() }
    }

    fn within<T: TryFrom<i64>>(&self, key: &str, value: i64, least: i64, most: i64) -> Result<T, Error> {
        let hint = || format!("{least} to {most}");
        if !(least..=most).contains(&value) {
            return Err(self.wrong(key, value, hint()));
        }
        T::try_from(value).map_err(|_| self.wrong(key, value, hint()))
    }

    fn ms(&self, key: &str, value: i64, least: i64, most: i64) -> Result<Duration, Error> {
        Ok(Duration::from_millis(self.within(key, value, least, most)?))
    }
}

pub(super) fn check(layers: &Layers, file: Option<PathBuf>, folders: &Folders, master_key: Option<Hidden>) -> Result<Config, Error> {
    let raw = layers.read()?;
    let check = Checker(layers);
    let data_folder = if raw.data.folder.is_empty() { folders.data.clone() } else { PathBuf::from(&raw.data.folder) };
    let database = database(&check, &raw.database.url, &data_folder)?;
    let beside = file.as_deref().and_then(std::path::Path::parent).map_or_else(|| folders.config.clone(), std::path::Path::to_owned);
    let master_key_file =
        if raw.secrets.master_key_file.is_empty() { beside.join("master.key") } else { PathBuf::from(&raw.secrets.master_key_file) };
    if inside(&master_key_file, &data_folder) {
        let hint = format!("a backup of {} would hold the key to itself; choose a file outside of it", data_folder.display());
        return Err(check.wrong("secrets.master_key_file", master_key_file.display(), hint));
    }
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let or_cores = |given: usize, each: usize| if given == 0 { cores * each } else { given };
    let (s, e, p, l) = (&raw.server, &raw.egress, &raw.plugins, &raw.lanes);
    Ok(Config {
        tenant: Tenant {
            name: Some(raw.tenant.name.trim())
                .filter(|name| !name.is_empty() && name.chars().count() <= 100)
                .map(str::to_owned)
                .ok_or_else(|| check.wrong("tenant.name", &raw.tenant.name, "1 to 100 characters"))?,
            zone: match jiff::tz::TimeZone::get(&raw.tenant.zone) {
                Ok(_) => raw.tenant.zone,
                Err(_) => return Err(check.wrong("tenant.zone", &raw.tenant.zone, "an IANA name such as Europe/Berlin or UTC")),
            },
        },
        server: Server {
            listen: s
                .listen
                .parse::<SocketAddr>()
                .map_err(|_| check.wrong("server.listen", &s.listen, "address and port, such as 127.0.0.1:8480 or [::]:8480"))?,
            public_url: public_url(&check, &s.public_url)?,
            trusted_proxies: s
                .trusted_proxies
                .iter()
                .map(|text| {
                    Network::parse(text)
                        .ok_or_else(|| check.wrong("server.trusted_proxies", text, "addresses or networks such as 10.0.0.0/8"))
                })
                .collect::<Result<_, _>>()?,
            webhook_body_bytes: check.within("server.webhook_body_bytes", s.webhook_body_bytes, 1024, 5 << 20)?,
            api_body_bytes: check.within("server.api_body_bytes", s.api_body_bytes, 1024, 64 << 20)?,
            request: check.ms("server.request_ms", s.request_ms, 100, 600_000)?,
            accept: check.ms("server.accept_ms", s.accept_ms, 100, 10_000)?,
        },
        reserve_bytes: check.within("data.reserve_bytes", raw.data.reserve_bytes, 0, 1 << 40)?,
        database,
        secrets: Secrets {
            master_key_file,
            former_master_key_files: raw.secrets.former_master_key_files.iter().map(PathBuf::from).collect(),
            master_key,
        },
        egress: Egress {
            connect: check.ms("egress.connect_ms", e.connect_ms, 100, 60_000)?,
            first_byte: check.ms("egress.first_byte_ms", e.first_byte_ms, 100, 300_000)?,
            between_bytes: check.ms("egress.between_bytes_ms", e.between_bytes_ms, 100, 300_000)?,
            total: check.ms("egress.total_ms", e.total_ms, 100, 600_000)?,
            request_bytes: check.within("egress.request_bytes", e.request_bytes, 1024, 64 << 20)?,
            response_bytes: check.within("egress.response_bytes", e.response_bytes, 1024, 64 << 20)?,
            extra_ca_file: Some(&e.extra_ca_file).filter(|path| !path.is_empty()).map(PathBuf::from),
        },
        plugins: Plugins {
            folder: if p.folder.is_empty() { folders.program.join("plugins") } else { PathBuf::from(&p.folder) },
            cpu: check.ms("plugins.cpu_ms", p.cpu_ms, 10, 60_000)?,
            wall: check.ms("plugins.wall_ms", p.wall_ms, 100, 600_000)?,
            concurrency: or_cores(check.within("plugins.concurrency", p.concurrency, 0, 4096)?, 8),
        },
        lanes: Lanes {
            workers: or_cores(check.within("lanes.workers", l.workers, 0, 1024)?, 64),
            lease: check.ms("lanes.lease_ms", l.lease_ms, 5_000, 600_000)?,
            sweep: check.ms("lanes.sweep_ms", l.sweep_ms, 1_000, 600_000)?,
        },
        retention: Retention {
            delivery_body_days: check.within("retention.delivery_body_days", raw.retention.delivery_body_days, 1, 90)?,
            dedupe_days: check.within("retention.dedupe_days", raw.retention.dedupe_days, 7, 365)?,
            effect_days: check.within("retention.effect_days", raw.retention.effect_days, 7, 3650)?,
        },
        log: Log {
            format: match raw.log.format.as_str() {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                other => return Err(check.wrong("log.format", other, "text or json")),
            },
            filter: match tracing_subscriber::EnvFilter::try_new(&raw.log.filter) {
                Ok(_) => raw.log.filter,
                Err(_) => {
                    return Err(check.wrong(
                        "log.filter",
                        &raw.log.filter,
                        "error, warn, info, debug or trace, also by module, such as info,entrepot::egress=debug",
                    ));
                }
            },
        },
        data_folder,
        file,
    })
}

fn database(check: &Checker<'_>, text: &str, data_folder: &std::path::Path) -> Result<Database, Error> {
    const KEY: &str = "database.url";
    if text.is_empty() {
        return Ok(Database::File(data_folder.join("entrepot.db")));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Ok(Database::File(PathBuf::from(text.strip_prefix("sqlite:").unwrap_or(text))));
    };
    match scheme {
        "postgres" | "postgresql" => {
            // The address may hold a password, so the message does not repeat it.
            let readable = url::Url::parse(text).is_ok_and(|url| url.path().len() > 1);
            if readable {
                Ok(Database::Postgres(text.to_owned()))
            } else {
                Err(check.wrong(KEY, "postgres://…", "postgres://user:password@host:5432/database"))
            }
        }
        "sqlite" | "file" => Ok(Database::File(PathBuf::from(rest))),
        other => Err(check.wrong(KEY, format!("{other}://…"), "postgres://user:password@host/database or a path to a file")),
    }
}

fn public_url(check: &Checker<'_>, text: &str) -> Result<Option<PublicUrl>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || check.wrong("server.public_url", text, "scheme and name, such as https://hub.example.com");
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "https" | "http") || !plain || url.host().is_none() {
        return Err(wrong());
    }
    Ok(Some(PublicUrl(url.as_str().trim_end_matches('/').to_owned())))
}

/// Whether a file lies in a folder, as far as the two texts tell.
fn inside(file: &std::path::Path, folder: &std::path::Path) -> bool {
    let absolute = |path: &std::path::Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute(file).starts_with(absolute(folder))
}
