// SPDX-License-Identifier: Apache-2.0
//! ADD: all of the attachment or nothing of it. The bridge, its gateway and the network's rules
//! belong to the network and stay.

use cni::{
    Add, AddResult, Call, Code, Delegate, Dns, Error, Interface, OrCode, RunningAdd, Version,
};
use net::{Link, Netns, Rtnl, Undo};
use std::time::Duration;

use crate::bridge_port::{self, Pair};
use crate::conf::Conf;
use crate::firewall::{self, Rules};
use crate::gateway;
use crate::host_bridge::{self, HostBridge};
use crate::plan::Plan;
use crate::sandbox::Sandbox;

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
    bridge_port::ensure_absent(&rtnl, attachment, &sandbox)?;
    let ipam = match &conf.ipam {
        Some(plugin) => Some(call.delegate(plugin)?),
        None => None,
    };
    let mut undo = Undo::new();
    let site = Site {
        call,
        conf: &conf,
        netns: &netns,
        rtnl: &rtnl,
        sandbox: &sandbox,
    };
    let result = site.attach(ipam.as_ref(), &mut undo)?;
    undo.disarm();
    Ok(result)
}

/// Where an ADD happens: its input, and a socket at each end.
struct Site<'a> {
    call: &'a Add,
    conf: &'a Conf,
    netns: &'a Netns,
    rtnl: &'a Rtnl,
    sandbox: &'a Sandbox<'a>,
}

/// What the attachment became, for the result.
struct Attached {
    bridge: HostBridge,
    pair: Pair,
    vlan_interface: Option<Link>,
    plan: Plan,
    dns: Dns,
}

impl<'a> Site<'a> {
    fn attach(&self, ipam: Option<&'a Delegate>, undo: &mut Undo<'a>) -> Result<AddResult, Error> {
        let Self {
            call,
            conf,
            rtnl,
            sandbox,
            ..
        } = *self;
        // The addresses are sought while the kernel works.
        let seeking = ipam.map(Delegate::start_add).transpose()?;
        let (bridge, pair) = self.create_pair()?;
        let index = pair.host.index;
        undo.push(move || drop(rtnl.delete_link(index)));
        bridge_port::configure(rtnl, conf, &bridge, &pair.host)?;
        let (plan, dns) = self.addresses(seeking, ipam, undo)?;
        undo.push(move || drop(firewall::release(&call.network.name, &call.attachment)));
        self.ensure_rules(&pair, &plan)?;
        let vlan_interface = match conf.is_gateway && conf.ipam.is_some() {
            true => gateway::ensure(rtnl, conf, &bridge, &plan.gateways)?,
            false => None,
        };
        let container = sandbox.index()?;
        if conf.ipam.is_some() {
            sandbox.configure(container, conf, &plan)?;
        } else if !conf.container_down {
            sandbox.set_up(container)?;
        }
        self.wait_until_frames_pass(&pair, container, &plan)?;
        if conf.ipam.is_some() {
            sandbox.announce(container, pair.container_mac)?;
        }
        Ok(report(
            call,
            Attached {
                bridge,
                pair,
                vlan_interface,
                plan,
                dns,
            },
        ))
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
        let attachment = (call.network.name.as_str(), &call.attachment);
        let mut attempts = 1..ATTEMPTS;
        loop {
            let bridge = host_bridge::ensure(rtnl, conf)?;
            match bridge_port::create(rtnl, conf, &bridge, attachment, netns) {
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

    /// Waits for the IPAM plugin, and has its answer undone when ADD fails later.
    fn addresses(
        &self,
        seeking: Option<RunningAdd>,
        ipam: Option<&'a Delegate>,
        undo: &mut Undo<'a>,
    ) -> Result<(Plan, Dns), Error> {
        let own_dns = self.conf.dns.clone();
        let (Some(seeking), Some(ipam)) = (seeking, ipam) else {
            return Ok((Plan::default(), own_dns.unwrap_or_default()));
        };
        let found = seeking.finish()?;
        undo.push(move || drop(ipam.del()));
        let plan = Plan::new(self.conf, &found)?;
        Ok((plan, own_dns.unwrap_or(found.dns)))
    }

    fn ensure_rules(&self, pair: &Pair, plan: &Plan) -> Result<(), Error> {
        let rules = Rules {
            network: &self.call.network.name,
            port: &pair.host.name,
            addresses: &plan.addresses(),
            mac: pair.container_mac,
        };
        rules.ensure(self.conf)
    }

    fn wait_until_frames_pass(
        &self,
        pair: &Pair,
        container: u32,
        plan: &Plan,
    ) -> Result<(), Error> {
        if self.conf.container_down {
            return Ok(());
        }
        let name = &pair.host.name;
        let wish = || format!("wait for bridge port {name:?} to forward");
        let running = self.rtnl.wait_running(pair.host.index, PORT_LIMIT);
        if !running.or_code(Code::KERNEL, wish())? {
            return Err(Error::new(
                Code::TRY_AGAIN_LATER,
                wish() + ": it has no carrier",
            ));
        }
        match self.conf.dad {
            true => self.sandbox.wait_for_detection(container, plan),
            false => Ok(()),
        }
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

/// Interfaces in the order that users of the reference plugin know: bridge, host, container.
fn report(call: &Add, attached: Attached) -> AddResult {
    let Attached {
        bridge,
        pair,
        vlan_interface,
        plan,
        dns,
    } = attached;
    let with_mtu = |mtu| (call.network.version >= Version::V1_1_0).then_some(mtu);
    let interface = |name: &str, mac: net::Mac, mtu| Interface {
        name: name.to_owned(),
        mac: Some(mac.to_string()),
        mtu: with_mtu(mtu),
        ..Interface::default()
    };
    let of_link = |link: &Link| interface(&link.name, link.mac, link.mtu);
    let container = Interface {
        sandbox: Some(call.netns.to_string_lossy().into_owned()),
        ..interface(&call.attachment.ifname, pair.container_mac, pair.host.mtu)
    };
    let mut interfaces = vec![of_link(&bridge.link), of_link(&pair.host), container];
    interfaces.extend(vlan_interface.as_ref().map(of_link));
    AddResult {
        interfaces,
        ips: plan.ips,
        routes: plan.routes,
        dns,
    }
}
