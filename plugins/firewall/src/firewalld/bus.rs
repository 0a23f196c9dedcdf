// SPDX-License-Identifier: Apache-2.0
//! A connection to the system's message bus, of which nothing takes longer than it may.
//!
//! Source: D-Bus specification, sections "Authentication Protocol" and "Server Addresses".

use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::message::{Answer, Call, START, Values, answer, rest};

/// Where a bus listens if nothing else is said.
const USUAL: &str = "unix:path=/run/dbus/system_bus_socket";
/// The longest line of the authentication.
const LINE_MAX: usize = 1024;

/// Why a call has no values.
#[derive(Debug)]
pub(super) enum Error {
    /// The bus, or who was called, said no.
    Refused(String),
    /// There was no answer.
    Bus(io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Bus(error)
    }
}

/// The connection.
#[derive(Debug)]
pub(super) struct Bus {
    stream: UnixStream,
    serial: u32,
    deadline: Instant,
}

impl Bus {
    /// Connects to the bus, if there is one; all that is done there has to be over by `limit`.
    pub(super) fn connect(limit: Duration) -> Result<Option<Self>, Error> {
        let deadline = Instant::now() + limit;
        let Some(stream) = open(limit)? else {
            return Ok(None);
        };
        let mut bus = Self {
            stream,
            serial: 0,
            deadline,
        };
        bus.authenticate()?;
        bus.call_bus("Hello", &[])?;
        Ok(Some(bus))
    }

    /// Calls a method of the bus itself.
    pub(super) fn call_bus(&mut self, member: &str, arguments: &[&str]) -> Result<Values, Error> {
        self.call(&Call {
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member,
            arguments,
        })
    }

    /// Calls a method and waits for its answer; what else comes in is not for us.
    pub(super) fn call(&mut self, call: &Call<'_>) -> Result<Values, Error> {
        self.serial += 1;
        self.send(&call.encode(self.serial))?;
        loop {
            let mut start = [0; START];
            self.receive(&mut start)?;
            let rest = rest(&start).ok_or_else(|| invalid("no message"))?;
            let mut message = start.to_vec();
            message.resize(START + rest, 0);
            self.receive(&mut message[START..])?;
            match answer(&message, self.serial) {
                Some(Answer::Values(values)) => return Ok(values),
                Some(Answer::Refused(said)) => return Err(Error::Refused(said)),
                None => {}
            }
        }
    }

    /// The bus knows by the socket whom it has before it.
    fn authenticate(&mut self) -> Result<(), Error> {
        self.send(b"\0AUTH EXTERNAL\r\nDATA\r\n")?;
        loop {
            let line = self.line()?;
            if line.starts_with("OK") {
                return self.send(b"BEGIN\r\n").map_err(Error::from);
            }
            if !line.starts_with("DATA") {
                return Err(Error::Refused(format!("authentication: {line:?}")));
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            if line.len() > LINE_MAX {
                return Err(invalid("a line without an end"));
            }
            let mut octet = [0];
            self.receive(&mut octet)?;
            line.extend(octet);
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write_all(bytes).map_err(in_words)
    }

    fn receive(&mut self, mut into: &mut [u8]) -> io::Result<()> {
        while !into.is_empty() {
            self.stream.set_read_timeout(Some(self.left()?))?;
            match self.stream.read(into) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => into = &mut into[length..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(in_words(error)),
            }
        }
        Ok(())
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(in_words(ErrorKind::TimedOut.into()));
        }
        Ok(left)
    }
}

/// Connects on a thread of its own: a bus that accepts nobody would keep the caller for ever.
fn open(limit: Duration) -> io::Result<Option<UnixStream>> {
    let addresses = env::var("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_else(|_| USUAL.to_owned());
    let Some(address) = addresses.split(';').find_map(socket) else {
        return Ok(None);
    };
    let (done, opened) = mpsc::channel();
    thread::spawn(move || done.send(UnixStream::connect_addr(&address)));
    let opened = opened.recv_timeout(limit);
    match opened.unwrap_or_else(|_| Err(in_words(ErrorKind::TimedOut.into()))) {
        Ok(stream) => Ok(Some(stream)),
        // Nobody listens there.
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => Ok(None),
            _ => Err(error),
        },
    }
}

/// A socket of this host, out of an address such as `unix:path=/run/bus,guid=…`.
fn socket(address: &str) -> Option<SocketAddr> {
    let pairs = address.strip_prefix("unix:")?.split(',');
    let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(key, value)| match key {
        "path" => SocketAddr::from_pathname(value).ok(),
        "abstract" => SocketAddr::from_abstract_name(value).ok(),
        _ => None,
    })
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the bus sent {what}"))
}

/// A socket's time limit looks like a socket that does not wait.
fn in_words(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            io::Error::new(ErrorKind::TimedOut, "no answer in time")
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_host_are_understood() {
        for address in [
            "unix:path=/run/bus",
            "unix:guid=0,path=/run/bus",
            "unix:abstract=bus",
        ] {
            assert!(socket(address).is_some(), "{address}");
        }
        for address in ["", "tcp:host=localhost,port=1", "unix:", "unix:path"] {
            assert!(socket(address).is_none(), "{address}");
        }
    }
}
