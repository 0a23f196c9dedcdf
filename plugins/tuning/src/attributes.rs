// SPDX-License-Identifier: Apache-2.0
//! What this plugin changes in an interface: as it is wished, as it was, as it is.

use net::{Link, LinkChange, Mac};

/// Attributes of an interface; `None` where there is nothing to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// The MAC address.
    pub(crate) mac: Option<Mac>,
    /// The MTU in bytes.
    pub(crate) mtu: Option<u32>,
    /// Whether it takes frames for anybody.
    pub(crate) promisc: Option<bool>,
    /// Whether it takes all multicast frames.
    pub(crate) allmulti: Option<bool>,
    /// How many packets may wait to be sent.
    pub(crate) tx_queue_len: Option<u32>,
}

impl Attributes {
    /// Whether there is nothing to say at all.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Those of a link.
    pub(crate) fn of(link: &Link) -> Self {
        Self {
            mac: Some(link.mac),
            mtu: Some(link.mtu),
            promisc: Some(link.promisc),
            allmulti: Some(link.allmulti),
            tx_queue_len: Some(link.tx_queue_len),
        }
    }

    /// Of these only those of which `others` says something.
    pub(crate) fn named_by(self, others: &Self) -> Self {
        Self {
            mac: self.mac.filter(|_| others.mac.is_some()),
            mtu: self.mtu.filter(|_| others.mtu.is_some()),
            promisc: self.promisc.filter(|_| others.promisc.is_some()),
            allmulti: self.allmulti.filter(|_| others.allmulti.is_some()),
            tx_queue_len: self.tx_queue_len.filter(|_| others.tx_queue_len.is_some()),
        }
    }

    /// These, and where they say nothing those of `others`.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            mac: self.mac.or(others.mac),
            mtu: self.mtu.or(others.mtu),
            promisc: self.promisc.or(others.promisc),
            allmulti: self.allmulti.or(others.allmulti),
            tx_queue_len: self.tx_queue_len.or(others.tx_queue_len),
        }
    }

    /// What gives them to a link, in one request.
    pub(crate) fn change(&self) -> LinkChange<'static> {
        LinkChange {
            mac: self.mac,
            mtu: self.mtu,
            promisc: self.promisc,
            allmulti: self.allmulti,
            tx_queue_len: self.tx_queue_len,
            ..LinkChange::default()
        }
    }

    /// Each of them alone, so that one which is refused keeps no other from being given.
    pub(crate) fn each(&self) -> impl Iterator<Item = Self> {
        let none = Self::default;
        let Self {
            mac,
            mtu,
            promisc,
            allmulti,
            tx_queue_len,
        } = *self;
        let each = [
            Self { mtu, ..none() },
            Self { mac, ..none() },
            Self { promisc, ..none() },
            Self { allmulti, ..none() },
            Self {
                tx_queue_len,
                ..none()
            },
        ];
        each.into_iter().filter(|one| !one.is_empty())
    }

    /// They in words: `MAC address 02:00:00:00:00:01, MTU 1400`.
    pub(crate) fn words(&self) -> String {
        let on = |on| if on { "on" } else { "off" };
        let words = [
            self.mac.map(|mac| format!("MAC address {mac}")),
            self.mtu.map(|mtu| format!("MTU {mtu}")),
            self.promisc
                .map(|it| format!("promiscuous mode {}", on(it))),
            self.allmulti
                .map(|it| format!("all-multicast mode {}", on(it))),
            self.tx_queue_len
                .map(|length| format!("transmit queue length {length}")),
        ];
        let words: Vec<_> = words.into_iter().flatten().collect();
        words.join(", ")
    }
}
