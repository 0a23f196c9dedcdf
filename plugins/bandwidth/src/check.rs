// SPDX-License-Identifier: Apache-2.0
//! CHECK: what differs from the wish, whoever made it. A direction that is not to be limited may be
//! somebody else's.

use attachment::Ends;
use cni::{Check, Code, Error, OrCode};
use net::{Kind, Link, Qdisc, Rtnl, Tbf};

use crate::conf::{Conf, Limit};
use crate::{ifb, port};

/// Names every difference.
pub(crate) fn check(call: &Check) -> Result<(), Error> {
    let conf = Conf::new(&call.network)?;
    call.required_prev_result()?;
    if conf.is_empty() {
        return Ok(());
    }
    let rtnl = Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?;
    let ends = Ends::find(&rtnl, &call.netns, &call.attachment)?;
    let port = port::of(&ends)?;
    let mut findings = port::misfits(&conf, port);
    if let Some(limit) = conf.ingress {
        findings.extend(differences(&rtnl, port, limit)?);
    }
    if let Some(limit) = conf.egress {
        findings.extend(check_egress(call, &rtnl, port, limit)?);
    }
    if findings.is_empty() {
        return Ok(());
    }
    Err(Error::new(Code::CHECK_FAILED, findings.join("; ")))
}

fn check_egress(
    call: &Check,
    rtnl: &Rtnl,
    port: &Link,
    limit: Limit,
) -> Result<Vec<String>, Error> {
    let Some(ifb) = redirected_to(call, rtnl, port)? else {
        let name = &port.name;
        let sentence =
            format!("what comes in by {name:?} is not redirected to the container's ifb");
        return Ok(vec![sentence]);
    };
    let mut findings = differences(rtnl, &ifb, limit)?;
    if !ifb.up {
        findings.push(format!("ifb {:?} is down", ifb.name));
    }
    Ok(findings)
}

/// The attachment's ifb, if all packets go there.
fn redirected_to(call: &Check, rtnl: &Rtnl, port: &Link) -> Result<Option<Link>, Error> {
    let names = ifb::names(&call.network.name, &call.attachment);
    let wish = || format!("look at the filters of {:?}", port.name);
    if rtnl
        .ingress_qdisc(port.index)
        .or_code(Code::KERNEL, wish())?
        .is_none()
    {
        return Ok(None);
    }
    for index in rtnl
        .redirections(port.index)
        .or_code(Code::KERNEL, wish())?
    {
        let link = rtnl.link_at(index).or_code(Code::KERNEL, wish())?;
        let is_ours = |link: &Link| link.kind == Kind::Ifb && names.contains(&link.name);
        if let Some(link) = link.filter(is_ours) {
            return Ok(Some(link));
        }
    }
    Ok(None)
}

/// How the limit of what leaves a link differs from the wish.
fn differences(rtnl: &Rtnl, link: &Link, limit: Limit) -> Result<Vec<String>, Error> {
    let name = &link.name;
    let wish = format_args!("look at the limit of {name:?}");
    let Some(Qdisc::Tbf(bucket)) = rtnl.root_qdisc(link.index).or_code(Code::KERNEL, wish)? else {
        return Ok(vec![format!("{name:?} has lost its limit")]);
    };
    let has_burst = limit.has_burst();
    let tbf @ Tbf { rate, burst, limit } = limit.tbf();
    let mut findings = Vec::new();
    let is = bucket.rate;
    if is != rate {
        findings.push(format!(
            "{name:?} is limited to {is} bytes a second, not to {rate}"
        ));
    }
    // Where nobody says the burst, the reference plugin's is as good.
    if !has_burst {
        return Ok(findings);
    }
    if is == rate && !bucket.holds(&tbf) {
        let is = bucket.burst();
        findings.push(format!(
            "{name:?} has a burst of {is} bytes, not of {burst}"
        ));
    }
    if bucket.limit != limit {
        let is = bucket.limit;
        findings.push(format!(
            "{name:?} has a queue of {is} bytes, not of {limit}"
        ));
    }
    Ok(findings)
}
