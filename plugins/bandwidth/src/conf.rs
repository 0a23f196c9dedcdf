// SPDX-License-Identifier: Apache-2.0
//! The plugin's configuration: limits in bits, from the network's author and from the pod's; then
//! as values in bytes that the kernel can keep.

use cni::{Code, Error, Network};
use net::Tbf;
use serde::Deserialize;
use std::time::Duration;

/// What passes within this time waits beside a burst; the reference plugin's choice.
const LATENCY: Duration = Duration::from_millis(25);

/// Bursts that runtimes make up for a Kubernetes annotation, which has none: dockershim's,
/// containerd's and CRI-O's. Taken at its word, CRI-O's would let the first 4 GiB pass unlimited.
const MADE_UP: [u64; 3] = [(1 << 31) - 1, (1 << 32) - 1, (1 << 35) - 9];

/// Where the runtime's limits are.
const POD: &str = "runtimeConfig.bandwidth.";

/// The least burst in bytes where nobody says one: two of the largest segments that are sent as one.
const LEAST: u64 = 128 * 1024;

/// Limits as typed; 0 is none.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawLimits {
    ingress_rate: u64,
    ingress_burst: u64,
    egress_rate: u64,
    egress_burst: u64,
}

/// What the runtime adds where the plugin has the capability `bandwidth`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawRuntime {
    runtime_config: RawBandwidth,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawBandwidth {
    bandwidth: RawLimits,
}

/// A limit that can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Bytes a second, not 0.
    rate: u64,
    /// Bytes that pass at once after a pause; `None` where nobody says.
    burst: Option<u32>,
}

/// The limits of an attachment; none where a direction is not limited.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Conf {
    /// Of what goes to the container.
    pub(crate) ingress: Option<Limit>,
    /// Of what comes from the container.
    pub(crate) egress: Option<Limit>,
}

impl Conf {
    /// The limits of a call. Where both the configuration and the runtime limit a direction, the
    /// lower rate holds, and the lower burst: a pod may ask for less than it is given, not for
    /// more.
    pub(crate) fn new(network: &Network) -> Result<Self, Error> {
        let own: RawLimits = network.conf()?;
        let RawBandwidth { bandwidth: pod } = network.conf::<RawRuntime>()?.runtime_config;
        let ingress = [
            limit(("", "ingress"), own.ingress_rate, own.ingress_burst)?,
            limit((POD, "ingress"), pod.ingress_rate, pod.ingress_burst)?,
        ];
        let egress = [
            limit(("", "egress"), own.egress_rate, own.egress_burst)?,
            limit((POD, "egress"), pod.egress_rate, pod.egress_burst)?,
        ];
        Ok(Self {
            ingress: ingress.into_iter().flatten().reduce(Limit::lower),
            egress: egress.into_iter().flatten().reduce(Limit::lower),
        })
    }

    /// Whether nothing is limited.
    pub(crate) fn is_empty(&self) -> bool {
        self.ingress.is_none() && self.egress.is_none()
    }
}

impl Limit {
    fn lower(self, other: Self) -> Self {
        Self {
            rate: self.rate.min(other.rate),
            burst: [self.burst, other.burst].into_iter().flatten().min(),
        }
    }

    /// Whether somebody has said the burst.
    pub(crate) fn has_burst(self) -> bool {
        self.burst.is_some()
    }

    /// What the kernel is told. A burst that nobody says is a tenth of a second of the
    /// rate: as much again may wait.
    pub(crate) fn tbf(self) -> Tbf {
        let tenth = || u32::try_from((self.rate / 10).max(LEAST)).unwrap_or(u32::MAX);
        let burst = self.burst.unwrap_or_else(tenth);
        Tbf::with_latency(self.rate, burst, LATENCY)
    }
}

/// One limit; `key` is where it is written and its direction.
fn limit((place, key): (&str, &str), rate: u64, burst: u64) -> Result<Option<Limit>, Error> {
    let given = |name: &str, bits: u64| format!("{place}{key}{name} is {bits}");
    let invalid = |sentence: String| Err(Error::new(Code::INVALID_CONFIG, sentence));
    match (rate, burst) {
        (0, 0) => return Ok(None),
        (_, 0) => {
            let given = given("Rate", rate);
            return invalid(format!("{given}: if rate is set, burst must also be set"));
        }
        (0, _) => {
            let given = given("Burst", burst);
            return invalid(format!("{given}: if burst is set, rate must also be set"));
        }
        (1..8, _) => {
            let given = given("Rate", rate);
            return invalid(format!("{given}: less than a byte a second can't be kept"));
        }
        _ => {}
    }
    match u32::try_from(burst / 8) {
        Ok(bytes) if bytes < u32::MAX => Ok(Some(Limit {
            rate: rate / 8,
            burst: Some(bytes).filter(|_| place != POD || !MADE_UP.contains(&burst)),
        })),
        _ => {
            let given = given("Burst", burst);
            invalid(format!("{given}: burst cannot be more than 4GB"))
        }
    }
}

#[cfg(test)]
mod tests;
