// SPDX-License-Identifier: Apache-2.0
//! The keys of `static`.

use crate::Kind::{self, Integer, List, Object, Text};

pub(crate) const KEYS: &[(&str, Kind)] = &[
    ("ipam", Object),
    ("ipam.addresses", List),
    ("ipam.addresses.0", Object),
    ("ipam.addresses.0.address", Text),
    ("ipam.addresses.0.gateway", Text),
    ("ipam.routes", List),
    ("ipam.routes.0", Object),
    ("ipam.routes.0.dst", Text),
    ("ipam.routes.0.gw", Text),
    ("ipam.routes.0.mtu", Integer),
    ("ipam.routes.0.advmss", Integer),
    ("ipam.routes.0.priority", Integer),
    ("ipam.routes.0.table", Integer),
    ("ipam.routes.0.scope", Integer),
    ("ipam.dns", Object),
    ("ipam.dns.nameservers", List),
    ("ipam.dns.nameservers.0", Text),
    ("ipam.dns.domain", Text),
    ("ipam.dns.search", List),
    ("ipam.dns.options", List),
    ("args", Object),
    ("args.cni", Object),
    ("args.cni.ips", List),
    ("args.cni.ips.0", Text),
    ("runtimeConfig", Object),
    ("runtimeConfig.ips", List),
    ("runtimeConfig.ips.0", Text),
];
