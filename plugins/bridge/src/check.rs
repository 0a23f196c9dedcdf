// SPDX-License-Identifier: Apache-2.0
//! CHECK: the attachment is as ADD made it. What may change in good order is not compared: the
//! bridge's MAC address, and what plugins behind this one report in prevResult.

use attachment::Findings;
use attachment::name::host_interface;
use cni::{AddResult, Call, Check, Code, Error, OrCode};
use net::{Link, Rtnl};

use crate::conf::Conf;
use crate::firewall::Rules;
use crate::host_bridge;
use crate::plan::Plan;

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
    let plan = plan_of(call, &conf, prev)?;
    let container = findings.of_container(call, prev, &plan.layer3, conf.container_down)?;
    if let Some(container) = container
        && let Some(port) = findings.of_port(&rtnl, &container)?
    {
        check_port(&rtnl, &conf, &bridge, &port, &mut findings)?;
        check_rules(call, &conf, &plan, (&container, &port), &mut findings)?;
    }
    check_gateway(&rtnl, &conf, &plan, &bridge, &mut findings)?;
    findings.report()
}

/// What prevResult's addresses mean, as ADD saw it; nothing on layer 2.
fn plan_of(call: &Check, conf: &Conf, prev: &AddResult) -> Result<Plan, Error> {
    let ips: Vec<_> = prev
        .container_ips(&call.attachment.ifname)
        .cloned()
        .collect();
    if ips.is_empty() {
        return Ok(Plan::default());
    }
    let of_ipam = AddResult {
        ips,
        ..AddResult::default()
    };
    Plan::new(conf, &of_ipam)
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

fn check_port(
    rtnl: &Rtnl,
    conf: &Conf,
    bridge: &Link,
    port: &Link,
    findings: &mut Findings,
) -> Result<(), Error> {
    let name = &port.name;
    findings.unless(port.up, || format!("bridge port {name:?} is down"));
    findings.unless(port.master == Some(bridge.index), || {
        format!("{name:?} is not a port of bridge {:?}", bridge.name)
    });
    if let Some(flags) = port.port {
        // `portmap` sets it where a container could not reach itself else.
        findings.unless(flags.hairpin || !conf.hairpin, || {
            format!("hairpin mode of bridge port {name:?} is {}", flags.hairpin)
        });
        findings.unless(flags.isolated == conf.isolated, || {
            format!("isolation of bridge port {name:?} is {}", flags.isolated)
        });
    }
    if conf.vlans.need_filtering() {
        let wish = format_args!("read the VLANs of {name:?}");
        let carried = rtnl.port_vlans(port.index).or_code(Code::KERNEL, wish)?;
        let missing = conf.vlans.missing_of(&carried).into_iter();
        findings.extend(missing.map(|vlan| {
            let net::PortVlan { first, last, .. } = vlan;
            format!("{name:?} has lost VLAN {first}-{last}")
        }));
    }
    Ok(())
}

fn check_rules(
    call: &Check,
    conf: &Conf,
    plan: &Plan,
    (container, port): (&Link, &Link),
    findings: &mut Findings,
) -> Result<(), Error> {
    // A pair of another name was made by the reference plugin, and rules of its kind with it.
    if port.name != host_interface(&call.network.name, &call.attachment) {
        return Ok(());
    }
    let rules = Rules {
        network: &call.network.name,
        port: &port.name,
        addresses: &plan.layer3.addresses(),
        mac: container.mac,
    };
    findings.extend(rules.missing(conf)?);
    Ok(())
}

fn check_gateway(
    rtnl: &Rtnl,
    conf: &Conf,
    plan: &Plan,
    bridge: &Link,
    findings: &mut Findings,
) -> Result<(), Error> {
    if plan.gateways.is_empty() {
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
    findings.of_gateways(&name, &present, &plan.gateways);
    findings.of_forwarding(&plan.layer3)
}
