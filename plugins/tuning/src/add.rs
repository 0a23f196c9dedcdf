// SPDX-License-Identifier: Apache-2.0
//! ADD: all of it or nothing. What can be refused is refused before the first change; what was
//! there is kept before it.

use std::iter;

use attachment::{Ends, keys};
use cni::{Add, AddResult, Code, Error, OrCode, Version};
use net::{Netns, Rtnl, Undo, sysctl};

use crate::attributes::Attributes;
use crate::backup::Backup;
use crate::conf::Conf;
use crate::settings::invalid;
use crate::sysctls::{self, Sysctl};
use crate::{allowlist, carried, guard};

/// Tunes; the result is that of the plugins before, with what is another now.
pub(crate) fn add(call: &Add) -> Result<AddResult, Error> {
    let conf = Conf::of_add(call)?;
    let prev = call.prev_result.as_ref().ok_or_else(|| {
        invalid("Required prevResult missing")
            .with_details("put it behind the plugin that makes the interface, such as bridge")
    })?;
    if conf.is_empty() {
        return Ok(prev.clone());
    }
    let addresses = prev.container_addresses(&call.attachment.ifname);
    if let Some(mtu) = conf.wish.mtu {
        keys::refuse_mtu_without_ipv6(mtu, &addresses)?;
    }
    sysctls::refuse_others(&conf.sysctls, &call.attachment.ifname, prev)?;
    allowlist::check(&conf.sysctls)?;
    let wish = format_args!("failed to open netns {:?}", call.netns);
    let netns = Netns::open(&call.netns).or_code(Code::INVALID_NETNS, wish)?;
    let rtnl = match conf.wish.is_empty() {
        true => None,
        false => Some(Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?),
    };
    let ends = match &rtnl {
        Some(rtnl) => Some(Ends::find(rtnl, &call.netns, &call.attachment)?),
        None => None,
    };
    let before = in_sandbox(&netns, || read(&conf.sysctls))?;
    let mut undo = Undo::new();
    set(&netns, &conf.sysctls, &before, &mut undo)?;
    if let Some(ends) = &ends {
        change(call, &conf, ends, &mut undo)?;
    }
    undo.disarm();
    Ok(report(call, &conf.wish, prev.clone()))
}

fn read(sysctls: &[Sysctl]) -> Result<Vec<Option<String>>, Error> {
    sysctls.iter().map(Sysctl::read).collect()
}

fn set<'a>(
    netns: &'a Netns,
    sysctls: &'a [Sysctl],
    before: &'a [Option<String>],
    undo: &mut Undo<'a>,
) -> Result<(), Error> {
    for (sysctl, before) in sysctls.iter().zip(before) {
        if let Some(value) = before {
            let interfaces = in_sandbox(netns, || Ok(carried::over(&sysctl.path)))?;
            let put_back = move || {
                let own = (&sysctl.path, value);
                for (path, value) in iter::once(own).chain(interfaces.iter().map(|(p, v)| (p, v))) {
                    drop(sysctl::ensure(path, value));
                }
            };
            undo.push(move || drop(netns.run(put_back)));
        }
        in_sandbox(netns, || sysctl.set(before.as_deref()))?;
    }
    Ok(())
}

/// Changes the interface. The guard learns of a new MAC address first, so that the frames by which
/// the kernel announces it pass.
fn change<'a>(
    call: &'a Add,
    conf: &'a Conf,
    ends: &'a Ends<'a>,
    undo: &mut Undo<'a>,
) -> Result<(), Error> {
    let link = &ends.container;
    let original = Attributes::of(link).named_by(&conf.wish);
    let network = &call.network.name;
    let backup = Backup::of(&conf.data_dir, network, &call.attachment);
    let earlier = backup.keep(original)?;
    undo.push(move || drop(backup.put_back(earlier.as_deref())));
    if let Some(mac) = conf.wish.mac
        && let Some(earlier) = guard::admit(network, ends, mac)?
    {
        undo.push(move || earlier.put_back());
    }
    let index = link.index;
    // The kernel may have carried out a part of what it refuses in the end.
    undo.push(move || drop(ends.inside.change_link(index, &original.change())));
    let wish = format!("give {:?} {}", link.name, conf.wish.words());
    let changed = ends.inside.change_link(index, &conf.wish.change());
    changed.or_code(Code::KERNEL, wish)
}

fn in_sandbox<T>(netns: &Netns, f: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    netns
        .run(f)
        .or_code(Code::KERNEL, "tune the sandbox")
        .flatten()
}

/// MTUs are in results since version 1.1.0.
fn report(call: &Add, wish: &Attributes, mut result: AddResult) -> AddResult {
    let ifname = &call.attachment.ifname;
    let interfaces = result.interfaces.iter_mut();
    for interface in interfaces.filter(|it| it.sandbox.is_some() && it.name == *ifname) {
        let mtu = wish.mtu.filter(|_| call.network.version >= Version::V1_1_0);
        interface.mtu = mtu.or(interface.mtu);
        let mac = wish.mac.map(|mac| mac.to_string());
        interface.mac = mac.or_else(|| interface.mac.take());
    }
    result
}
