//! What a manifest asks for, in sentences, and what a merchant allowed. The effective right is the intersection.

use serde::{Deserialize, Serialize};

use super::manifest::{Capability, HostRule, Manifest};

/// One thing a connector asks for, ready to be read by a person before it is granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Permission {
    pub kind: Asked,
    /// The origin, credential, capability, topic, schedule or class of data.
    pub subject: String,
    pub sentence: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    Host,
    Credential,
    Capability,
    WebhookTopic,
    PersonalData,
    Schedule,
}

/// What a merchant allowed. Written by `plugin install` after asking, or read from a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Grant {
    #[serde(default)]
    pub capabilities: Vec<Capability>,
    #[serde(default)]
    pub hosts: Vec<GrantedHost>,
    #[serde(default)]
    pub credentials: Vec<String>,
    #[serde(default)]
    pub webhook_topics: Vec<String>,
    #[serde(default)]
    pub personal_data: Vec<String>,
    #[serde(default)]
    pub schedules: Vec<Capability>,
}

/// As in the manifest, holes and all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantedHost {
    pub origin: String,
    /// Prefixes; empty: whatever the manifest asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}

/// Everything the manifest asks for, in the order in which it matters.
pub fn permissions(manifest: &Manifest) -> Vec<Permission> {
    let ask = |kind, subject: &str, sentence: String| Permission { kind, subject: subject.to_owned(), sentence };
    let mut asked = Vec::new();
    for host in &manifest.hosts {
        let place = match host.paths.as_slice() {
            [] => host.origin.clone(),
            paths => format!("{} below {}", host.origin, paths.join(", ")),
        };
        asked.push(ask(Asked::Host, &host.origin, format!("Send requests to {place}: {}", host.reason)));
    }
    for credential in &manifest.credentials {
        let secrets = credential.secrets().join(" and ");
        let sentence = format!(
            "Have the hub sign requests to {} as `{}` (with {secrets}); it never sees the values",
            credential.hosts.join(", "),
            credential.name
        );
        asked.push(ask(Asked::Credential, &credential.name, sentence));
    }
    for class in &manifest.personal_data {
        asked.push(ask(Asked::PersonalData, class, format!("Handle your buyers' {}", class.replace('-', " "))));
    }
    for capability in &manifest.capabilities {
        asked.push(ask(Asked::Capability, capability.as_str(), sentence(*capability).to_owned()));
    }
    for topic in manifest.webhooks.iter().flat_map(|webhooks| &webhooks.topics) {
        asked.push(ask(Asked::WebhookTopic, topic, format!("Be told of `{topic}` by the channel")));
    }
    for schedule in &manifest.schedules {
        asked.push(ask(Asked::Schedule, schedule.run.as_str(), format!("Run `{}` by itself at {}", schedule.run, schedule.cron)));
    }
    asked
}

fn sentence(capability: Capability) -> &'static str {
    match capability {
        Capability::Connection => "Look at the account behind the credential",
        Capability::OrdersIn => "Read orders",
        Capability::ListingsIn => "Read listings",
        Capability::StockOut => "Set stock",
        Capability::PricesOut => "Set prices",
        Capability::FulfilmentOut => "Report shipments",
        Capability::CancellationsOut => "Cancel orders",
        Capability::Refunds => "Refund buyers",
        Capability::Returns => "Read returns",
        Capability::OffersOut => "Create and change listings",
        Capability::Webhooks => "Subscribe to the channel's notices and read them",
        Capability::WebhookVerify => "Check the signatures of notices itself",
        Capability::Signing => "Take part in logging in",
        Capability::Rates => "Ask for shipping prices",
        Capability::Shipments => "Buy and cancel labels",
        Capability::Tracking => "Follow parcels",
        Capability::Addresses => "Check addresses",
        Capability::Handover => "Book pickups",
        Capability::RatesIn => "Read exchange rates",
    }
}

impl Grant {
    /// Allows all that this manifest asks for, and nothing that a later one may add.
    pub fn all(manifest: &Manifest) -> Self {
        Self {
            capabilities: manifest.capabilities.clone(),
            hosts: manifest.hosts.iter().map(|host| GrantedHost { origin: host.origin.clone(), paths: host.paths.clone() }).collect(),
            credentials: manifest.credentials.iter().map(|credential| credential.name.clone()).collect(),
            webhook_topics: manifest.webhooks.iter().flat_map(|webhooks| webhooks.topics.clone()).collect(),
            personal_data: manifest.personal_data.clone(),
            schedules: manifest.schedules.iter().map(|schedule| schedule.run).collect(),
        }
    }

    /// What this manifest asks for and this grant does not hold: shown before an upgrade, which waits for consent if there is any.
    pub fn lacks(&self, manifest: &Manifest) -> Vec<Permission> {
        let effective = self.effective(manifest);
        let host_is_whole = |origin: &str| {
            let asked = manifest.hosts.iter().filter(|host| host.origin == origin).map(|host| &host.paths);
            let got = effective.hosts.iter().filter(|host| host.origin == origin).map(|host| &host.paths);
            asked.eq(got)
        };
        let mut lacking = permissions(manifest);
        lacking.retain(|permission| {
            let subject = permission.subject.as_str();
            !match permission.kind {
                Asked::Host => host_is_whole(subject),
                Asked::Credential => self.credentials.iter().any(|name| name == subject),
                Asked::Capability => self.capabilities.iter().any(|capability| capability.as_str() == subject),
                Asked::WebhookTopic => self.webhook_topics.iter().any(|topic| topic == subject),
                Asked::PersonalData => self.personal_data.iter().any(|class| class == subject),
                Asked::Schedule => self.schedules.iter().any(|run| run.as_str() == subject),
            }
        });
        lacking
    }

    /// The manifest reduced to what is granted. Everything that asks "may it?" asks this one.
    pub fn effective(&self, manifest: &Manifest) -> Manifest {
        let mut effective = manifest.clone();
        effective.capabilities.retain(|capability| self.capabilities.contains(capability));
        effective.hosts = manifest.hosts.iter().filter_map(|host| self.narrow(host)).collect();
        let reachable: Vec<String> = effective.hosts.iter().map(|host| host.origin.clone()).collect();
        effective.credentials.retain(|credential| self.credentials.contains(&credential.name));
        for credential in &mut effective.credentials {
            credential.hosts.retain(|host| reachable.contains(host));
        }
        effective.credentials.retain(|credential| !credential.hosts.is_empty());
        effective.personal_data.retain(|class| self.personal_data.contains(class));
        if !effective.has(Capability::Webhooks) {
            effective.webhooks = None;
        }
        if let Some(webhooks) = &mut effective.webhooks {
            webhooks.topics.retain(|topic| self.webhook_topics.contains(topic));
        }
        let granted = effective.capabilities.clone();
        effective.schedules.retain(|schedule| self.schedules.contains(&schedule.run) && granted.contains(&schedule.run));
        effective
    }

    fn narrow(&self, asked: &HostRule) -> Option<HostRule> {
        let granted = self.hosts.iter().find(|host| host.origin == asked.origin)?;
        if granted.paths.is_empty() {
            return Some(asked.clone());
        }
        if asked.paths.is_empty() {
            return Some(HostRule { paths: granted.paths.clone(), ..asked.clone() });
        }
        // Of two prefixes where one begins with the other, the longer one is what both allow.
        let mut paths: Vec<String> = Vec::new();
        for path in &asked.paths {
            for other in &granted.paths {
                let both = if path.starts_with(other) {
                    path
                } else if other.starts_with(path.as_str()) {
                    other
                } else {
                    continue;
                };
                if !paths.contains(both) {
                    paths.push(both.clone());
                }
            }
        }
        (!paths.is_empty()).then(|| HostRule { paths, ..asked.clone() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hello() -> Manifest {
        Manifest::parse(include_bytes!("../../../examples/hello-connector/manifest.json")).unwrap()
    }

    #[test]
    fn granting_everything_asked_for_lacks_nothing_and_changes_nothing() {
        let manifest = hello();
        let grant = Grant::all(&manifest);
        assert_eq!(grant.effective(&manifest), manifest);
        assert_eq!(grant.lacks(&manifest), []);
    }

    #[test]
    fn nothing_granted_means_nothing_allowed() {
        let manifest = hello();
        let effective = Grant::default().effective(&manifest);
        assert!(
            effective.capabilities.is_empty()
                && effective.hosts.is_empty()
                && effective.credentials.is_empty()
                && effective.webhooks.is_none()
        );
        assert_eq!(Grant::default().lacks(&manifest), permissions(&manifest));
    }

    #[test]
    fn a_grant_of_a_narrower_path_narrows_the_host() {
        let mut manifest = hello();
        manifest.hosts[0].paths = vec!["/api/".into(), "/files/".into()];
        let mut grant = Grant::all(&manifest);
        grant.hosts[0].paths = vec!["/api/v2/".into(), "/admin/".into()];
        assert_eq!(grant.effective(&manifest).hosts[0].paths, ["/api/v2/"]);
        grant.hosts[0].paths = vec!["/admin/".into()];
        assert!(grant.effective(&manifest).hosts.is_empty());
        assert!(grant.effective(&manifest).credentials.is_empty(), "a credential without a host goes nowhere");
    }

    #[test]
    fn an_upgrade_that_asks_for_more_shows_only_what_is_new() {
        let old = hello();
        let mut new = hello();
        new.hosts.push(HostRule { origin: "https://tracker.example".into(), paths: Vec::new(), reason: "Statistics".into() });
        let lacking = Grant::all(&old).lacks(&new);
        assert_eq!(lacking.len(), 1);
        assert_eq!((lacking[0].kind, lacking[0].subject.as_str()), (Asked::Host, "https://tracker.example"));
        assert_eq!(Grant::all(&old).effective(&new).hosts, old.hosts);
    }
}
