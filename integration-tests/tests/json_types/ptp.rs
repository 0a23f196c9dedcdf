// SPDX-License-Identifier: Apache-2.0
//! The keys of `ptp`.

use crate::Kind::{self, Boolean, Integer, List, Object, Text};

pub(crate) const KEYS: &[(&str, Kind)] = &[
    ("ipMasq", Boolean),
    ("ipMasqBackend", Text),
    ("nonMasqueradeCIDRs", List),
    ("nonMasqueradeCIDRs.0", Text),
    ("mtu", Integer),
    ("ipam", Object),
    ("ipam.type", Text),
    ("dns", Object),
    ("dns.nameservers", List),
    ("dns.nameservers.0", Text),
    ("dns.domain", Text),
    ("dns.search", List),
    ("dns.search.0", Text),
    ("dns.options", List),
];
