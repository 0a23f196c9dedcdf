// SPDX-License-Identifier: Apache-2.0
//! ADD: all of the limits or none. The kernel limits what leaves a link. What goes to the container
//! leaves the host's end of its pair; what comes from it is made to leave an ifb before it goes on.

use attachment::Ends;
use cni::{Add, AddResult, Code, Error, Interface, OrCode, Version};
use net::{Link, Qdisc, Rtnl, Undo};

use crate::conf::{Conf, Limit};
use crate::{ifb, port};

/// Limits the attachment's rates; the result is that of the plugins before, and the ifb.
pub(crate) fn add(call: &Add) -> Result<AddResult, Error> {
    let conf = Conf::new(&call.network)?;
    let mut result = call.chained()?.clone();
    if conf.is_empty() {
        return Ok(result);
    }
    let rtnl = Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?;
    let ends = Ends::find(&rtnl, &call.netns, &call.attachment)?;
    let port = port::of(&ends)?;
    if let Some(misfit) = port::misfits(&conf, port).into_iter().next() {
        return Err(Error::new(Code::INVALID_CONFIG, misfit));
    }
    ensure_unlimited(&rtnl, &conf, port)?;
    let mut undo = Undo::new();
    if let Some(limit) = conf.ingress {
        limit_ingress(&rtnl, port, limit, &mut undo)?;
    }
    if let Some(limit) = conf.egress {
        let ifb = limit_egress(call, &rtnl, port, limit, &mut undo)?;
        result.interfaces.push(ifb);
    }
    undo.disarm();
    Ok(result)
}

/// What somebody else gave to the link stays as it is.
fn ensure_unlimited(rtnl: &Rtnl, conf: &Conf, port: &Link) -> Result<(), Error> {
    let name = &port.name;
    let wish = || format!("look at the queueing disciplines of {name:?}");
    let refuse = |there: &Qdisc| {
        let there = word(there);
        let msg = format!("{name:?} has the queueing discipline {there} already");
        Err(Error::new(Code::CONFLICT, msg))
    };
    if conf.ingress.is_some()
        && let Some(there) = rtnl.root_qdisc(port.index).or_code(Code::KERNEL, wish())?
    {
        return refuse(&there);
    }
    if conf.egress.is_some()
        && let Some(there) = rtnl
            .ingress_qdisc(port.index)
            .or_code(Code::KERNEL, wish())?
    {
        return refuse(&there);
    }
    Ok(())
}

fn word(qdisc: &Qdisc) -> &str {
    match qdisc {
        Qdisc::Tbf(_) => "tbf",
        Qdisc::Ingress => "ingress",
        Qdisc::Clsact => "clsact",
        Qdisc::Other(name) => name,
    }
}

fn limit_ingress<'a>(
    rtnl: &'a Rtnl,
    port: &Link,
    limit: Limit,
    undo: &mut Undo<'a>,
) -> Result<(), Error> {
    let index = port.index;
    rtnl.limit(index, &limit.tbf())
        .or_code(Code::KERNEL, "limit what goes to the container")?;
    undo.push(move || drop(rtnl.delete_root_qdisc(index)));
    Ok(())
}

fn limit_egress<'a>(
    call: &Add,
    rtnl: &'a Rtnl,
    port: &Link,
    limit: Limit,
    undo: &mut Undo<'a>,
) -> Result<Interface, Error> {
    let wish = "limit what comes from the container";
    let ifb = ifb::create(rtnl, call, port.mtu)?;
    let (index, from) = (ifb.index, port.index);
    undo.push(move || drop(rtnl.delete_link(index)));
    rtnl.limit(index, &limit.tbf())
        .or_code(Code::KERNEL, wish)?;
    ifb.set_up(rtnl).or_code(Code::KERNEL, wish)?;
    rtnl.add_ingress(from).or_code(Code::KERNEL, wish)?;
    undo.push(move || drop(rtnl.delete_ingress_qdisc(from)));
    rtnl.redirect(from, index).or_code(Code::KERNEL, wish)?;
    Ok(Interface {
        name: ifb.name,
        mac: Some(ifb.mac.to_string()),
        mtu: (call.network.version >= Version::V1_1_0).then_some(port.mtu),
        ..Interface::default()
    })
}
