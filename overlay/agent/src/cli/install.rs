// SPDX-License-Identifier: Apache-2.0
//! The options of `podwired install`.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct Install {
    /// The directory with the executables
    #[arg(long, value_name = "DIR", default_value = "/opt/cni/bin")]
    pub(crate) from: PathBuf,
    /// The directory that they are to be in: the host's, as this container sees it
    #[arg(long, value_name = "DIR", default_value = "/host/opt/cni/bin")]
    pub(crate) to: PathBuf,
}
