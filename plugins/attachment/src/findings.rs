// SPDX-License-Identifier: Apache-2.0
//! CHECK: what differs from what ADD made, a sentence each. What may change in good order is not
//! compared: what plugins behind this one report in prevResult.

use cni::{AddResult, Check, Code, Error, OrCode};
use ipnetwork::IpNetwork;
use net::{Kind, Link, Netns, Route, Rtnl, sysctl};

use crate::layer3::Layer3;

/// All that differs.
#[derive(Debug, Default)]
pub struct Findings(Vec<String>);

impl Findings {
    /// Notes a sentence unless something is `right`.
    pub fn unless(&mut self, right: bool, sentence: impl FnOnce() -> String) {
        if !right {
            self.0.push(sentence());
        }
    }

    /// Notes sentences.
    pub fn extend(&mut self, sentences: impl IntoIterator<Item = String>) {
        self.0.extend(sentences);
    }

    /// The answer of CHECK.
    ///
    /// # Errors
    /// [`Code::CHECK_FAILED`] with all that was found.
    pub fn report(self) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Error::new(Code::CHECK_FAILED, self.0.join("; ")))
    }

    /// The container interface with its addresses and routes, `layer3` being what prevResult says
    /// of them; `None` when it is missing.
    ///
    /// # Errors
    /// [`Code::INVALID_NETNS`], [`Code::KERNEL`].
    pub fn of_container(
        &mut self,
        call: &Check,
        prev: &AddResult,
        layer3: &Layer3,
        may_be_down: bool,
    ) -> Result<Option<Link>, Error> {
        let ifname = &call.attachment.ifname;
        let netns = Netns::open(&call.netns).or_code(
            Code::INVALID_NETNS,
            format_args!("failed to open netns {:?}", call.netns),
        )?;
        let wish = || format!("look up {ifname:?} in the sandbox");
        let rtnl = Rtnl::open_in(&netns).or_code(Code::KERNEL, wish())?;
        let link = rtnl.link(ifname).or_code(Code::KERNEL, wish())?;
        let Some(link) = link.filter(|link| link.kind == Kind::Veth) else {
            self.extend([format!("the sandbox has no veth interface {ifname:?}")]);
            return Ok(None);
        };
        self.unless(link.up || may_be_down, || format!("{ifname:?} is down"));
        self.of_mac(prev, &link);
        let addresses = rtnl.addresses(link.index).or_code(Code::KERNEL, wish())?;
        for wanted in layer3.addresses() {
            let there = addresses.iter().any(|it| it.network == wanted);
            self.unless(there, || {
                format!("{ifname:?} has lost its address {wanted}")
            });
        }
        self.of_routes(&rtnl, prev)?;
        self.of_routes_by_gateway(&rtnl, &link, layer3)?;
        Ok(Some(link))
    }

    fn of_mac(&mut self, prev: &AddResult, link: &Link) {
        let ifname = &link.name;
        let mut interfaces = prev.interfaces.iter();
        match interfaces.find(|i| &i.name == ifname && i.sandbox.is_some()) {
            None => self.extend([format!("prevResult has no container interface {ifname:?}")]),
            Some(interface) => {
                let mac = interface.mac.as_ref().and_then(|mac| mac.parse().ok());
                self.unless(mac.is_none_or(|mac: net::Mac| mac == link.mac), || {
                    format!(
                        "{ifname:?} has MAC address {}, not {mac:?} as reported",
                        link.mac
                    )
                });
            }
        }
    }

    /// Plugins chained behind may have made routes by interfaces of their own.
    fn of_routes(&mut self, rtnl: &Rtnl, prev: &AddResult) -> Result<(), Error> {
        if prev.routes.is_empty() {
            return Ok(());
        }
        let mut present = Vec::new();
        for interface in prev.interfaces.iter().filter(|i| i.sandbox.is_some()) {
            let name = &interface.name;
            let wish = || format!("read the routes of {name:?} in the sandbox");
            if let Some(link) = rtnl.link(name).or_code(Code::KERNEL, wish())? {
                present.extend(rtnl.routes(link.index).or_code(Code::KERNEL, wish())?);
            }
        }
        for route in &prev.routes {
            let is_it = |kernel: &Route| {
                kernel.dst == route.dst
                    && route.gw.is_none_or(|it| kernel.gateway == Some(it))
                    && route.table.is_none_or(|it| kernel.table == Some(it))
            };
            self.unless(present.iter().any(is_it), || {
                format!("the sandbox has lost its route to {}", route.dst)
            });
        }
        Ok(())
    }

    fn of_routes_by_gateway(
        &mut self,
        rtnl: &Rtnl,
        link: &Link,
        layer3: &Layer3,
    ) -> Result<(), Error> {
        let wanted = layer3.routes_by_gateway();
        if wanted.is_empty() {
            return Ok(());
        }
        let wish = format_args!("read the routes of {:?} in the sandbox", link.name);
        let present = rtnl.routes(link.index).or_code(Code::KERNEL, wish)?;
        for route in wanted {
            let is_it = |it: &Route| (it.dst, it.gateway) == (route.dst, route.gateway);
            self.unless(present.iter().any(is_it), || {
                format!("the sandbox has lost its route to {route}")
            });
        }
        Ok(())
    }

    /// The host interface, found from the container's: its name is the reference plugin's own
    /// choice where that one made the pair.
    ///
    /// # Errors
    /// [`Code::KERNEL`].
    pub fn of_port(&mut self, rtnl: &Rtnl, container: &Link) -> Result<Option<Link>, Error> {
        let wish = || format!("look up the peer of {:?}", container.name);
        let peer = match container.peer {
            Some(index) => rtnl.link_at(index).or_code(Code::KERNEL, wish())?,
            None => None,
        };
        let is_pair = |peer: &Link| peer.kind == Kind::Veth && peer.peer == Some(container.index);
        let Some(port) = peer.filter(is_pair) else {
            self.extend([format!("{:?} has no peer on the host", container.name)]);
            return Ok(None);
        };
        Ok(Some(port))
    }

    /// Whether the host interface `name` with these addresses has the gateways'.
    pub fn of_gateways(&mut self, name: &str, present: &[net::Address], gateways: &[IpNetwork]) {
        for gateway in gateways {
            let there = present.iter().any(|address| address.network == *gateway);
            self.unless(there, || {
                format!("{name:?} has lost the gateway's address {gateway}")
            });
        }
    }

    /// Whether the host forwards what these addresses send and get.
    ///
    /// # Errors
    /// [`Code::KERNEL`].
    pub fn of_forwarding(&mut self, layer3: &Layer3) -> Result<(), Error> {
        for path in layer3.forwarding() {
            let on = sysctl::read(path).or_code(Code::KERNEL, "read the forwarding switch")?;
            self.unless(on == "1", || format!("{path} is {on}"));
        }
        Ok(())
    }
}
