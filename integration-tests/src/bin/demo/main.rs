// SPDX-License-Identifier: Apache-2.0
//! `make demo`: two nodes with the real agent, two pods on each attached by the real plugins, what
//! that made, packets, a device that is deleted and comes back, and nothing left. Everything shown
//! is read back from the kernel, said by a program or seen by a server.

mod cluster;
mod drawing;
mod ending;
mod healing;
mod packets;
mod story;
mod tree;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::ExitCode;

fn main() -> ExitCode {
    // What the laboratory panics with is told below, as any other failure.
    set_hook(Box::new(|_| {}));
    let story = AssertUnwindSafe(|| story::tell(&mut std::io::stdout().lock()));
    let failure = match catch_unwind(story) {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(what)) => what.to_string(),
        Err(panic) => words(&*panic).to_owned(),
    };
    eprintln!("\nThe demonstration failed: {failure}");
    ExitCode::FAILURE
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a word")
}
