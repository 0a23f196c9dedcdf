// SPDX-License-Identifier: Apache-2.0
//! Word to the service manager: sd_notify(3).

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Says that the service does its work now. Nothing happens where nobody waits for that.
pub(crate) fn ready() -> io::Result<()> {
    match std::env::var_os("NOTIFY_SOCKET") {
        Some(socket) => send(&socket, "READY=1"),
        None => Ok(()),
    }
}

fn send(socket: &OsStr, word: &str) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(word.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_sockets_are_reached() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let name = format!("podwired-{}", std::process::id());
        let sockets = [
            (
                path.clone().into_os_string(),
                SocketAddr::from_pathname(&path),
            ),
            (
                format!("@{name}").into(),
                SocketAddr::from_abstract_name(&name),
            ),
        ];
        for (text, address) in sockets {
            let socket = UnixDatagram::bind_addr(&address.unwrap()).unwrap();
            send(&text, "READY=1").unwrap();
            let mut word = [0; 16];
            let length = socket.recv(&mut word).unwrap();
            assert_eq!(&word[..length], b"READY=1");
        }
    }
}
