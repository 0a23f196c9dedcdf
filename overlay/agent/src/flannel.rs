// SPDX-License-Identifier: Apache-2.0
//! Flannel's place on a node, taken while pods talk: its configuration read as it is written, what
//! runs held against what would be made, its rules replaced, and the file kept that its plugin
//! reads.

mod back;
mod net_conf;
mod preflight;
mod rival;
mod running;
mod subnet_env;

use std::fmt;

pub(crate) use back::is_back;
pub(crate) use net_conf::{NetConf, NetConfError};
pub(crate) use preflight::{Here, Refused};
pub(crate) use rival::Rival;
pub(crate) use running::{Running, legacy_tables};
pub(crate) use subnet_env::{SubnetEnv, SubnetEnvFile};

/// Several sentences, each on a line of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lines(Vec<String>);

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}
