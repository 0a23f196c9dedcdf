// SPDX-License-Identifier: Apache-2.0
//! The plugin's configuration, as typed (`RawConf`) and as a value that can't be inconsistent
//! (`Conf`).

use attachment::keys;
use cni::{Cidr, Code, Dns, Error, Network};
use ipnetwork::IpNetwork;
use serde::Deserialize;

/// The keys that this plugin reads, as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawConf {
    ip_masq: bool,
    ip_masq_backend: Option<String>,
    #[serde(rename = "nonMasqueradeCIDRs")]
    non_masquerade_cidrs: Vec<Cidr>,
    mtu: i64,
    dns: Dns,
}

/// What the configuration asks for, valid as far as can be known without the kernel.
#[derive(Debug)]
pub(crate) struct Conf {
    /// Masquerade, and the destinations that it spares beside the network's own.
    pub(crate) masquerade: Option<Vec<IpNetwork>>,
    /// MTU in bytes of the pair; `None`: that of the device of the default route.
    pub(crate) mtu: Option<u32>,
    /// Replaces the IPAM plugin's DNS settings.
    pub(crate) dns: Option<Dns>,
    /// The IPAM plugin.
    pub(crate) ipam: String,
}

impl Conf {
    /// The configuration of `network`; errors carry the codes of CNI specification 1.1.0 section 5.
    pub(crate) fn new(network: &Network) -> Result<Self, Error> {
        let raw: RawConf = network.conf()?;
        let missing = || {
            let msg = "ptp needs an IPAM plugin: ipam.type is missing";
            Error::new(Code::INVALID_CONFIG, msg)
        };
        Ok(Self {
            masquerade: keys::masquerade(
                raw.ip_masq,
                raw.ip_masq_backend.as_deref(),
                &raw.non_masquerade_cidrs,
            )?,
            mtu: keys::mtu(raw.mtu)?,
            dns: (!raw.dns.is_empty()).then_some(raw.dns),
            ipam: network.ipam_type().ok_or_else(missing)?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(keys: &str) -> Result<Conf, Error> {
        let text = format!(r#"{{"cniVersion": "1.1.0", "name": "net", "type": "ptp"{keys}}}"#);
        Conf::new(&Network::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn nothing_but_ipam_is_needed() {
        let conf = conf(r#", "ipam": {"type": "host-local"}"#).unwrap();
        assert!(conf.masquerade.is_none() && conf.mtu.is_none() && conf.dns.is_none());
        assert_eq!(conf.ipam, "host-local");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (keys, text) in [
            ("", "ipam.type is missing"),
            (r#", "ipam": {"type": ""}"#, "ipam.type is missing"),
            (
                r#", "mtu": 67, "ipam": {"type": "a"}"#,
                "invalid mtu 67 (must be 0 for automatic, or between 68 and 65535)",
            ),
            (
                r#", "ipMasqBackend": "x", "ipam": {"type": "a"}"#,
                r#"unknown ipmasq backend "x""#,
            ),
            (
                r#", "nonMasqueradeCIDRs": ["10.0.0.1"], "ipam": {"type": "a"}"#,
                "invalid CIDR address: 10.0.0.1",
            ),
        ] {
            let error = conf(keys).unwrap_err();
            assert_eq!(error.code, Code::INVALID_CONFIG, "{keys}");
            assert!(error.msg.contains(text), "{keys}: {}", error.msg);
        }
    }
}
