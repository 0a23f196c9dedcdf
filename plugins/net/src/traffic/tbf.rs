// SPDX-License-Identifier: Apache-2.0
//! The token bucket filter, `tc-tbf(8)`, in the kernel's units. The message types of the library
//! don't know it, so its attributes are written and read here.
//!
//! Rate tables are not sent: no kernel since 3.8 looks into them.

use std::time::Duration;

use netlink_packet_core::{DefaultNla, Nla, NlasIterator};
use netlink_packet_route::tc::TcOption;

/// `TCA_TBF_*` (include/uapi/linux/pkt_sched.h).
const PARMS: u16 = 1;
const RATE64: u16 = 4;
const BURST: u16 = 6;
/// `struct tc_tbf_qopt`: two `struct tc_ratespec`, then limit, buffer and mtu.
const QOPT: usize = 2 * RATESPEC + 12;
const RATESPEC: usize = 12;
/// Where the rate is in a `struct tc_ratespec`.
const RATE: usize = 8;
const LIMIT: usize = 2 * RATESPEC;
const BUFFER: usize = LIMIT + 4;
/// `TC_LINKLAYER_ETHERNET`; with 0 the kernel would ask for a rate table.
const ETHERNET: u8 = 1;
/// `PSCHED_TICKS2NS(1)`, the unit of times in `struct tc_tbf_qopt`.
const TICK: u128 = 64;
const SECOND: u128 = 1_000_000_000;

/// A limit to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tbf {
    /// Bytes a second, not 0.
    pub rate: u64,
    /// The bucket: so many bytes pass at once after a pause. A larger frame never passes.
    pub burst: u32,
    /// So many bytes wait for tokens; what comes then is dropped.
    pub limit: u32,
}

impl Tbf {
    /// A limit behind which as much waits as the burst and what passes within `latency`. Equal to
    /// `tbf rate RATE burst BURST latency LATENCY`.
    #[must_use]
    pub fn with_latency(rate: u64, burst: u32, latency: Duration) -> Self {
        let waiting = u128::from(rate) * latency.as_nanos() / SECOND;
        let limit = waiting + u128::from(burst);
        Self {
            rate,
            burst,
            limit: limit.try_into().unwrap_or(u32::MAX),
        }
    }

    /// How long the bucket takes to be full, in ticks.
    fn ticks(&self) -> u128 {
        u128::from(self.burst) * SECOND / u128::from(self.rate.max(1)) / TICK
    }

    /// The burst goes in bytes too: in ticks the kernel takes no more than 4.29 seconds of the
    /// rate, and for a high rate a tick is many bytes.
    pub(super) fn options(&self) -> Vec<TcOption> {
        let rate = u32::try_from(self.rate).unwrap_or(u32::MAX);
        let ticks = u32::try_from(self.ticks()).unwrap_or(u32::MAX);
        let mut qopt = [0; QOPT];
        qopt[1] = ETHERNET;
        put(&mut qopt, RATE, rate);
        put(&mut qopt, LIMIT, self.limit);
        put(&mut qopt, BUFFER, ticks);
        let mut options = vec![
            option(PARMS, &qopt),
            option(BURST, &self.burst.to_ne_bytes()),
        ];
        if u64::from(rate) != self.rate {
            options.push(option(RATE64, &self.rate.to_ne_bytes()));
        }
        options
    }
}

/// A limit as the kernel describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Bytes a second.
    pub rate: u64,
    /// So many bytes wait for tokens.
    pub limit: u32,
    /// How long the bucket takes to be full, in ticks of 64 ns, modulo 2^32: of more than 274.8
    /// seconds the kernel tells the rest.
    ticks: u32,
}

impl Bucket {
    /// Whether it holds the burst that is wished, as far as the kernel tells: to some microseconds,
    /// since not everybody gives it the burst in bytes.
    #[must_use]
    pub fn holds(&self, wish: &Tbf) -> bool {
        /// 4 µs in ticks.
        const ROUNDING: u128 = 63;
        let ticks = wish.ticks();
        // The kernel divides by the rate with a factor of 31 bits.
        let tolerance = ROUNDING + (ticks >> 30);
        let apart = (ticks % (1 << 32)).abs_diff(u128::from(self.ticks));
        apart.min((1 << 32) - apart) <= tolerance
    }

    /// The burst in bytes, as `tc` computes it.
    #[must_use]
    pub fn burst(&self) -> u64 {
        let bytes = u128::from(self.rate) * u128::from(self.ticks) * TICK / SECOND;
        bytes.try_into().unwrap_or(u64::MAX)
    }

    /// None for what is no token bucket filter's.
    pub(super) fn of(options: &[TcOption]) -> Option<Self> {
        let [TcOption::Other(nested)] = options else {
            return None;
        };
        let mut bytes = vec![0; nested.value_len()];
        nested.emit_value(&mut bytes);
        let attributes = || NlasIterator::new(bytes.as_slice()).flatten();
        let qopt = attributes().find(|attribute| attribute.kind() == PARMS)?;
        let field = |at: usize| word(qopt.value(), at);
        let rate = attributes().find(|attribute| attribute.kind() == RATE64);
        let rate = rate.and_then(|rate| Some(u64::from_ne_bytes(rate.value().try_into().ok()?)));
        Some(Self {
            rate: rate.map_or_else(|| field(RATE).map(u64::from), Some)?,
            limit: field(LIMIT)?,
            ticks: field(BUFFER)?,
        })
    }
}

fn option(kind: u16, value: &[u8]) -> TcOption {
    TcOption::Other(DefaultNla::new(kind, value.to_vec()))
}

fn put(bytes: &mut [u8], at: usize, word: u32) {
    bytes[at..at + 4].copy_from_slice(&word.to_ne_bytes());
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(word.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENCY: Duration = Duration::from_millis(25);

    #[test]
    fn the_queue_holds_the_burst_and_what_passes_within_the_latency() {
        let tbf = Tbf::with_latency(125_000, 12_500, LATENCY);
        assert_eq!(tbf.limit, 12_500 + 3_125);
        let much = Tbf::with_latency(u64::MAX, u32::MAX, LATENCY);
        assert_eq!(much.limit, u32::MAX);
    }

    #[test]
    fn a_burst_is_recognised_to_the_rounding_and_no_further() {
        let tbf = Tbf::with_latency(125_000, 12_500, LATENCY);
        let with = |ticks| Bucket {
            rate: tbf.rate,
            limit: tbf.limit,
            ticks,
        };
        // 100 ms.
        assert_eq!(tbf.ticks(), 1_562_500);
        assert_eq!(with(1_562_500).burst(), 12_500);
        for (ticks, holds) in [(1_562_499, true), (1_562_450, true), (1_562_300, false)] {
            assert_eq!(with(ticks).holds(&tbf), holds, "{ticks}");
        }
    }

    #[test]
    fn a_burst_of_many_seconds_is_recognised_by_what_the_kernel_tells_of_it() {
        // What containerd makes of a Kubernetes annotation of 1M: 4294 s, of which 171.8 are told.
        let tbf = Tbf::with_latency(125_000, u32::MAX / 8, LATENCY);
        let told = |ticks| Bucket {
            rate: tbf.rate,
            limit: tbf.limit,
            ticks,
        };
        assert!(told(2_684_354_430).holds(&tbf));
        assert!(!told(u32::MAX).holds(&tbf));
    }
}
