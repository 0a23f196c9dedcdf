// SPDX-License-Identifier: Apache-2.0
//! The plugin's configuration: as typed (`RawConf`), then as a value that can't be inconsistent
//! (`Conf`). Everything that needs no kernel is decided here, before anything is changed.

use attachment::keys;
use cni::{Cidr, Code, Dns, Error, Network};
use ipnetwork::IpNetwork;
use net::Mac;
use serde::Deserialize;
use std::collections::BTreeMap;

use crate::vlan::{RawTrunk, Vlans};

/// The bridge that is used when the configuration names none.
const DEFAULT_BRIDGE: &str = "cni0";
/// Longest name of an interface in bytes, IFNAMSIZ - 1 of `linux/if.h`.
const NAME_MAX: usize = 15;

/// The keys that this plugin reads, as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawConf {
    bridge: String,
    is_gateway: bool,
    is_default_gateway: bool,
    force_address: bool,
    ip_masq: bool,
    ip_masq_backend: Option<String>,
    #[serde(rename = "nonMasqueradeCIDRs")]
    non_masquerade_cidrs: Vec<Cidr>,
    mtu: i64,
    hairpin_mode: bool,
    promisc_mode: bool,
    vlan: i64,
    vlan_trunk: Option<Vec<RawTrunk>>,
    preserve_default_vlan: bool,
    macspoofchk: bool,
    enabledad: bool,
    disable_container_interface: bool,
    port_isolation: bool,
    route_via_gateway: bool,
    dns: Dns,
    args: RawArgs,
    runtime_config: RawMac,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawArgs {
    cni: RawMac,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawMac {
    mac: String,
}

/// What the configuration asks for, valid as far as can be known without the kernel.
#[derive(Debug)]
pub(crate) struct Conf {
    /// The bridge's name.
    pub(crate) bridge: String,
    /// Whether the bridge gets the gateway's addresses and the host forwards.
    pub(crate) is_gateway: bool,
    /// Whether the sandbox gets a default route by that gateway.
    pub(crate) is_default_gateway: bool,
    /// Whether an address of the bridge that overlaps the gateway's makes way for it.
    pub(crate) force_address: bool,
    /// Masquerade, and the destinations that it spares beside the network's own.
    pub(crate) masquerade: Option<Vec<IpNetwork>>,
    /// MTU in bytes of the pair and the bridge; `None`: that of the device of the default route.
    pub(crate) mtu: Option<u32>,
    /// Whether the port sends frames back to where they came from.
    pub(crate) hairpin: bool,
    /// Whether the bridge is set promiscuous.
    pub(crate) promisc: bool,
    /// The port's VLANs.
    pub(crate) vlans: Vlans,
    /// Whether frames with another source MAC address than the container's are dropped.
    pub(crate) mac_spoof_check: bool,
    /// Whether IPv6 addresses go through duplicate address detection.
    pub(crate) dad: bool,
    /// Whether the container interface stays down.
    pub(crate) container_down: bool,
    /// Whether the port can't reach other isolated ports.
    pub(crate) isolated: bool,
    /// Whether the sandbox reaches also its own subnet by the gateway.
    pub(crate) route_via_gateway: bool,
    /// Replaces the IPAM plugin's DNS settings.
    pub(crate) dns: Option<Dns>,
    /// The container's MAC address, by the order runtimeConfig, args.cni, CNI_ARGS.
    pub(crate) mac: Option<Mac>,
    /// The IPAM plugin; `None`: the attachment is of layer 2 only.
    pub(crate) ipam: Option<String>,
}

impl Conf {
    /// The configuration of `network` with the values of CNI_ARGS; errors carry the codes of
    /// CNI specification 1.1.0 section 5.
    pub(crate) fn new(network: &Network, args: &BTreeMap<String, String>) -> Result<Self, Error> {
        let raw: RawConf = network.conf()?;
        let ipam = network.ipam_type().map(str::to_owned);
        conflicts(&raw, ipam.is_some())?;
        let mac = container_mac(&raw, args)?;
        let conf = Self {
            bridge: bridge_name(raw.bridge)?,
            is_gateway: raw.is_gateway || raw.is_default_gateway,
            is_default_gateway: raw.is_default_gateway,
            force_address: raw.force_address,
            masquerade: keys::masquerade(
                raw.ip_masq,
                raw.ip_masq_backend.as_deref(),
                &raw.non_masquerade_cidrs,
            )?,
            mtu: keys::mtu(raw.mtu)?,
            hairpin: raw.hairpin_mode,
            promisc: raw.promisc_mode,
            vlans: Vlans::new(raw.vlan, raw.vlan_trunk, raw.preserve_default_vlan)
                .map_err(invalid)?,
            mac_spoof_check: raw.macspoofchk,
            dad: raw.enabledad,
            container_down: raw.disable_container_interface,
            isolated: raw.port_isolation,
            route_via_gateway: raw.route_via_gateway,
            dns: (!raw.dns.is_empty()).then_some(raw.dns),
            mac,
            ipam,
        };
        conf.gateway_interface_has_a_legal_name()?;
        Ok(conf)
    }

    /// The interface that holds the gateway's addresses: the bridge, or its VLAN interface.
    pub(crate) fn gateway_interface(&self) -> String {
        match self.vlans.access {
            Some(id) => format!("{}.{id}", self.bridge),
            None => self.bridge.clone(),
        }
    }

    fn gateway_interface_has_a_legal_name(&self) -> Result<(), Error> {
        let name = self.gateway_interface();
        if self.is_gateway && name.len() > NAME_MAX {
            return Err(invalid(format!(
                "the gateway of vlan and bridge would be the interface {name:?}, whose name is \
                 longer than {NAME_MAX} bytes"
            )));
        }
        Ok(())
    }
}

/// The bridge's name alone, for verbs that must work with a configuration that is otherwise
/// invalid.
pub(crate) fn bridge_of(network: &Network) -> Result<String, Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Named {
        bridge: String,
    }
    bridge_name(network.conf::<Named>()?.bridge)
}

fn invalid(sentence: impl Into<String>) -> Error {
    Error::new(Code::INVALID_CONFIG, sentence)
}

fn conflicts(raw: &RawConf, has_ipam: bool) -> Result<(), Error> {
    if raw.hairpin_mode && raw.promisc_mode {
        return Err(invalid(
            "cannot set hairpin mode and promiscuous mode at the same time",
        ));
    }
    if raw.disable_container_interface && has_ipam {
        return Err(invalid(
            "cannot use IPAM when DisableContainerInterface flag is set",
        ));
    }
    if raw.route_via_gateway && !(has_ipam && (raw.is_gateway || raw.is_default_gateway)) {
        return Err(invalid(
            "routeViaGateway needs a gateway on the bridge: isGateway, and ipam",
        ));
    }
    Ok(())
}

fn bridge_name(name: String) -> Result<String, Error> {
    let name = if name.is_empty() {
        DEFAULT_BRIDGE.to_owned()
    } else {
        name
    };
    // Of `%d` the kernel makes a number.
    let illegal = |c: char| "/:%".contains(c) || c.is_whitespace() || c.is_control();
    if name.len() > NAME_MAX {
        return Err(invalid(format!(
            "bridge name {name:?} is longer than {NAME_MAX} bytes"
        )));
    }
    if name == "." || name == ".." || name.contains(illegal) {
        return Err(invalid(format!(
            "bridge name {name:?} is not a legal interface name"
        )));
    }
    Ok(name)
}

fn container_mac(raw: &RawConf, args: &BTreeMap<String, String>) -> Result<Option<Mac>, Error> {
    let from_args = args.get("MAC").map_or("", String::as_str);
    let sources = [
        (
            Code::INVALID_CONFIG,
            "runtimeConfig.mac",
            raw.runtime_config.mac.as_str(),
        ),
        (
            Code::INVALID_CONFIG,
            "args.cni.mac",
            raw.args.cni.mac.as_str(),
        ),
        (Code::INVALID_ENVIRONMENT, "MAC of CNI_ARGS", from_args),
    ];
    let Some((code, source, text)) = sources.into_iter().find(|(_, _, text)| !text.is_empty())
    else {
        return Ok(None);
    };
    let refused = |why: &str| Error::new(code, format!("{source}: address {text}: {why}"));
    let mac: Mac = text.parse().map_err(|_| refused("invalid MAC address"))?;
    if mac.is_zero() || mac.octets()[0] & 1 == 1 {
        return Err(refused(
            "no interface can have a zero or a multicast MAC address",
        ));
    }
    Ok(Some(mac))
}

#[cfg(test)]
mod tests;
