// SPDX-License-Identifier: Apache-2.0
//! CHECK: the mappings are as ADD made them, and the container still has the addresses that they lead
//! to.

use cni::{Check, Code, Error, OrCode};
use net::Rtnl;
use nft::Nft;

use crate::conf::Conf;
use crate::mapping::{Mapping, resolve};
use crate::ruleset::OfNetwork;
use crate::table::{self, Wish};
use crate::{holder, localnet, sandbox};

/// Looks at everything and reports all that differs, code 105.
pub(crate) fn check(call: &Check) -> Result<(), Error> {
    let conf = Conf::new(&call.network)?;
    let prev = call.required_prev_result()?;
    if conf.wishes.is_empty() {
        return Ok(());
    }
    let addresses = prev.container_addresses(&call.attachment.ifname);
    let mappings = resolve(&conf.wishes, &addresses)?;
    let network = &call.network.name;
    let holder = holder::of(network, &call.attachment);
    let mut nft = Nft::open().or_code(Code::FIREWALL, "talk to nf_tables")?;
    let mappings = table::without_siblings(&mut nft, &holder, mappings)
        .or_code(Code::FIREWALL, "read the port mappings")?;
    if mappings.is_empty() {
        return Ok(());
    }
    let wish = Wish {
        network: OfNetwork::new(network, &conf.policy),
        holder: &holder,
        mappings: &mappings,
        addresses: &addresses,
        ports: &[],
        own_port: None,
    };
    let host = Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?;
    let missing = table::missing(&mut nft, &wish);
    let mut findings = missing.or_code(Code::FIREWALL, "read the port mappings")?;
    for part in [
        interfaces(&host, call, &conf, &mappings, &mut findings),
        settings(&host, &conf, &mappings, &mut findings),
    ] {
        findings.extend(part.err().map(|error| error.msg));
    }
    if findings.is_empty() {
        return Ok(());
    }
    Err(Error::new(Code::CHECK_FAILED, findings.join("; ")))
}

fn interfaces(
    host: &Rtnl,
    call: &Check,
    conf: &Conf,
    mappings: &[Mapping],
    findings: &mut Vec<String>,
) -> Result<(), Error> {
    let ends = sandbox::ends(host, &call.netns, &call.attachment, mappings)?;
    let port = conf
        .policy
        .snat
        .and_then(|_| sandbox::port_without_hairpin(&ends));
    findings.extend(port.map(|port| {
        format!(
            "bridge port {:?} does not send frames back, so the container can't reach itself",
            port.name
        )
    }));
    Ok(())
}

fn settings(
    host: &Rtnl,
    conf: &Conf,
    mappings: &[Mapping],
    findings: &mut Vec<String>,
) -> Result<(), Error> {
    for port in localnet::ports(host, &conf.policy, mappings)? {
        findings.extend(port.missing()?);
    }
    Ok(())
}
