// SPDX-License-Identifier: Apache-2.0
//! The plugin's configuration: as typed (`RawConf`), then as a value that can't be inconsistent
//! (`Conf`).

use cni::{Code, Error, Network};
use serde::Deserialize;

use crate::firewalld::Demand;
use crate::forward;

/// Where operators put rules of their own, unless the configuration says another chain.
const ADMIN_CHAIN: &str = "CNI-ADMIN";
/// The longest name that iptables takes for a chain, in bytes.
const CHAIN_NAME_MAX: usize = 28;
/// The zone of firewalld that the reference plugin uses.
const ZONE: &str = "trusted";
/// More than firewalld takes for a zone's name, in bytes.
const ZONE_NAME_MAX: usize = 24;
/// Chains that iptables has, or we.
const TAKEN: [&str; 6] = [
    "INPUT",
    "FORWARD",
    "OUTPUT",
    "PREROUTING",
    "POSTROUTING",
    forward::CHAIN,
];

/// The keys that this plugin reads, as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawConf {
    backend: String,
    iptables_admin_chain_name: String,
    firewalld_zone: String,
    ingress_policy: String,
}

/// Who may begin a connection to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Everybody.
    Open,
    /// Pods of the same bridge; of other bridges that have a policy, nobody.
    SameBridge,
    /// No pod.
    Isolated,
}

impl Policy {
    /// As configurations write it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::SameBridge => "same-bridge",
            Self::Isolated => "isolated",
        }
    }

    /// From [`Policy::as_str`]; an empty text is `open`.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let all = [Self::Open, Self::SameBridge, Self::Isolated];
        let named = all.into_iter().find(|policy| policy.as_str() == text);
        named.or_else(|| text.is_empty().then_some(Self::Open))
    }
}

/// What the configuration asks for.
#[derive(Debug)]
pub(crate) struct Conf {
    /// The chain of the operator's own rules.
    pub(crate) admin_chain: String,
    /// Whether firewalld is asked.
    pub(crate) demand: Demand,
    /// The zone of firewalld to which the pods' addresses belong.
    pub(crate) zone: String,
    /// Who may begin a connection to a pod.
    pub(crate) policy: Policy,
}

impl Conf {
    /// The configuration of a network; errors carry the codes of CNI specification 1.1.0.
    pub(crate) fn new(network: &Network) -> Result<Self, Error> {
        let raw: RawConf = network.conf()?;
        let policy = Policy::of(&raw.ingress_policy).ok_or_else(|| {
            invalid(format!(
                "unknown ingress policy: {:?} (must be open, same-bridge or isolated)",
                raw.ingress_policy
            ))
        })?;
        Ok(Self {
            admin_chain: admin_chain(raw.iptables_admin_chain_name)?,
            demand: demand(&raw.backend)?,
            zone: zone(raw.firewalld_zone)?,
            policy,
        })
    }
}

/// What of firewalld is concerned, for verbs that must work with a configuration that is otherwise
/// invalid.
pub(crate) fn firewalld_of(network: &Network) -> (Demand, String) {
    let raw: RawConf = network.conf().unwrap_or_default();
    let demand = demand(&raw.backend).unwrap_or(Demand::IfRunning);
    (
        demand,
        zone(raw.firewalld_zone).unwrap_or_else(|_| ZONE.to_owned()),
    )
}

/// The chain of the operator's own rules, for verbs that must work with a configuration that is
/// otherwise invalid.
pub(crate) fn admin_chain_of(network: &Network) -> String {
    let named: Result<RawConf, _> = network.conf();
    let named = named.ok().map(|raw| raw.iptables_admin_chain_name);
    named
        .and_then(|name| admin_chain(name).ok())
        .unwrap_or_else(|| ADMIN_CHAIN.to_owned())
}

fn demand(backend: &str) -> Result<Demand, Error> {
    match backend {
        "" => Ok(Demand::IfRunning),
        "firewalld" => Ok(Demand::Always),
        "iptables" | "nftables" => Ok(Demand::Never),
        other => Err(invalid(format!(
            "unrecognized backend {other:?} (must be iptables, nftables or firewalld)"
        ))),
    }
}

fn zone(name: String) -> Result<String, Error> {
    if name.is_empty() {
        return Ok(ZONE.to_owned());
    }
    if name.len() > ZONE_NAME_MAX || !name.chars().all(|c| c.is_ascii_graphic()) {
        return Err(invalid(format!(
            "firewalldZone {name:?} is no name that firewalld gives to a zone"
        )));
    }
    Ok(name)
}

fn admin_chain(name: String) -> Result<String, Error> {
    if name.is_empty() {
        return Ok(ADMIN_CHAIN.to_owned());
    }
    let legal = |c: char| c.is_ascii_graphic();
    if name.len() > CHAIN_NAME_MAX || !name.chars().all(legal) || name.starts_with(['-', '!']) {
        return Err(invalid(format!(
            "iptablesAdminChainName {name:?} is no name that iptables gives to a chain"
        )));
    }
    if TAKEN.contains(&name.as_str()) {
        return Err(invalid(format!(
            "iptablesAdminChainName {name:?} is the name of another chain"
        )));
    }
    Ok(name)
}

fn invalid(sentence: String) -> Error {
    Error::new(Code::INVALID_CONFIG, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(keys: &str) -> Result<Conf, Error> {
        let text =
            format!(r#"{{"cniVersion": "1.1.0", "name": "pods", "type": "firewall", {keys}}}"#);
        Conf::new(&Network::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn what_is_not_set_is_open_with_the_usual_chain() {
        let conf = conf(r#""backend": "", "ingressPolicy": "", "iptablesAdminChainName": """#);
        let conf = conf.unwrap();
        assert_eq!(conf.policy, Policy::Open);
        assert_eq!(conf.admin_chain, "CNI-ADMIN");
        assert_eq!(
            (conf.demand, conf.zone.as_str()),
            (Demand::IfRunning, "trusted")
        );
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_value() {
        for (keys, word) in [
            (r#""backend": "ufw""#, "\"ufw\""),
            (r#""ingressPolicy": "closed""#, "\"closed\""),
            (
                r#""iptablesAdminChainName": "CNI-FORWARD""#,
                "\"CNI-FORWARD\"",
            ),
            (r#""iptablesAdminChainName": "two words""#, "\"two words\""),
            (r#""firewalldZone": "two words""#, "\"two words\""),
            (r#""iptablesAdminChainName": "-A""#, "\"-A\""),
            (
                r#""iptablesAdminChainName": "a-chain-of-twenty-nine-letters""#,
                "twenty-nine",
            ),
        ] {
            let error = conf(keys).unwrap_err();
            assert_eq!(error.code, Code::INVALID_CONFIG);
            assert!(error.msg.contains(word), "{error}");
        }
    }
}
