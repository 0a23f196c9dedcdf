// SPDX-License-Identifier: Apache-2.0
//! The plugin's configuration: as typed (`RawConf`), then as a value that can't be inconsistent
//! (`Conf`). Everything that needs no kernel is decided here, before anything is changed.

use cni::{Code, Error, Network};
use nft::Protocol;
use serde::Deserialize;

use crate::conditions::{self, Conditions};
use crate::mapping::{RawMapping, Wish};

/// The bit of the mark that is used when the configuration names none.
const DEFAULT_MARK_BIT: i64 = 13;
/// The chains that set a mark, which `externalSetMarkChain` can name: kube-proxy's, whose own rules
/// masquerade what bears it, and that of the reference plugin.
const KUBERNETES: (&str, u32) = ("KUBE-MARK-MASQ", 0x4000);
const REFERENCE: (&str, u32) = ("CNI-HOSTPORT-SETMARK", 0x2000);

/// The keys that this plugin reads, as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawConf {
    backend: Option<String>,
    snat: Option<bool>,
    masq_all: bool,
    mark_masq_bit: Option<i64>,
    external_set_mark_chain: Option<String>,
    conditions_v4: Option<Vec<String>>,
    conditions_v6: Option<Vec<String>>,
    runtime_config: RawRuntime,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawRuntime {
    port_mappings: Vec<RawMapping>,
}

/// What the configuration asks for, valid as far as can be known without the kernel.
#[derive(Debug)]
pub(crate) struct Conf {
    /// How the network's mappings are served.
    pub(crate) policy: Policy,
    /// The mappings that the runtime wants for this attachment.
    pub(crate) wishes: Vec<Wish>,
}

/// How the mappings of a network are served.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// Which clients are hidden behind the host's address; `None`: no one.
    pub(crate) snat: Option<Snat>,
    /// What packets of IPv4 and of IPv6 must be like.
    pub(crate) conditions: [Conditions; 2],
}

/// How clients are hidden from the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snat {
    /// Whether all are, and not only those whose answers would not come back else.
    pub(crate) all: bool,
    /// The mark that their packets get.
    pub(crate) mark: u32,
    /// Whether somebody else masquerades what bears the mark.
    pub(crate) external: bool,
}

impl Conf {
    /// The configuration of `network`; errors carry the codes of CNI specification 1.1.0 section 5.
    pub(crate) fn new(network: &Network) -> Result<Self, Error> {
        let raw: RawConf = network.conf()?;
        let wishes = raw.runtime_config.port_mappings.iter().map(Wish::new);
        let wishes = wishes.collect::<Result<_, _>>()?;
        match raw.backend.as_deref() {
            None | Some("" | "iptables" | "nftables") => {}
            Some(other) => return Err(invalid(format!("unrecognized backend {other:?}"))),
        }
        let v4 = conditions::parse(raw.conditions_v4.as_deref(), Protocol::V4)?;
        let v6 = conditions::parse(raw.conditions_v6.as_deref(), Protocol::V6)?;
        Ok(Self {
            policy: Policy {
                snat: snat(&raw)?,
                conditions: [v4, v6],
            },
            wishes,
        })
    }
}

fn snat(raw: &RawConf) -> Result<Option<Snat>, Error> {
    let chain = raw.external_set_mark_chain.as_deref();
    let chain = chain.filter(|chain| !chain.is_empty());
    if chain.is_some() && raw.mark_masq_bit.is_some() {
        let text = "Cannot specify externalSetMarkChain and markMasqBit";
        return Err(invalid(text.to_owned()));
    }
    let bit = raw.mark_masq_bit.unwrap_or(DEFAULT_MARK_BIT);
    let Some(bit) = u32::try_from(bit).ok().filter(|bit| *bit < u32::BITS) else {
        return Err(invalid(format!(
            "MasqMarkBit must be between 0 and 31, and is {bit}"
        )));
    };
    let (mark, external) = match chain {
        None => (1 << bit, false),
        Some(name) if name == KUBERNETES.0 => (KUBERNETES.1, true),
        Some(name) if name == REFERENCE.0 => (REFERENCE.1, false),
        Some(other) => return Err(unknown_chain(other)),
    };
    Ok(raw.snat.unwrap_or(true).then_some(Snat {
        all: raw.masq_all,
        mark,
        external,
    }))
}

/// What a chain of iptables does is not known here, and nf_tables can't jump to one of another table.
fn unknown_chain(name: &str) -> Error {
    invalid(format!(
        "externalSetMarkChain {name:?} is not known: it may be {:?} (mark {:#x}, masqueraded by \
         kube-proxy) or {:?} (mark {:#x}); for another mark use markMasqBit",
        KUBERNETES.0, KUBERNETES.1, REFERENCE.0, REFERENCE.1
    ))
}

fn invalid(sentence: String) -> Error {
    Error::new(Code::INVALID_CONFIG, sentence)
}

#[cfg(test)]
#[path = "conf_tests.rs"]
mod tests;
