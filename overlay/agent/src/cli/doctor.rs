// SPDX-License-Identifier: Apache-2.0
//! The options of `podwired doctor`.

use std::path::PathBuf;

use clap::Args;

use super::StateOption;

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Where the runtime reads its networks
    #[arg(long, value_name = "DIR", default_value = "/etc/cni/net.d")]
    pub(crate) cni_conf: PathBuf,
    #[command(flatten)]
    pub(crate) state: StateOption,
}
