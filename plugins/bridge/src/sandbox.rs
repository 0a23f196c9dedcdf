// SPDX-License-Identifier: Apache-2.0
//! The container's side: what the kernel does with addresses there, the addresses, the link up,
//! the routes.

use cni::{Code, Error, OrCode};
use net::{Link, LinkChange, Mac, Netns, Rtnl, sysctl};
use std::time::Duration;

use crate::conf::Conf;
use crate::plan::Plan;

/// How long duplicate address detection may take before ADD gives up.
const DAD_LIMIT: Duration = Duration::from_secs(5);

/// A sandbox and a socket in it.
pub(crate) struct Sandbox<'a> {
    netns: &'a Netns,
    rtnl: Rtnl,
    ifname: &'a str,
}

impl<'a> Sandbox<'a> {
    /// The sandbox `netns`, whose interface `ifname` is, or will be, the container interface.
    pub(crate) fn open(netns: &'a Netns, ifname: &'a str) -> Result<Self, Error> {
        let rtnl = Rtnl::open_in(netns).or_code(Code::KERNEL, "enter the sandbox")?;
        Ok(Self {
            netns,
            rtnl,
            ifname,
        })
    }

    /// The container interface, when there is one.
    pub(crate) fn interface(&self) -> Result<Option<Link>, Error> {
        let wish = || format!("look up {:?} in the sandbox", self.ifname);
        self.rtnl.link(self.ifname).or_code(Code::KERNEL, wish())
    }

    /// Addresses, then up (so that the kernel announces them), then routes.
    pub(crate) fn configure(&self, index: u32, conf: &Conf, plan: &Plan) -> Result<(), Error> {
        self.set_sysctls(conf, plan)?;
        for ip in &plan.ips {
            let wish = || {
                format!(
                    "add address {} to {:?} in the sandbox",
                    ip.address, self.ifname
                )
            };
            self.rtnl
                .add_address(index, ip.address, !conf.dad)
                .or_code(Code::KERNEL, wish())?;
        }
        self.set_up(index)?;
        for route in &plan.routes {
            let route = plan.kernel_route(route, index);
            let wish = || match route.gateway {
                Some(gateway) => format!("add route {} via {gateway} to the sandbox", route.dst),
                None => format!("add route {} to the sandbox", route.dst),
            };
            self.rtnl.add_route(&route).or_code(Code::KERNEL, wish())?;
        }
        Ok(())
    }

    /// Sets the container interface up: `ip link set eth0 up`.
    pub(crate) fn set_up(&self, index: u32) -> Result<(), Error> {
        let up = LinkChange {
            up: Some(true),
            ..LinkChange::default()
        };
        let wish = || format!("set {:?} in the sandbox up", self.ifname);
        self.rtnl
            .change_link(index, &up)
            .or_code(Code::KERNEL, wish())
    }

    /// Tells the neighbours whose addresses are this interface's now: they may have known them by
    /// another MAC address. The kernel does that when a link comes up, but then the bridge port
    /// does not forward yet; it does it again when the MAC address is set, to the same even.
    pub(crate) fn announce(&self, index: u32, mac: Mac) -> Result<(), Error> {
        let same = LinkChange {
            mac: Some(mac),
            ..LinkChange::default()
        };
        let wish = || format!("announce the addresses of {:?} in the sandbox", self.ifname);
        self.rtnl
            .change_link(index, &same)
            .or_code(Code::KERNEL, wish())
    }

    /// With duplicate address detection, ADD is done when the addresses can be used.
    pub(crate) fn wait_for_detection(&self, index: u32, plan: &Plan) -> Result<(), Error> {
        if plan.ips.iter().all(|ip| ip.address.is_ipv4()) {
            return Ok(());
        }
        let wish = format!("detect duplicates of the addresses of {:?}", self.ifname);
        let settled = self
            .rtnl
            .wait_settled(index, DAD_LIMIT)
            .or_code(Code::KERNEL, &wish)?;
        match settled
            .into_iter()
            .find(|address| address.dad_failed || address.tentative)
        {
            None => Ok(()),
            Some(address) if address.dad_failed => {
                let msg = format!("{wish}: another host has {}", address.network);
                Err(Error::new(Code::ADDRESS_UNAVAILABLE, msg))
            }
            Some(address) => {
                let msg = format!("{wish}: {} is still tentative", address.network);
                Err(Error::new(Code::TRY_AGAIN_LATER, msg))
            }
        }
    }

    /// Only what an IPv6 address can't do without is an error: hosts without IPv6, and sandboxes
    /// with a read-only /proc/sys, attach with IPv4.
    fn set_sysctls(&self, conf: &Conf, plan: &Plan) -> Result<(), Error> {
        let v6 = plan.ips.iter().any(|ip| ip.address.is_ipv6());
        let (accept, enhanced) = if conf.dad { ("1", "1") } else { ("0", "0") };
        let ifname = self.ifname;
        let set = || {
            let conf_v6 = |key: &str| format!("net/ipv6/conf/{ifname}/{key}");
            let _ = sysctl::ensure(&conf_v6("accept_dad"), accept);
            if conf.dad {
                let _ = sysctl::ensure(&conf_v6("enhanced_dad"), enhanced);
            }
            // Without these two the kernel announces nothing.
            let _ = sysctl::ensure(&format!("net/ipv4/conf/{ifname}/arp_notify"), "1");
            if !v6 {
                return Ok(());
            }
            let _ = sysctl::ensure(&conf_v6("ndisc_notify"), "1");
            let _ = sysctl::ensure(&conf_v6("keep_addr_on_down"), "1");
            let _ = sysctl::ensure("net/ipv6/conf/lo/disable_ipv6", "0");
            sysctl::ensure(&conf_v6("disable_ipv6"), "0")
        };
        let wish = format!("allow IPv6 on {ifname:?} in the sandbox");
        self.netns
            .run(set)
            .or_code(Code::KERNEL, &wish)?
            .or_code(Code::KERNEL, &wish)
    }
}
