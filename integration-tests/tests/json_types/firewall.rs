// SPDX-License-Identifier: Apache-2.0
//! The keys of `firewall`.

use crate::Kind::{self, Text};

pub(crate) const KEYS: &[(&str, Kind)] = &[
    ("backend", Text),
    ("iptablesAdminChainName", Text),
    ("firewalldZone", Text),
    ("ingressPolicy", Text),
];
