// SPDX-License-Identifier: Apache-2.0
//! The overlay as `podwired` keeps it: what its state file says, and whether the devices that it
//! names are there.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use cni::{Code, Error, OrCode};
use net::{Kind, Link, Rtnl, sysctl};
use topology::State;

use crate::attached::Carried;

/// Where a user learns more.
const ADVICE: &str = "`podwired status` and the log of podwired say more";

/// Says what the overlay carries, if a pod can be attached to it now; else the error has this code.
pub(crate) fn ready(rtnl: &Rtnl, state_file: &Path, code: Code) -> Result<Carried, Error> {
    let wish = "the overlay is not ready";
    let unready = |cause: String| Error::new(code, format!("{wish}: {cause}")).with_details(ADVICE);
    let state = read(state_file).map_err(unready)?;
    let boot = sysctl::read("kernel/random/boot_id").or_code(Code::KERNEL, "learn of this boot")?;
    state
        .ready(&boot)
        .map_err(|cause| unready(cause.to_string()))?;
    let mut underlays = Vec::new();
    for name in &state.devices {
        let link = rtnl.link(name);
        let link = link.or_code(Code::KERNEL, format_args!("look up {name:?}"))?;
        underlays.extend(usable(name, link).map_err(unready)?);
    }
    Ok(Carried {
        mtu: state.pod_mtu,
        underlays,
    })
}

fn read(path: &Path) -> Result<State, String> {
    let json = fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            format!("there is no {path:?}: podwired has not run since this node was started")
        }
        _ => format!("cannot read {path:?}: {error}"),
    })?;
    State::parse(&json).map_err(|error| format!("{path:?} is {error}"))
}

/// The link that a device of the agent's sends by, if the device is there and up.
fn usable(name: &str, device: Option<Link>) -> Result<Option<u32>, String> {
    match device {
        Some(Link {
            kind: Kind::Vxlan(vxlan),
            up: true,
            ..
        }) => Ok(vxlan.device),
        Some(link) if !link.up => Err(format!("the device {name:?} is down")),
        Some(_) => Err(format!("the device {name:?} is no VXLAN device")),
        None => Err(format!("the device {name:?} is gone")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_state_is_told_from_what_is_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("overlay.json");
        let cause = read(&path).unwrap_err();
        assert!(
            cause.contains("overlay.json\": podwired has not run"),
            "{cause}"
        );
        fs::write(&path, "{").unwrap();
        let cause = read(&path).unwrap_err();
        assert!(
            cause.contains("overlay.json\" is not a state of podwired's"),
            "{cause}"
        );
        let cause = read(directory.path()).unwrap_err();
        assert!(cause.contains("cannot read"), "{cause}");
    }
}
