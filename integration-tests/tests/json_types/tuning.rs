// SPDX-License-Identifier: Apache-2.0
//! The keys of `tuning`.

use crate::Kind::{self, Boolean, Integer, Object, Text};

pub(crate) const KEYS: &[(&str, Kind)] = &[
    ("sysctl", Object),
    ("sysctl.net/core/somaxconn", Text),
    ("mac", Text),
    ("mtu", Integer),
    ("promisc", Boolean),
    ("allmulti", Boolean),
    ("txQLen", Integer),
    ("dataDir", Text),
    ("runtimeConfig", Object),
    ("runtimeConfig.mac", Text),
    ("args", Object),
    ("args.cni", Object),
    ("args.cni.sysctl", Object),
    ("args.cni.sysctl.net/core/somaxconn", Text),
    ("args.cni.mac", Text),
    ("args.cni.mtu", Integer),
    ("args.cni.promisc", Boolean),
    ("args.cni.allmulti", Boolean),
    ("args.cni.txQLen", Integer),
];
