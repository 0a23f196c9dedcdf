// SPDX-License-Identifier: Apache-2.0
//! The attachment's interfaces, and that their packets fit the overlay.
//!
//! A packet that is too large for the overlay is answered by ICMP only where a router sees that it
//! is: at the pod's own interface, and at the bridge for what the node and others send to the pod.
//! A bridge drops what is too large for one of its ports without a word. So the pair gets the
//! overlay's MTU, and so does the bridge. The kernel gives a bridge the smallest MTU of its ports
//! by itself, but not one whose MTU somebody has set.

use std::path::Path;

use attachment::{Ends, refuse_to_end_ipv6};
use cni::{AddResult, Attachment, Code, Error, Interface, OrCode, warn};
use net::{Link, LinkChange, Rtnl};

/// The MTU that the overlay leaves to pods, and where that comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    /// The MTU in bytes.
    pub(crate) mtu: u32,
    /// The indexes of the links that the VXLAN devices send by.
    pub(crate) underlays: Vec<u32>,
}

/// The interfaces of an attachment, as this plugin changes them.
pub(crate) struct Attached<'a> {
    ends: Ends<'a>,
    /// CNI_NETNS.
    netns: &'a Path,
}

impl<'a> Attached<'a> {
    /// Looks the interfaces up.
    pub(crate) fn find(
        host: &'a Rtnl,
        netns: &'a Path,
        attachment: &Attachment,
    ) -> Result<Self, Error> {
        let ends = Ends::find(host, netns, attachment)?;
        Ok(Self { ends, netns })
    }

    /// Gives each interface whose MTU is larger than the overlay's that one. First the
    /// container's, so that nothing is sent that would not pass.
    pub(crate) fn fit(&mut self, carried: &Carried) -> Result<(), Error> {
        let mtu = carried.mtu;
        let ends = &mut self.ends;
        let bridge = ends.bridge.as_ref();
        if let Some(bridge) = bridge.filter(|it| carried.underlays.contains(&it.index)) {
            return refuse_underlay(bridge, &ends.container, mtu);
        }
        if let Some(bridge) = bridge {
            refuse_to_end_ipv6(ends.host, bridge, mtu)?;
        }
        refuse_to_end_ipv6(&ends.inside, &ends.container, mtu)?;
        lower(&ends.inside, &mut ends.container, mtu)?;
        if let Some(port) = &mut ends.port
            && lower(ends.host, port, mtu)?
        {
            // The kernel may have lowered the bridge's with it.
            ends.bridge = ends.master()?;
        }
        if let Some(bridge) = ends.bridge.as_mut().filter(|bridge| bridge.mtu > mtu) {
            warn(format_args!(
                "bridge {:?} had the MTU {}, with which it would lose packets to its pods: it has \
                 the overlay's {mtu} now; give it that in the configuration",
                bridge.name, bridge.mtu
            ));
            lower(ends.host, bridge, mtu)?;
        }
        Ok(())
    }

    /// The interfaces that are too large for the overlay, a sentence each.
    pub(crate) fn misfits(&self, mtu: u32) -> Vec<String> {
        let links = [
            Some(&self.ends.container),
            self.ends.port.as_ref(),
            self.ends.bridge.as_ref(),
        ];
        let misfits = links.into_iter().flatten().filter(|link| link.mtu > mtu);
        let sentence = |link: &Link| {
            let Link { name, mtu: is, .. } = link;
            format!("{name:?} has the MTU {is}, and the overlay carries {mtu}")
        };
        misfits.map(sentence).collect()
    }

    /// The result with the MTUs of these interfaces; everything else as it is.
    pub(crate) fn report(&self, mut result: AddResult) -> AddResult {
        let netns = self.netns.to_string_lossy();
        for interface in &mut result.interfaces {
            let link = match interface.sandbox.as_deref() {
                Some(sandbox) if sandbox == netns => self.inside_named(interface),
                Some(_) => None,
                None => self.outside_named(interface),
            };
            interface.mtu = link.map_or(interface.mtu, |link| Some(link.mtu));
        }
        result
    }

    fn inside_named(&self, interface: &Interface) -> Option<&Link> {
        Some(&self.ends.container).filter(|link| link.name == interface.name)
    }

    fn outside_named(&self, interface: &Interface) -> Option<&Link> {
        let mut links = self.ends.port.iter().chain(&self.ends.bridge);
        links.find(|link| link.name == interface.name)
    }
}

/// Says whether there was anything to do.
fn lower(rtnl: &Rtnl, link: &mut Link, mtu: u32) -> Result<bool, Error> {
    if link.mtu <= mtu {
        return Ok(false);
    }
    let change = LinkChange {
        mtu: Some(mtu),
        ..LinkChange::default()
    };
    let wish = format_args!("give {:?} the overlay's MTU {mtu}", link.name);
    rtnl.change_link(link.index, &change)
        .or_code(Code::KERNEL, wish)?;
    link.mtu = mtu;
    Ok(true)
}

/// The underlay's MTU would follow that of its port, the overlay's that of the underlay, the
/// port's that of the overlay, and so on.
fn refuse_underlay(bridge: &Link, container: &Link, mtu: u32) -> Result<(), Error> {
    if container.mtu <= mtu {
        return Ok(());
    }
    let (name, ifname) = (&bridge.name, &container.name);
    let msg = format!(
        "{ifname:?} is attached to {name:?}, by which the overlay's packets leave: their MTUs \
         would lower each other"
    );
    Err(Error::new(Code::INVALID_CONFIG, msg).with_details("attach pods to a bridge of their own"))
}
