// SPDX-License-Identifier: Apache-2.0
//! What the kernel has counted of the overlay's packets, read when somebody asks.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use net::{Counters, Rtnl};
use nft::Nft;
use nft::overlay::dropped;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use super::Error;
use crate::observed::Observed;

/// The devices' counters and the guard's.
#[derive(Debug)]
pub(super) struct DataPath {
    observed: Observed,
    kernel: Mutex<Kernel>,
}

/// Connections of their own: the loop's are in use while it looks.
struct Kernel {
    rtnl: Rtnl,
    nft: Nft,
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").finish_non_exhaustive()
    }
}

/// Name and description of a device's counter, and which it is.
type DeviceCounter = (&'static str, &'static str, fn(&Counters) -> u64);

const DEVICE: [DeviceCounter; 9] = [
    (
        "device_receive_packets",
        "Packets that came through the tunnel",
        |it| it.rx_packets,
    ),
    (
        "device_transmit_packets",
        "Packets that left through the tunnel",
        |it| it.tx_packets,
    ),
    (
        "device_receive_bytes",
        "Bytes that came through the tunnel",
        |it| it.rx_bytes,
    ),
    (
        "device_transmit_bytes",
        "Bytes that left through the tunnel",
        |it| it.tx_bytes,
    ),
    (
        "device_receive_errors",
        "Packets of the tunnel that came and were wrong",
        |it| it.rx_errors,
    ),
    (
        "device_transmit_errors",
        "Packets that could not be sent through the tunnel",
        |it| it.tx_errors,
    ),
    (
        "device_receive_dropped",
        "Packets of the tunnel that came and were dropped",
        |it| it.rx_dropped,
    ),
    (
        "device_transmit_dropped",
        "Packets that were dropped before the tunnel",
        |it| it.tx_dropped,
    ),
    (
        "device_transmit_carrier_errors",
        "Packets for which there was no way to the peer",
        |it| it.tx_carrier_errors,
    ),
];

impl DataPath {
    pub(super) fn new(observed: Observed) -> Result<Self, Error> {
        let kernel = Mutex::new(Kernel {
            rtnl: Rtnl::open()?,
            nft: Nft::open()?,
        });
        Ok(Self { observed, kernel })
    }
}

impl Collector for DataPath {
    /// What the kernel does not tell, or not now, is left out.
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut kernel = self.kernel.lock().unwrap_or_else(PoisonError::into_inner);
        let devices = self.observed.devices();
        let counted = devices.iter().filter_map(|name| {
            let counters = kernel.rtnl.counters(name).ok().flatten()?;
            Some((name.as_str(), counters))
        });
        let counted: Vec<_> = counted.collect();
        for (name, help, of) in DEVICE {
            let counts = counted
                .iter()
                .map(|(device, counters)| ([("device", *device)], of(counters)));
            counter(&mut encoder, name, help, counts)?;
        }
        let Ok(dropped) = dropped(&mut kernel.nft) else {
            return Ok(());
        };
        let counts = [("strangers", dropped.strangers), ("pods", dropped.pods)];
        counter(
            &mut encoder,
            "guard_dropped_packets",
            "Encapsulated packets that the guard dropped, by who sent them",
            counts
                .into_iter()
                .map(|(from, count)| ([("from", from)], count)),
        )
    }
}

/// One counter with these labels and values.
fn counter<'l>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    counts: impl IntoIterator<Item = ([(&'static str, &'l str); 1], u64)>,
) -> fmt::Result {
    let help = format!("{help}.");
    let mut metric = encoder.encode_descriptor(name, &help, None, MetricType::Counter)?;
    for (labels, count) in counts {
        ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}
