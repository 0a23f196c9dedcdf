// SPDX-License-Identifier: Apache-2.0
//! DEL: whatever is left of the attachment, with whatever input is left. The configuration's own
//! keys are not read: one that no longer validates is no obstacle.

use cni::{Call, Code, Del, Error, OrCode};
use net::{Kind, Link, Netns, Rtnl};

use crate::attachment::{alias, host_interface, is_ours};
use crate::firewall;

/// Takes the attachment away. The address is released only when its interface is gone, so that
/// nobody else is given it too early.
pub(crate) fn del(call: &Del) -> Result<(), Error> {
    let link = delete_link(call);
    let ipam = match &link {
        Ok(()) => release_addresses(call),
        Err(_) => Ok(()),
    };
    let rules = firewall::release(&call.network.name, &call.attachment);
    Error::join(
        [link, ipam, rules]
            .into_iter()
            .filter_map(Result::err)
            .collect(),
    )
}

fn release_addresses(call: &Del) -> Result<(), Error> {
    match call.network.ipam_type() {
        Some(plugin) => call.delegate(plugin)?.del(),
        None => Ok(()),
    }
}

/// Deletes the pair by its host interface, which needs no namespace. Only a pair that the
/// reference plugin made has to be looked for in the sandbox.
fn delete_link(call: &Del) -> Result<(), Error> {
    let name = host_interface(&call.network.name, &call.attachment);
    let wish = || format!("delete {name:?}");
    let rtnl = Rtnl::open().or_code(Code::KERNEL, wish())?;
    if let Some(link) = rtnl.link(&name).or_code(Code::KERNEL, wish())? {
        return delete(&rtnl, &link);
    }
    let Some(path) = &call.netns else {
        return Ok(());
    };
    match Netns::open(path) {
        // A file that is no namespace is what an unmounted one leaves behind.
        Err(error) if error.is_gone() || error.is_not_namespace() => Ok(()),
        opened => {
            let sandbox = opened.or_code(
                Code::INVALID_NETNS,
                format_args!("failed to open netns {path:?}"),
            )?;
            delete_in_sandbox(&rtnl, call, &sandbox)
        }
    }
}

fn delete_in_sandbox(host: &Rtnl, call: &Del, sandbox: &Netns) -> Result<(), Error> {
    let ifname = &call.attachment.ifname;
    let wish = || format!("look up {ifname:?} in the sandbox");
    let inside = Rtnl::open_in(sandbox).or_code(Code::KERNEL, wish())?;
    let link = inside.link(ifname).or_code(Code::KERNEL, wish())?;
    let Some(link) = link.filter(|link| link.kind == Kind::Veth) else {
        return Ok(());
    };
    let peer = match link.peer {
        Some(index) => host.link_at(index).or_code(Code::KERNEL, wish())?,
        None => None,
    };
    if peer.is_some_and(|peer| belongs_to_another(&peer, call)) {
        return Ok(());
    }
    delete(&inside, &link)
}

/// Whether the pair is one of ours but not this attachment's: a DEL after an ADD that failed
/// because the name was taken must not take the other attachment with it.
fn belongs_to_another(host: &Link, call: &Del) -> bool {
    let own = alias(&call.network.name, &call.attachment);
    host.alias
        .as_deref()
        .is_some_and(|alias| is_ours(alias) && alias != own)
}

fn delete(rtnl: &Rtnl, link: &Link) -> Result<(), Error> {
    match rtnl.delete_link(link.index) {
        Err(error) if error.is_not_found() => Ok(()),
        deleted => deleted.or_code(Code::KERNEL, format_args!("delete {:?}", link.name)),
    }
}
