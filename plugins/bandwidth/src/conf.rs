// SPDX-License-Identifier: Apache-2.0
//! The plugin's configuration: limits in bits, from the network's author and from the pod's; then
//! as values in bytes that the kernel can keep.

use cni::{Code, Error, Network};
use net::Tbf;
use serde::Deserialize;
use std::time::Duration;

/// How long a packet waits at most before one more is dropped; the reference plugin's choice.
const LATENCY: Duration = Duration::from_millis(25);

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
    /// Bytes that pass at once after a pause.
    burst: u32,
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
        const POD: &str = "runtimeConfig.bandwidth.";
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
            burst: self.burst.min(other.burst),
        }
    }

    /// What the kernel is told.
    pub(crate) fn tbf(self) -> Tbf {
        Tbf::with_latency(self.rate, self.burst, LATENCY)
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
            burst: bytes,
        })),
        _ => {
            let given = given("Burst", burst);
            invalid(format!("{given}: burst cannot be more than 4GB"))
        }
    }
}

#[cfg(test)]
mod tests;
