// SPDX-License-Identifier: Apache-2.0
//! The container's side: what the kernel does with addresses there, the addresses, the link up,
//! the routes.

use cni::{Code, Error, OrCode};
use net::{Link, LinkChange, Mac, Netns, Rtnl, sysctl};
use std::time::Duration;

use crate::layer3::Layer3;

/// How long duplicate address detection may take before ADD gives up.
const DAD_LIMIT: Duration = Duration::from_secs(5);

/// A sandbox and a socket in it.
#[derive(Debug)]
pub struct Sandbox<'a> {
    netns: &'a Netns,
    rtnl: Rtnl,
    ifname: &'a str,
}

impl<'a> Sandbox<'a> {
    /// The sandbox `netns`, whose interface `ifname` is, or will be, the container interface.
    ///
    /// # Errors
    /// [`Code::KERNEL`].
    pub fn open(netns: &'a Netns, ifname: &'a str) -> Result<Self, Error> {
        let rtnl = Rtnl::open_in(netns).or_code(Code::KERNEL, "enter the sandbox")?;
        Ok(Self {
            netns,
            rtnl,
            ifname,
        })
    }

    /// The container interface, when there is one.
    ///
    /// # Errors
    /// [`Code::KERNEL`].
    pub fn interface(&self) -> Result<Option<Link>, Error> {
        let wish = || format!("look up {:?} in the sandbox", self.ifname);
        self.rtnl.link(self.ifname).or_code(Code::KERNEL, wish())
    }

    /// Addresses, then up (so that the kernel announces them), then routes. With `dad` IPv6
    /// addresses go through duplicate address detection.
    ///
    /// # Errors
    /// [`Code::KERNEL`].
    pub fn configure(&self, index: u32, layer3: &Layer3, dad: bool) -> Result<(), Error> {
        self.set_sysctls(layer3, dad)?;
        let ifname = self.ifname;
        for address in layer3.addresses() {
            let added = if layer3.via_gateway {
                self.rtnl.add_lone_address(index, address, !dad)
            } else {
                self.rtnl.add_address(index, address, !dad)
            };
            let wish = format_args!("add address {address} to {ifname:?} in the sandbox");
            added.or_code(Code::KERNEL, wish)?;
        }
        self.set_up(index)?;
        for route in layer3.kernel_routes() {
            let wish = format!("add route {route} to the sandbox");
            let route = net::Route {
                oif: Some(index),
                ..route
            };
            self.rtnl.add_route(&route).or_code(Code::KERNEL, wish)?;
        }
        Ok(())
    }

    /// Sets the container interface up: `ip link set eth0 up`.
    ///
    /// # Errors
    /// [`Code::KERNEL`].
    pub fn set_up(&self, index: u32) -> Result<(), Error> {
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
    /// another MAC address. The kernel does that when a link comes up, but then a bridge port
    /// does not forward yet; it does it again when the MAC address is set, to the same even.
    ///
    /// # Errors
    /// [`Code::KERNEL`].
    pub fn announce(&self, index: u32, mac: Mac) -> Result<(), Error> {
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
    ///
    /// # Errors
    /// [`Code::ADDRESS_UNAVAILABLE`] when another host has one, [`Code::TRY_AGAIN_LATER`] when the
    /// detection does not end, [`Code::KERNEL`].
    pub fn wait_for_detection(&self, index: u32, layer3: &Layer3) -> Result<(), Error> {
        if layer3.ips.iter().all(|ip| ip.address.is_ipv4()) {
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
    fn set_sysctls(&self, layer3: &Layer3, dad: bool) -> Result<(), Error> {
        let v6 = layer3.ips.iter().any(|ip| ip.address.is_ipv6());
        let (accept, enhanced) = if dad { ("1", "1") } else { ("0", "0") };
        let ifname = self.ifname;
        let set = || {
            let conf_v4 = |key: &str| format!("net/ipv4/conf/{ifname}/{key}");
            let conf_v6 = |key: &str| format!("net/ipv6/conf/{ifname}/{key}");
            let _ = sysctl::ensure(&conf_v6("accept_dad"), accept);
            if dad {
                let _ = sysctl::ensure(&conf_v6("enhanced_dad"), enhanced);
            }
            // Without these two the kernel announces nothing.
            let _ = sysctl::ensure(&conf_v4("arp_notify"), "1");
            if layer3.via_gateway {
                // No router may lead the pod past its gateway to a neighbour. The switch of `all`
                // is in force where an interface's own is not, and that of each other stays.
                let _ = sysctl::ensure("net/ipv4/conf/all/accept_redirects", "0");
                let _ = sysctl::ensure(&conf_v4("accept_redirects"), "0");
                let _ = sysctl::ensure(&conf_v6("accept_redirects"), "0");
            }
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
