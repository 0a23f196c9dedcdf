// SPDX-License-Identifier: Apache-2.0
//! `podwired`, the node agent: keeps this node's part of the VXLAN overlay equal to a list of
//! nodes, whatever becomes of the list, of the node's links or of the overlay itself.
//!
//! [`source`] says who the nodes are, [`belief`] whether to believe it, [`overlay`] is what is
//! believed and its programming, [`agenda`] what is to be done next, and [`agent`] the loop that
//! brings them together. What it does is for all to see in the [`publication`]: the state file and
//! the conflist; and, for whoever asks by [`http`], in what is [`observed`] of the loop. One task
//! on one thread does everything: a look at 5,000 peers takes less time than anybody would notice.

mod agenda;
mod agent;
mod belief;
mod believed;
mod cleanup;
mod cli;
mod conflist;
mod doctor;
mod egress;
mod error;
mod flannel;
mod http;
mod install;
mod journal;
mod kernel;
mod lock;
mod log;
mod notify;
mod observed;
mod overlay;
mod publication;
mod readable;
mod replace;
mod run;
mod signals;
mod source;
mod standing;
mod state_file;
mod status;
mod watches;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(options) => run::run(*options),
        Command::Status(options) => status::status(&options),
        Command::Doctor(options) => doctor::doctor(&options),
        Command::Install(options) => install::install(&options),
        Command::Cleanup(options) => cleanup::cleanup(&options),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("podwired: {error}");
        ExitCode::FAILURE
    })
}
