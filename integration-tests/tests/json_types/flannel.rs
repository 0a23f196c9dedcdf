// SPDX-License-Identifier: Apache-2.0
//! The keys of `flannel`.

use crate::Kind::{self, Integer, List, Object, Text};

pub(crate) const KEYS: &[(&str, Kind)] = &[
    ("subnetFile", Text),
    ("dataDir", Text),
    ("delegate", Object),
    ("delegate.type", Text),
    ("ipam", Object),
    ("ipam.type", Text),
    ("ipam.routes", List),
    ("ipam.routes.0", Object),
    ("ipam.routes.0.dst", Text),
    ("ipam.routes.0.gw", Text),
    ("ipam.routes.0.mtu", Integer),
    ("ipam.routes.0.advmss", Integer),
    ("ipam.routes.0.priority", Integer),
    ("ipam.routes.0.table", Integer),
    ("ipam.routes.0.scope", Integer),
    ("runtimeConfig", Object),
];
