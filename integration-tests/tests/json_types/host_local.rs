// SPDX-License-Identifier: Apache-2.0
//! The keys of `host-local`.

use crate::Kind::{self, Boolean, Integer, List, Number, Object, Text};

pub(crate) const KEYS: &[(&str, Kind)] = &[
    ("ipam", Object),
    ("ipam.ranges", List),
    ("ipam.ranges.0", List),
    ("ipam.ranges.0.0", Object),
    ("ipam.ranges.0.0.subnet", Text),
    ("ipam.ranges.0.0.rangeStart", Text),
    ("ipam.ranges.0.0.rangeEnd", Text),
    ("ipam.ranges.0.0.gateway", Text),
    ("ipam.subnet", Text),
    ("ipam.rangeStart", Text),
    ("ipam.rangeEnd", Text),
    ("ipam.gateway", Text),
    ("ipam.routes", List),
    ("ipam.routes.0", Object),
    ("ipam.routes.0.dst", Text),
    ("ipam.routes.0.gw", Text),
    ("ipam.routes.0.mtu", Integer),
    ("ipam.routes.0.advmss", Integer),
    ("ipam.routes.0.priority", Integer),
    ("ipam.routes.0.table", Integer),
    ("ipam.routes.0.scope", Integer),
    ("ipam.dataDir", Text),
    ("ipam.resolvConf", Text),
    ("ipam.lockTimeout", Number),
    ("ipam.statusWhenExhausted", Boolean),
    ("runtimeConfig", Object),
    ("runtimeConfig.ipRanges", List),
    ("runtimeConfig.ipRanges.0", List),
    ("runtimeConfig.ips", List),
    ("runtimeConfig.ips.0", Text),
    ("args.cni.ips", List),
    ("args.cni.ips.0", Text),
];
