// SPDX-License-Identifier: Apache-2.0
//! What the peers' objects of one family stand on: the underlay and the device.

use net::{Address, Link};
use topology::{Cluster, Overlay, difference};

use crate::device::{DeviceWish, Found};
use crate::peers::OnDevice;
use crate::{Dataplane, Error, Surroundings, Underlay};

/// An underlay, and a device on it that is as it should be.
pub(crate) struct Ground {
    pub(crate) underlay: Underlay,
    pub(crate) wish: DeviceWish,
    pub(crate) device: Link,
}

impl Ground {
    /// A few look-ups; none where something of the device has to be repaired.
    pub(crate) fn of(
        dataplane: &Dataplane<'_>,
        overlay: &Overlay,
        addresses: &[(u32, Address)],
    ) -> Result<Option<Self>, Error> {
        let underlay = Underlay::of(dataplane, overlay, addresses)?;
        let wish = DeviceWish::new(dataplane, overlay, &underlay)?;
        let Found::Fit(device, vxlan) = wish.classify(dataplane.rtnl.link(&wish.name)?)? else {
            return Ok(None);
        };
        let own = addresses.iter().filter(|(index, _)| *index == device.index);
        let own: Vec<_> = own.map(|(_, address)| *address).collect();
        let sound = wish.repairs(&device, &vxlan, &own).is_empty();
        Ok(sound.then_some(Self {
            underlay,
            wish,
            device,
        }))
    }
}

/// What of the host a cluster depends on, if the kernel holds all of it, by a look-up for each
/// object.
pub(crate) fn glance(
    dataplane: &Dataplane<'_>,
    cluster: &Cluster,
) -> Result<Option<Surroundings>, Error> {
    let addresses = dataplane.rtnl.all_addresses()?;
    let (mut underlays, mut devices) = (Vec::new(), Vec::new());
    for overlay in cluster.overlays() {
        let Some(ground) = Ground::of(dataplane, overlay, &addresses)? else {
            return Ok(None);
        };
        let direct = ground.underlay.direct(dataplane.settings);
        let wish = overlay.wish(ground.device.index, &direct);
        let (on_device, routes) = OnDevice::look_up(dataplane.rtnl, &wish)?;
        if !difference(&wish, &on_device.held(&routes)).is_empty() {
            return Ok(None);
        }
        devices.push(ground.device.index);
        underlays.push(ground.underlay);
    }
    Surroundings::with(dataplane, cluster, &addresses, underlays, &devices).map(Some)
}
