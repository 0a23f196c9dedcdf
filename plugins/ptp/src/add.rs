// SPDX-License-Identifier: Apache-2.0
//! ADD: all of the attachment or nothing of it. The network's rules stay.

use attachment::{Lease, NewPair, Pair, Sandbox, ensure_absent, keys, mtu_of_default_route};
use cni::{Add, AddResult, Code, Error, Interface, OrCode, RunningAdd, Version};
use ipnetwork::IpNetwork;
use net::{Mac, Netns, Rtnl, Undo};
use std::time::Duration;

use crate::conf::Conf;
use crate::plan::Plan;
use crate::{firewall, host};

/// How long the kernel may take to see the pair's carrier, which it does in the background.
const PAIR_LIMIT: Duration = Duration::from_secs(5);

/// Attaches the sandbox; the errors' codes are those of `docs/errors.md`.
pub(crate) fn add(call: &Add) -> Result<AddResult, Error> {
    let conf = Conf::new(&call.network)?;
    let netns = Netns::open(&call.netns).or_code(
        Code::INVALID_NETNS,
        format_args!("failed to open netns {:?}", call.netns),
    )?;
    let rtnl = Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?;
    let sandbox = Sandbox::open(&netns, &call.attachment.ifname)?;
    let attachment = (call.network.name.as_str(), &call.attachment);
    ensure_absent(&rtnl, attachment, &sandbox)?;
    let lease = Lease::of(call, Some(&conf.ipam))?;
    let mut undo = Undo::new();
    let site = Site {
        call,
        conf: &conf,
        netns: &netns,
        rtnl: &rtnl,
        sandbox: &sandbox,
        lease: &lease,
    };
    let result = site.attach(&mut undo)?;
    undo.disarm();
    lease.keep();
    Ok(result)
}

/// Where an ADD happens: its input, and a socket at each end.
struct Site<'a> {
    call: &'a Add,
    conf: &'a Conf,
    netns: &'a Netns,
    rtnl: &'a Rtnl,
    sandbox: &'a Sandbox<'a>,
    lease: &'a Lease,
}

impl<'a> Site<'a> {
    fn attach(&self, undo: &mut Undo<'a>) -> Result<AddResult, Error> {
        let Self {
            call, conf, rtnl, ..
        } = *self;
        let network = call.network.name.as_str();
        // The addresses are sought while the kernel works.
        let seeking = self.lease.seek()?;
        let pair = self.create_pair()?;
        let index = pair.host.index;
        undo.push(move || drop(rtnl.delete_link(index)));
        host::prepare(&pair.host);
        let found = self.found(seeking)?;
        let plan = Plan::new(&found)?;
        keys::refuse_mtu_without_ipv6(pair.mtu, &plan.layer3.addresses())?;
        undo.push(move || drop(firewall::release(network, &call.attachment)));
        firewall::ensure(conf, network, &pair.host.name, &plan.layer3.addresses())?;
        host::configure(rtnl, &pair.host, &plan)?;
        let container = pair.container.index;
        self.sandbox.configure(container, &plan.layer3, false)?;
        self.wait_until_packets_pass(&pair)?;
        self.wait_until_ipv6_is_ready(&pair, &plan)?;
        Ok(AddResult {
            interfaces: self.interfaces(&pair),
            ips: plan.layer3.ips,
            routes: plan.layer3.routes,
            dns: conf.dns.clone().unwrap_or(found.dns),
        })
    }

    fn create_pair(&self) -> Result<Pair, Error> {
        let mtu = match self.conf.mtu {
            Some(mtu) => Some(mtu),
            None => mtu_of_default_route(self.rtnl)?,
        };
        let new = NewPair {
            network: &self.call.network.name,
            attachment: &self.call.attachment,
            netns: self.netns,
            mac: None,
            mtu,
            bridge: None,
        };
        Pair::create(self.rtnl, &new)
    }

    /// Waits for the IPAM plugin.
    fn found(&self, seeking: Option<RunningAdd>) -> Result<AddResult, Error> {
        seeking.map_or_else(
            || Ok(AddResult::default()),
            |running| self.lease.wait(running),
        )
    }

    fn wait_until_packets_pass(&self, pair: &Pair) -> Result<(), Error> {
        let wish = || format!("wait for host interface {:?} to run", pair.host.name);
        let running = self.rtnl.wait_running(pair.host.index, PAIR_LIMIT);
        if running.or_code(Code::KERNEL, wish())? {
            return Ok(());
        }
        Err(Error::new(
            Code::TRY_AGAIN_LATER,
            wish() + ": it has no carrier",
        ))
    }

    /// The kernel gives the ends their link-local addresses when there is a carrier, and takes them
    /// into use in the background. Before that the host finds no pod, and tries again after a second.
    fn wait_until_ipv6_is_ready(&self, pair: &Pair, plan: &Plan) -> Result<(), Error> {
        if plan.hosts.iter().all(IpNetwork::is_ipv4) {
            return Ok(());
        }
        let wish = format_args!("wait for the addresses of {:?}", pair.host.name);
        let settled = self.rtnl.wait_settled(pair.host.index, PAIR_LIMIT);
        settled.or_code(Code::KERNEL, wish)?;
        let container = pair.container.index;
        self.sandbox.wait_for_detection(container, &plan.layer3)
    }

    /// In the order that users of the reference plugin know: host, container. Their MTU from
    /// version 1.1.0 on, which knows the field.
    fn interfaces(&self, pair: &Pair) -> Vec<Interface> {
        let with_mtu = self.call.network.version >= Version::V1_1_0;
        let interface = |name: &str, mac: Mac, sandbox| Interface {
            name: name.to_owned(),
            mac: Some(mac.to_string()),
            mtu: with_mtu.then_some(pair.mtu),
            sandbox,
            ..Interface::default()
        };
        let sandbox = self.call.netns.to_string_lossy().into_owned();
        vec![
            interface(&pair.host.name, pair.host.mac, None),
            interface(&pair.container.name, pair.container.mac, Some(sandbox)),
        ]
    }
}
