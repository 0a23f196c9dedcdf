// SPDX-License-Identifier: Apache-2.0
//! The keys of `portmap`.

use crate::Kind::{self, Boolean, Integer, List, Object, Text};

pub(crate) const KEYS: &[(&str, Kind)] = &[
    ("runtimeConfig", Object),
    ("runtimeConfig.portMappings", List),
    ("runtimeConfig.portMappings.0", Object),
    ("runtimeConfig.portMappings.0.hostPort", Integer),
    ("runtimeConfig.portMappings.0.containerPort", Integer),
    ("runtimeConfig.portMappings.0.protocol", Text),
    ("runtimeConfig.portMappings.0.hostIP", Text),
    ("snat", Boolean),
    ("masqAll", Boolean),
    ("markMasqBit", Integer),
    ("externalSetMarkChain", Text),
    ("conditionsV4", List),
    ("conditionsV4.0", Text),
    ("conditionsV6", List),
    ("conditionsV6.0", Text),
    ("backend", Text),
];
