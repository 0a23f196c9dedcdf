// SPDX-License-Identifier: Apache-2.0
//! ADD: all of the attachment or nothing of it. The bridge, its gateway and the network's rules
//! belong to the network and stay.

use attachment::{End, Lease, NewPair, Pair, Sandbox, ensure_absent, keys};
use cni::{Add, AddResult, Code, Dns, Error, OrCode, RunningAdd, Version};
use net::{Netns, Rtnl, Undo};
use std::time::Duration;

use crate::attached::Attached;
use crate::bridge_port;
use crate::conf::Conf;
use crate::firewall::{self, Rules};
use crate::gateway;
use crate::host_bridge::{self, HostBridge};
use crate::plan::Plan;

/// How long the kernel may take to see the port's carrier, which it does in the background.
const PORT_LIMIT: Duration = Duration::from_secs(5);

/// How often the pair is made when somebody deletes the bridge under it.
const ATTEMPTS: u32 = 4;

/// Attaches the sandbox; the errors' codes are those of `docs/errors.md`.
pub(crate) fn add(call: &Add) -> Result<AddResult, Error> {
    let conf = Conf::new(&call.network, &call.args(&["MAC"])?)?;
    expressible(call.network.version, &conf)?;
    let netns = Netns::open(&call.netns).or_code(
        Code::INVALID_NETNS,
        format_args!("failed to open netns {:?}", call.netns),
    )?;
    let rtnl = Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?;
    let sandbox = Sandbox::open(&netns, &call.attachment.ifname)?;
    let attachment = (call.network.name.as_str(), &call.attachment);
    ensure_absent(&rtnl, attachment, &sandbox)?;
    let lease = Lease::of(call, conf.ipam.as_deref())?;
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
        // The addresses are sought while the kernel works.
        let seeking = self.lease.seek()?;
        let (bridge, pair) = self.create_pair()?;
        let index = pair.host.index;
        undo.push(move || drop(rtnl.delete_link(index)));
        bridge_port::configure(rtnl, conf, &bridge, &pair.host)?;
        let (plan, dns) = self.addresses(seeking)?;
        keys::refuse_mtu_without_ipv6(pair.mtu, &plan.layer3.addresses())?;
        undo.push(move || drop(firewall::release(&call.network.name, &call.attachment)));
        self.ensure_rules(&pair, &plan)?;
        let vlan_interface = match conf.is_gateway && conf.ipam.is_some() {
            true => gateway::ensure(rtnl, conf, &bridge, &plan.gateways)?,
            false => None,
        };
        self.bring_up(&pair, &plan)?;
        let bridge = bridge.link;
        let attached = Attached {
            bridge,
            pair,
            vlan_interface,
            layer3: plan.layer3,
            dns,
        };
        Ok(attached.report(call))
    }

    /// Configures the container interface and waits until it can be reached.
    fn bring_up(&self, pair: &Pair, plan: &Plan) -> Result<(), Error> {
        let Self { conf, sandbox, .. } = *self;
        let container = pair.container.index;
        if conf.container_down {
            return Ok(());
        }
        if conf.ipam.is_none() {
            sandbox.set_up(container)?;
            return self.wait_until_frames_pass(&pair.host);
        }
        sandbox.configure(container, &plan.layer3, conf.dad)?;
        self.wait_until_frames_pass(&pair.host)?;
        if conf.dad {
            sandbox.wait_for_detection(container, &plan.layer3)?;
        }
        sandbox.announce(container, pair.container.mac)
    }

    /// A bridge that somebody deletes between the two steps is made again.
    fn create_pair(&self) -> Result<(HostBridge, Pair), Error> {
        let Self {
            call,
            conf,
            netns,
            rtnl,
            ..
        } = *self;
        let mut attempts = 1..ATTEMPTS;
        loop {
            let bridge = host_bridge::ensure(rtnl, conf)?;
            let new = NewPair {
                network: &call.network.name,
                attachment: &call.attachment,
                netns,
                mac: conf.mac,
                mtu: bridge.mtu,
                bridge: Some((&conf.bridge, bridge.link.index)),
            };
            match Pair::create(rtnl, &new) {
                Ok(pair) => return Ok((bridge, pair)),
                Err(error) => {
                    let there = rtnl.link_at(bridge.link.index);
                    let there = there.or_code(Code::KERNEL, "look up the bridge")?.is_some();
                    if there || attempts.next().is_none() {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Waits for the IPAM plugin.
    fn addresses(&self, seeking: Option<RunningAdd>) -> Result<(Plan, Dns), Error> {
        let own_dns = self.conf.dns.clone();
        let Some(seeking) = seeking else {
            return Ok((Plan::default(), own_dns.unwrap_or_default()));
        };
        let found = self.lease.wait(seeking)?;
        let plan = Plan::new(self.conf, &found)?;
        Ok((plan, own_dns.unwrap_or(found.dns)))
    }

    fn ensure_rules(&self, pair: &Pair, plan: &Plan) -> Result<(), Error> {
        let rules = Rules {
            network: &self.call.network.name,
            port: &pair.host.name,
            addresses: &plan.layer3.addresses(),
            mac: pair.container.mac,
        };
        rules.ensure(self.conf)
    }

    fn wait_until_frames_pass(&self, port: &End) -> Result<(), Error> {
        let wish = || format!("wait for bridge port {:?} to forward", port.name);
        let running = self.rtnl.wait_running(port.index, PORT_LIMIT);
        if running.or_code(Code::KERNEL, wish())? {
            return Ok(());
        }
        Err(Error::new(
            Code::TRY_AGAIN_LATER,
            wish() + ": it has no carrier",
        ))
    }
}

/// Before version 0.3.0 a result is its addresses: without one there is nothing to say.
fn expressible(version: Version, conf: &Conf) -> Result<(), Error> {
    if version >= Version::V0_3_0 || conf.ipam.is_some() {
        return Ok(());
    }
    let msg = format!("cniVersion {version} can't express an attachment without addresses");
    Err(Error::new(Code::INVALID_CONFIG, msg)
        .with_details("use cniVersion 0.3.0 or newer, or ipam"))
}
