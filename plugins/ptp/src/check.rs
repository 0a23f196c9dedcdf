// SPDX-License-Identifier: Apache-2.0
//! CHECK: the attachment is as ADD made it.

use attachment::Findings;
use attachment::name::host_interface;
use cni::{AddResult, Call, Check, Code, Error, OrCode};
use net::{Link, Rtnl};

use crate::conf::Conf;
use crate::firewall;
use crate::plan::Plan;

/// Looks at everything and reports all that differs, code 105.
pub(crate) fn check(call: &Check) -> Result<(), Error> {
    let conf = Conf::new(&call.network)?;
    call.delegate(&conf.ipam)?.check()?;
    let prev = call.required_prev_result()?;
    let of_ipam = AddResult {
        ips: prev
            .container_ips(&call.attachment.ifname)
            .cloned()
            .collect(),
        ..AddResult::default()
    };
    let plan = Plan::new(&of_ipam)?;
    let rtnl = Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?;
    let mut findings = Findings::default();
    let container = findings.of_container(call, prev, &plan.layer3, false)?;
    if let Some(container) = container
        && let Some(port) = findings.of_port(&rtnl, &container)?
    {
        check_host(&rtnl, &plan, &port, &mut findings)?;
        // A pair of another name was made by the reference plugin, and rules of its kind with it.
        if port.name == host_interface(&call.network.name, &call.attachment) {
            let addresses = plan.layer3.addresses();
            let network = &call.network.name;
            findings.extend(firewall::missing(&conf, network, &port.name, &addresses)?);
        }
    }
    findings.of_forwarding(&plan.layer3)?;
    findings.report()
}

/// The host's end: up, the gateways' addresses, a route to each address of the attachment.
fn check_host(rtnl: &Rtnl, plan: &Plan, port: &Link, findings: &mut Findings) -> Result<(), Error> {
    let name = &port.name;
    findings.unless(port.up, || format!("host interface {name:?} is down"));
    let wish = || format!("read addresses and routes of {name:?}");
    let present = rtnl.addresses(port.index).or_code(Code::KERNEL, wish())?;
    findings.of_gateways(name, &present, &plan.gateways);
    let routes = rtnl.routes(port.index).or_code(Code::KERNEL, wish())?;
    for host in &plan.hosts {
        findings.unless(routes.iter().any(|route| route.dst == *host), || {
            format!("the host has lost its route to {host} by {name:?}")
        });
    }
    Ok(())
}
