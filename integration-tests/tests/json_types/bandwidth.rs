// SPDX-License-Identifier: Apache-2.0
//! The keys of `bandwidth`.

use crate::Kind::{self, Integer, Object};

pub(crate) const KEYS: &[(&str, Kind)] = &[
    ("ingressRate", Integer),
    ("ingressBurst", Integer),
    ("egressRate", Integer),
    ("egressBurst", Integer),
    ("runtimeConfig", Object),
    ("runtimeConfig.bandwidth", Object),
    ("runtimeConfig.bandwidth.ingressRate", Integer),
    ("runtimeConfig.bandwidth.ingressBurst", Integer),
    ("runtimeConfig.bandwidth.egressRate", Integer),
    ("runtimeConfig.bandwidth.egressBurst", Integer),
];
