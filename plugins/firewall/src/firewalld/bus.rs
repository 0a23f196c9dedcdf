// SPDX-License-Identifier: Apache-2.0
//! A connection to the system's message bus, of which nothing takes longer than it may.
//!
//! zbus speaks D-Bus. It sets no limit to connecting and authenticating, nor to how much a bus may
//! say meanwhile; so it is asked on threads, and whoever takes too long is not waited for.

use std::io::ErrorKind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fmt};

use serde::Serialize;
use zbus::address::transport::{Transport, UnixSocket};
use zbus::blocking::{Connection, Proxy, connection::Builder};
use zbus::proxy::MethodFlags;
use zbus::zvariant::{DynamicDeserialize, DynamicType};
use zbus::{Address, Error as ZbusError};

/// Where a bus listens if nothing else is said.
const USUAL: &str = "unix:path=/run/dbus/system_bus_socket";

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum Error {
    /// Who was called said no.
    Refused(String),
    /// There was no answer, or none that can be understood.
    Bus(String),
}

impl Error {
    fn bus(cause: impl fmt::Display) -> Self {
        Self::Bus(cause.to_string())
    }
}

impl From<ZbusError> for Error {
    fn from(error: ZbusError) -> Self {
        match error {
            ZbusError::MethodError(..) => Self::Refused(error.to_string()),
            _ => Self::bus(error),
        }
    }
}

/// What has methods.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object {
    pub(super) destination: &'static str,
    pub(super) path: &'static str,
    pub(super) interface: &'static str,
}

/// The bus itself.
pub(super) const BUS: Object = Object {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
};

/// The connection.
#[derive(Debug)]
pub(super) struct Bus {
    connection: Connection,
    deadline: Instant,
}

impl Bus {
    /// Connects to the bus, if there is one; all that is done there has to be over by `limit`.
    pub(super) fn connect(limit: Duration) -> Result<Option<Self>, Error> {
        let deadline = Instant::now() + limit;
        let addresses = env::var("DBUS_SYSTEM_BUS_ADDRESS");
        let addresses = addresses.as_deref().unwrap_or(USUAL);
        let Some(address) = addresses.split(';').find_map(of_this_host) else {
            return Ok(None);
        };
        if !may_listen(&address) {
            return Ok(None);
        }
        let connected = within(deadline, move || {
            match Builder::address(address).and_then(Builder::build) {
                Err(ZbusError::Connection(cause, _)) if is_nobody(cause.kind()) => Ok(None),
                connected => connected.map(Some),
            }
        });
        Ok(connected?.map(|connection| Self {
            connection,
            deadline,
        }))
    }

    /// Calls a method and waits for its answer. Nobody is started for the sake of a call.
    pub(super) fn call<A, B>(&self, of: Object, method: &'static str, body: B) -> Result<A, Error>
    where
        A: for<'d> DynamicDeserialize<'d> + Send + 'static,
        B: Serialize + DynamicType + Send + 'static,
    {
        let connection = self.connection.clone();
        within(self.deadline, move || {
            let object = Proxy::new(&connection, of.destination, of.path, of.interface)?;
            let answer = object.call_with_flags(method, MethodFlags::NoAutoStart.into(), &body)?;
            answer.ok_or(ZbusError::InvalidReply)
        })
    }
}

/// Asks on a thread of its own; a bus that says nothing, or never ends, keeps that one alone.
fn within<T: Send + 'static>(
    deadline: Instant,
    ask: impl FnOnce() -> Result<T, ZbusError> + Send + 'static,
) -> Result<T, Error> {
    let late = || Error::bus("no answer in time");
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(late());
    }
    let (done, answered) = mpsc::channel();
    let asking = thread::Builder::new().spawn(move || done.send(ask()));
    asking.map_err(Error::bus)?;
    match answered.recv_timeout(left) {
        Ok(answer) => answer.map_err(Error::from),
        Err(RecvTimeoutError::Timeout) => Err(late()),
        // The thread panicked, as zbus does at an empty line of the authentication.
        Err(RecvTimeoutError::Disconnected) => Err(Error::bus("the bus sent no message")),
    }
}

/// A socket of this host, out of an address such as `unix:path=/run/bus,guid=…`.
fn of_this_host(address: &str) -> Option<Address> {
    let address: Address = address.parse().ok()?;
    socket(&address).is_some().then_some(address)
}

fn socket(address: &Address) -> Option<&UnixSocket> {
    match address.transport() {
        Transport::Unix(unix) => match unix.path() {
            socket @ (UnixSocket::File(_) | UnixSocket::Abstract(_)) => Some(socket),
            _ => None,
        },
        _ => None,
    }
}

/// Whether it is worth a thread to ask; a socket without a file shows only by connecting.
fn may_listen(address: &Address) -> bool {
    match socket(address) {
        Some(UnixSocket::File(path)) => path.try_exists().unwrap_or(true),
        socket => socket.is_some(),
    }
}

fn is_nobody(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_host_are_understood() {
        for address in [
            "unix:path=/run/bus",
            "unix:guid=0123456789abcdef0123456789abcdef,path=/run/bus",
            "unix:abstract=bus",
        ] {
            assert!(of_this_host(address).is_some(), "{address}");
        }
        for address in [
            "",
            "tcp:host=localhost,port=1",
            "unix:",
            "unix:path",
            "unix:tmpdir=/run",
            "unixexec:path=/bin/true",
        ] {
            assert!(of_this_host(address).is_none(), "{address}");
        }
    }

    #[test]
    fn only_a_socket_that_is_there_is_asked() {
        let missing = of_this_host("unix:path=/nonexistent/bus").unwrap();
        assert!(!may_listen(&missing));
        for there in ["unix:path=/proc/self/stat", "unix:abstract=bus"] {
            assert!(may_listen(&of_this_host(there).unwrap()), "{there}");
        }
    }

    #[test]
    fn whoever_takes_too_long_or_panics_has_not_answered() {
        let soon = Instant::now() + Duration::from_millis(50);
        let silent = within(soon, || -> Result<(), ZbusError> {
            loop {
                thread::park();
            }
        });
        assert!(matches!(silent, Err(Error::Bus(said)) if said == "no answer in time"));
        let started = Instant::now();
        let past = within(started, || -> Result<(), ZbusError> {
            unreachable!("it is too late to ask")
        });
        assert!(matches!(past, Err(Error::Bus(said)) if said == "no answer in time"));
        let later = Instant::now() + Duration::from_secs(60);
        let broken = within(later, || -> Result<(), ZbusError> {
            panic!("an empty line")
        });
        assert!(matches!(broken, Err(Error::Bus(said)) if said == "the bus sent no message"));
    }
}
