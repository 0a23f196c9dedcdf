// SPDX-License-Identifier: Apache-2.0
//! CHECK: the attachment is as ADD made it. What may change in good order is not compared: the
//! bridge's MAC address, and what plugins behind this one report in prevResult.

use cni::{AddResult, Call, Check, Code, Error, Ip, OrCode};
use ipnetwork::IpNetwork;
use net::{Kind, Link, Netns, Rtnl, sysctl};

use crate::conf::Conf;
use crate::firewall::Rules;
use crate::gateway;
use crate::host_bridge;
use crate::plan::Plan;
use attachment::name::host_interface;

/// Looks at everything and reports all that differs, code 105.
pub(crate) fn check(call: &Check) -> Result<(), Error> {
    let conf = Conf::new(&call.network, &call.args(&["MAC"])?)?;
    if let Some(plugin) = &conf.ipam {
        call.delegate(plugin)?.check()?;
    }
    let prev = call.required_prev_result()?;
    let rtnl = Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?;
    let mut findings = Findings::default();
    let bridge = check_bridge(&rtnl, &conf, &mut findings)?;
    if let Some(container) = check_container(call, &conf, prev, &mut findings)? {
        let port = check_port(&rtnl, &conf, &bridge, &container, &mut findings)?;
        check_rules(call, &conf, prev, (&container, &port), &mut findings)?;
    }
    check_gateway(&rtnl, &conf, ips_of(call, prev), &bridge, &mut findings)?;
    findings.report()
}

/// What differs, a sentence each.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn unless(&mut self, right: bool, sentence: impl FnOnce() -> String) {
        if !right {
            self.0.push(sentence());
        }
    }

    fn report(self) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Error::new(Code::CHECK_FAILED, self.0.join("; ")))
    }
}

/// Without the bridge nothing else can be told, so that is an error at once.
fn check_bridge(rtnl: &Rtnl, conf: &Conf, findings: &mut Findings) -> Result<Link, Error> {
    let name = &conf.bridge;
    let link = rtnl
        .link(name)
        .or_code(Code::KERNEL, format_args!("look up bridge {name:?}"))?;
    let missing = || Error::new(Code::CHECK_FAILED, format!("bridge {name:?} is missing"));
    let link = link.ok_or_else(missing)?;
    let (filters, _) = host_bridge::as_bridge(&link)?;
    findings.unless(link.up, || format!("bridge {name:?} is down"));
    findings.unless(link.promisc || !conf.promisc, || {
        format!("bridge {name:?} is not in promiscuous mode")
    });
    findings.unless(filters || !conf.vlans.need_filtering(), || {
        format!("bridge {name:?} does not filter VLANs")
    });
    Ok(link)
}

/// The container interface with its addresses and routes; `None` when it is missing.
fn check_container(
    call: &Check,
    conf: &Conf,
    prev: &AddResult,
    findings: &mut Findings,
) -> Result<Option<Link>, Error> {
    let ifname = &call.attachment.ifname;
    let netns = Netns::open(&call.netns).or_code(
        Code::INVALID_NETNS,
        format_args!("failed to open netns {:?}", call.netns),
    )?;
    let wish = || format!("look up {ifname:?} in the sandbox");
    let rtnl = Rtnl::open_in(&netns).or_code(Code::KERNEL, wish())?;
    let link = rtnl.link(ifname).or_code(Code::KERNEL, wish())?;
    let Some(link) = link.filter(|link| link.kind == Kind::Veth) else {
        findings
            .0
            .push(format!("the sandbox has no veth interface {ifname:?}"));
        return Ok(None);
    };
    findings.unless(link.up || conf.container_down, || {
        format!("{ifname:?} is down")
    });
    let recorded = prev
        .interfaces
        .iter()
        .find(|i| &i.name == ifname && i.sandbox.is_some());
    match recorded {
        None => findings
            .0
            .push(format!("prevResult has no container interface {ifname:?}")),
        Some(interface) => {
            let mac = interface.mac.as_ref().and_then(|mac| mac.parse().ok());
            findings.unless(mac.is_none_or(|mac: net::Mac| mac == link.mac), || {
                format!(
                    "{ifname:?} has MAC address {}, not {mac:?} as reported",
                    link.mac
                )
            });
        }
    }
    let addresses = rtnl.addresses(link.index).or_code(Code::KERNEL, wish())?;
    for wanted in addresses_of(call, prev) {
        findings.unless(
            addresses.iter().any(|present| present.network == wanted),
            || format!("{ifname:?} has lost its address {wanted}"),
        );
    }
    check_routes(&rtnl, prev, findings)?;
    Ok(Some(link))
}

/// Plugins chained behind may have made routes by interfaces of their own.
fn check_routes(rtnl: &Rtnl, prev: &AddResult, findings: &mut Findings) -> Result<(), Error> {
    if prev.routes.is_empty() {
        return Ok(());
    }
    let mut present = Vec::new();
    for interface in prev.interfaces.iter().filter(|i| i.sandbox.is_some()) {
        let name = &interface.name;
        let wish = || format!("read the routes of {name:?} in the sandbox");
        if let Some(link) = rtnl.link(name).or_code(Code::KERNEL, wish())? {
            present.extend(rtnl.routes(link.index).or_code(Code::KERNEL, wish())?);
        }
    }
    for route in &prev.routes {
        let there = present.iter().any(|kernel| {
            kernel.dst == route.dst
                && route
                    .gw
                    .is_none_or(|gateway| kernel.gateway == Some(gateway))
                && route.table.is_none_or(|table| kernel.table == Some(table))
        });
        findings.unless(there, || {
            format!("the sandbox has lost its route to {}", route.dst)
        });
    }
    Ok(())
}

/// The host interface, found from the container's: its name is the reference plugin's own choice
/// where that one made the pair.
fn check_port(
    rtnl: &Rtnl,
    conf: &Conf,
    bridge: &Link,
    container: &Link,
    findings: &mut Findings,
) -> Result<Option<Link>, Error> {
    let wish = || format!("look up the peer of {:?}", container.name);
    let peer = match container.peer {
        Some(index) => rtnl.link_at(index).or_code(Code::KERNEL, wish())?,
        None => None,
    };
    let peer = peer.filter(|peer| peer.kind == Kind::Veth && peer.peer == Some(container.index));
    let Some(port) = peer else {
        findings
            .0
            .push(format!("{:?} has no peer on the host", container.name));
        return Ok(None);
    };
    let name = &port.name;
    findings.unless(port.up, || format!("bridge port {name:?} is down"));
    findings.unless(port.master == Some(bridge.index), || {
        format!("{name:?} is not a port of bridge {:?}", bridge.name)
    });
    if let Some(flags) = port.port {
        findings.unless(flags.hairpin == conf.hairpin, || {
            format!("hairpin mode of bridge port {name:?} is {}", flags.hairpin)
        });
        findings.unless(flags.isolated == conf.isolated, || {
            format!("isolation of bridge port {name:?} is {}", flags.isolated)
        });
    }
    if conf.vlans.need_filtering() {
        let carried = rtnl.port_vlans(port.index).or_code(Code::KERNEL, wish())?;
        for vlan in conf.vlans.missing_of(&carried) {
            findings.0.push(format!(
                "{name:?} has lost VLAN {}-{}",
                vlan.first, vlan.last
            ));
        }
    }
    Ok(Some(port))
}

fn check_rules(
    call: &Check,
    conf: &Conf,
    prev: &AddResult,
    (container, port): (&Link, &Option<Link>),
    findings: &mut Findings,
) -> Result<(), Error> {
    // A pair of another name was made by the reference plugin, and rules of its kind with it.
    let name = host_interface(&call.network.name, &call.attachment);
    let Some(port) = port.as_ref().filter(|port| port.name == name) else {
        return Ok(());
    };
    let rules = Rules {
        network: &call.network.name,
        port: &port.name,
        addresses: &addresses_of(call, prev),
        mac: container.mac,
    };
    findings.0.extend(rules.missing(conf)?);
    Ok(())
}

fn check_gateway(
    rtnl: &Rtnl,
    conf: &Conf,
    ips: Vec<Ip>,
    bridge: &Link,
    findings: &mut Findings,
) -> Result<(), Error> {
    if !conf.is_gateway || ips.is_empty() {
        return Ok(());
    }
    let name = conf.gateway_interface();
    let wish = || format!("read the addresses of {name:?}");
    let holder = match conf.vlans.access {
        Some(_) => rtnl
            .link(&name)
            .or_code(Code::KERNEL, wish())?
            .map(|link| link.index),
        None => Some(bridge.index),
    };
    let present = match holder {
        Some(index) => rtnl.addresses(index).or_code(Code::KERNEL, wish())?,
        None => Vec::new(),
    };
    let of_ipam = AddResult {
        ips,
        ..AddResult::default()
    };
    let gateways = Plan::new(conf, &of_ipam)?.gateways;
    for gateway in &gateways {
        findings.unless(
            present.iter().any(|address| address.network == *gateway),
            || format!("{name:?} has lost the gateway's address {gateway}"),
        );
    }
    for path in gateway::forwarding_of(&gateways) {
        let on = sysctl::read(path).or_code(Code::KERNEL, "read the forwarding switch")?;
        findings.unless(on == "1", || format!("{path} is {on}"));
    }
    Ok(())
}

fn addresses_of(call: &Check, prev: &AddResult) -> Vec<IpNetwork> {
    ips_of(call, prev).iter().map(|ip| ip.address).collect()
}

/// What prevResult has on the container interface: plugins chained behind may have put addresses
/// on interfaces of their own.
fn ips_of(call: &Check, prev: &AddResult) -> Vec<Ip> {
    let ours = |index: usize| {
        prev.interfaces.get(index).is_some_and(|interface| {
            interface.name == call.attachment.ifname && interface.sandbox.is_some()
        })
    };
    prev.ips
        .iter()
        .filter(|ip| ip.interface.is_none_or(ours))
        .cloned()
        .collect()
}
