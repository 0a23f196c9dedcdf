// SPDX-License-Identifier: Apache-2.0
//! `host-local`: gives attachments addresses from ranges of this host, and keeps them in a
//! directory.

mod add;
mod check;
mod conf;
mod del;
mod gc;
mod resolv;
mod status;

use std::process::ExitCode;

use cni::{Add, AddResult, Attachment, Check, Code, Del, Error, Gc, Plugin, Status};
use host_local::store::{self, Owner};

struct HostLocal;

impl Plugin for HostLocal {
    fn name(&self) -> &'static str {
        "host-local"
    }

    fn add(&self, call: &Add) -> Result<AddResult, Error> {
        add::add(call)
    }

    fn del(&self, call: &Del) -> Result<(), Error> {
        del::del(call)
    }

    fn check(&self, call: &Check) -> Result<(), Error> {
        check::check(call)
    }

    fn gc(&self, call: &Gc) -> Result<(), Error> {
        gc::gc(call)
    }

    fn status(&self, call: &Status) -> Result<(), Error> {
        status::status(call)
    }
}

fn main() -> ExitCode {
    cni::run(&HostLocal)
}

fn owner(attachment: &Attachment) -> Owner {
    Owner::new(&attachment.container_id, &attachment.ifname)
}

/// The protocol's face of a store's error.
fn failure(error: store::Error) -> Error {
    use store::Error::{Duplicate, Exhausted, Gateway, Io, Locked, Network, Outside, Taken, Wish};
    let code = match error.reason() {
        Io { .. } | Wish { .. } => Code::IO,
        Locked { .. } => Code::TRY_AGAIN_LATER,
        Network(_) => Code::INVALID_CONFIG,
        Gateway(_) | Outside { .. } | Taken { .. } => Code::ADDRESS_UNAVAILABLE,
        Duplicate { .. } => Code::ALREADY_ATTACHED,
        Exhausted(_) => Code::RANGE_EXHAUSTED,
    };
    Error::new(code, error.to_string())
}
