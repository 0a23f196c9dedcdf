// SPDX-License-Identifier: Apache-2.0
//! Looks at the host.

use net::{Link, Rtnl, sysctl};
use nft::{Family, Nft, Table, forward};

use super::networks::Network;

/// Those of br_netfilter's switches that the network's pods need and that are not on.
pub(super) fn bridge_netfilter_off(network: &Network) -> Vec<&'static str> {
    let switches = [
        (network.ipv6, "net/bridge/bridge-nf-call-ip6tables"),
        (
            network.ipv4_or_unknown(),
            "net/bridge/bridge-nf-call-iptables",
        ),
    ];
    let off = |path: &str| !sysctl::read(path).is_ok_and(|value| value == "1");
    let needed = switches
        .into_iter()
        .filter(|(needed, path)| *needed && off(path));
    needed.map(|(_, path)| path).collect()
}

/// Whether new links get no IPv6 addresses.
pub(super) fn ipv6_is_off() -> bool {
    let off = |whose: &str| {
        let value = sysctl::read(&format!("net/ipv6/conf/{whose}/disable_ipv6"));
        !value.is_ok_and(|value| value == "0")
    };
    off("all") || off("default")
}

/// Whether the host forwards for the pods that are here: each ADD turns that on, and something else
/// may have turned it off since.
pub(super) fn forwarding() -> Result<Vec<String>, String> {
    let gateways = gateways().map_err(|error| error.to_string())?;
    let families = [
        (true, "IPv4", "net/ipv4/ip_forward"),
        (false, "IPv6", "net/ipv6/conf/all/forwarding"),
    ];
    let off = |path: &str| sysctl::read(path).is_ok_and(|value| value != "1");
    let findings = families.into_iter().filter_map(|(ipv4, family, path)| {
        let gateway = gateways.iter().find(|(_, it)| it.network.is_ipv4() == ipv4)?;
        let (name, address) = (&gateway.0, gateway.1.network.ip());
        off(path).then(|| {
            format!(
                "{path} is 0: nothing is forwarded for the {family} pods whose gateway {address} is \
                 on {name:?}; set it to 1, and find out what set it back"
            )
        })
    });
    Ok(findings.collect())
}

/// The addresses of Podwire's interfaces here: bridges, and host ends of pairs.
fn gateways() -> Result<Vec<(String, net::Address)>, net::Error> {
    let rtnl = Rtnl::open()?;
    let mut gateways = Vec::new();
    for (index, address) in rtnl.all_addresses()? {
        if address.link_local || address.network.ip().is_loopback() {
            continue;
        }
        let link = rtnl.link_at(index)?.filter(is_ours);
        gateways.extend(link.map(|link| (link.name, address)));
    }
    Ok(gateways)
}

/// By the alias that the plugins give.
fn is_ours(link: &Link) -> bool {
    let alias = link.alias.as_deref();
    alias.is_some_and(|alias| alias == "podwire" || alias.starts_with("podwire "))
}

/// Whether nf_tables can be used, and whether a firewall drops what is forwarded of a family that the
/// networks' pods have.
pub(super) fn firewall(networks: &[Network]) -> Result<Vec<String>, String> {
    let unusable = |error: nft::Error| {
        format!(
            "nf_tables can't be used, so masquerade and all that needs rules fails: {error}; the \
             kernel needs CONFIG_NF_TABLES_INET and CONFIG_NFT_MASQ"
        )
    };
    let mut nft = Nft::open().map_err(unusable)?;
    let any = Table {
        family: Family::Inet,
        name: "podwire",
    };
    nft.has_table(any).map_err(unusable)?;
    let dropping = match networks {
        [] => Vec::new(),
        _ => forward::dropping(&mut nft).map_err(unusable)?,
    };
    let concerns = |table: &Table<'_>| {
        let mut networks = networks.iter();
        networks.any(|network| match table.family {
            Family::Ipv6 => network.ipv6,
            _ => network.ipv4_or_unknown(),
        })
    };
    let sentence = |table| {
        format!(
            "chain FORWARD of {table} drops what no rule of it accepts (Docker sets that), and has \
             no rule of a network plugin's: what pods send by this host is lost, unless a rule of \
             your own accepts it; put the plugin firewall into their network's list, or accept \
             their addresses there"
        )
    };
    Ok(dropping
        .into_iter()
        .filter(concerns)
        .map(sentence)
        .collect())
}

/// Host interfaces of pods whose packets the overlay can't carry.
pub(super) fn misfits(pod_mtu: u32) -> Result<Vec<String>, String> {
    let veths = Rtnl::open().and_then(|rtnl| rtnl.veths());
    let veths = veths.map_err(|error| error.to_string())?;
    let misfits = veths
        .into_iter()
        .filter(|it| is_ours(it) && it.mtu > pod_mtu);
    let sentence = |link: Link| {
        let Link { name, mtu, .. } = link;
        format!(
            "{name:?} has the MTU {mtu}, and the overlay carries {pod_mtu}: large packets to other \
             nodes are lost; put the plugin vxlan behind the one that attaches pods, and make the \
             pod anew"
        )
    };
    Ok(misfits.map(sentence).collect())
}
