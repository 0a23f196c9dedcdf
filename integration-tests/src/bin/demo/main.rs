// SPDX-License-Identifier: Apache-2.0
//! `make demo`: a node, three pods attached by the real plugins, what that made, packets, and
//! nothing left. Everything shown is read back from the kernel or seen by a server.

mod drawing;
mod story;

use std::process::ExitCode;

fn main() -> ExitCode {
    match story::tell(&mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("\nThe demonstration failed: {what}");
            ExitCode::FAILURE
        }
    }
}
