// SPDX-License-Identifier: Apache-2.0
//! The keys of `vxlan`.

use crate::Kind::{self, Boolean, Integer, List, Object, Text, TextOrList};

pub(crate) const KEYS: &[(&str, Kind)] = &[
    ("nodes", List),
    ("nodes.0", Object),
    ("nodes.0.name", Text),
    ("nodes.0.underlay", TextOrList),
    ("nodes.0.podCIDRs", TextOrList),
    ("nodes.0.mac", Text),
    ("nodes.0.macV6", Text),
    ("nodesFile", Text),
    ("stateFile", Text),
    ("node", Text),
    ("network", TextOrList),
    ("network.0", Text),
    ("vni", Integer),
    ("port", Integer),
    ("mtu", Integer),
    ("underlay", Text),
    ("directRouting", Boolean),
    ("sourceFilter", Boolean),
];
