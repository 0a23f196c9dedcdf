// SPDX-License-Identifier: Apache-2.0
//! The options of `podwired status`, and where the state is.

use std::path::PathBuf;

use clap::Args;

/// Where the state file is when nobody says otherwise; the `vxlan` plugin looks there, too.
pub(crate) const STATE: &str = "/run/podwire/overlay.json";

#[derive(Args, Debug)]
pub(crate) struct StateOption {
    /// The state file. The agent's lock, podwired.lock, is in its directory
    #[arg(long, value_name = "FILE", default_value = STATE)]
    pub(crate) state: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) state: StateOption,
    /// Write JSON
    #[arg(long)]
    pub(crate) json: bool,
}
