// SPDX-License-Identifier: Apache-2.0
//! The connection to the kernel: requests, dumps and transactions.
//!
//! nf_tables does its work inside send(2), and a dump goes on inside recv(2). So whatever is to be
//! received is there already, nothing blocks, and an empty queue means that all has been said.

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::errno::Errno;
use nix::libc::MSG_DONTWAIT;
use nix::sys::socket::{
    setsockopt,
    sockopt::{SndBuf, SndBufForce},
};

use crate::batch::Batch;
use crate::error::Error;
use crate::object::Table;
use crate::uapi::{SUBSYSTEM, verb};
use crate::wire::{self, ACK, Content, DUMP, Header, Refusal, Writer};

/// How often a look and a change are repeated when others change the ruleset in between. In a
/// storm each round lets at least one of the callers through.
const ATTEMPTS: u32 = 1000;
/// More than the 8 KiB that the kernel puts into a datagram anyway; beyond that it adapts to this.
const BUFFER: usize = 16 << 10;

/// Bytes that fit a socket's send buffer as it comes (`net.core.wmem_default` is 208 KiB).
const ALWAYS_FITS: usize = 200 << 10;

/// A connection to nf_tables of one network namespace.
#[derive(Debug)]
pub struct Nft {
    socket: Socket,
    received: Vec<u8>,
    sequence: u32,
}

/// A question to the kernel.
pub(crate) struct Question<'a> {
    /// The subsystem in the high byte, the verb in the low one.
    pub(crate) kind: u16,
    /// 0 where the object has no family.
    pub(crate) family: u8,
    /// What an error says was asked for.
    pub(crate) wish: &'a str,
}

impl Nft {
    /// Connects to nf_tables of the calling thread's network namespace, for as long as the value
    /// lives. Fails if the kernel has no netfilter netlink, or if descriptors are used up.
    pub fn open() -> Result<Nft, Error> {
        let connect = || -> std::io::Result<Socket> {
            let socket = Socket::new(NETLINK_NETFILTER)?;
            socket.set_ext_ack(true)?;
            socket.set_cap_ack(true)?;
            socket.connect(&SocketAddr::new(0, 0))?;
            Ok(socket)
        };
        let socket = connect().map_err(|e| {
            Error::io("connect to nf_tables", &e).unsupported_if(&[Errno::EPROTONOSUPPORT])
        })?;
        Ok(Nft {
            socket,
            received: Vec::with_capacity(BUFFER),
            sequence: 0,
        })
    }

    /// Looks at the ruleset and changes it as one step: `change` reads and says what to do, and
    /// if the ruleset changed meanwhile, it is asked again. An empty batch ends it, too.
    ///
    /// A batch made from such a look refers to nothing that is missing. So "not found" means that
    /// the kernel has no such kind of chain or expression: [`Error::Unsupported`].
    pub fn transact(
        &mut self,
        mut change: impl FnMut(&mut Nft) -> Result<Batch, Error>,
    ) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let generation = self.generation()?;
            let batch = change(self)?;
            if batch.is_empty() {
                if self.generation()? == generation {
                    return Ok(());
                }
                continue;
            }
            match self.commit_to(&batch, Some(generation)) {
                Err(error) if error.errno() == Some(Errno::ERESTART) => {}
                Err(error) => return Err(error.unsupported_if(&[Errno::ENOENT])),
                Ok(()) => return Ok(()),
            }
        }
        Err(Error::Contended { attempts: ATTEMPTS })
    }

    /// Carries out a batch, all of it or nothing. The error is that of its first refused message.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), Error> {
        if batch.is_empty() {
            Ok(())
        } else {
            self.commit_to(batch, None)
        }
    }

    /// Deletes a table if nothing is in it: neither ours nor that of others who use the table.
    pub fn remove_if_empty(&mut self, table: Table<'_>) -> Result<(), Error> {
        let mut batch = Batch::new();
        batch.delete_empty_table(table);
        match self.commit(&batch) {
            Err(e) if matches!(e.errno(), Some(Errno::EBUSY | Errno::ENOENT)) => Ok(()),
            outcome => outcome,
        }
    }

    fn commit_to(&mut self, batch: &Batch, generation: Option<u32>) -> Result<(), Error> {
        let wish = batch.wish(0);
        let messages = batch.to_writer(generation);
        self.make_room(messages.len());
        self.send(wish, &messages)?;
        let mut outcome = None;
        while self.receive(wish)? {
            for answer in wire::answers(&self.received) {
                let Content::End(end) = answer.content() else {
                    continue;
                };
                if !matches!(outcome, Some(Err(_))) {
                    outcome = Some(end.map_err(|why| refused(batch.wish(answer.sequence), why)));
                }
            }
        }
        outcome.unwrap_or_else(|| Err(unanswered(wish)))
    }

    /// Lets the kernel take a batch of this many bytes in one send, as it must. Without the right
    /// to force it, the limit is twice `net.core.wmem_max`; the send tells if that is too little.
    fn make_room(&self, bytes: usize) {
        if bytes > ALWAYS_FITS && setsockopt(&self.socket, SndBufForce, &bytes).is_err() {
            let _limited = setsockopt(&self.socket, SndBuf, &bytes);
        }
    }

    /// Asks for one object: its attributes, or `None` if it or what it would be in is missing.
    pub(crate) fn get(
        &mut self,
        question: &Question<'_>,
        body: impl FnOnce(&mut Writer),
    ) -> Result<Option<Vec<u8>>, Error> {
        self.ask(question, 0, body)?;
        self.receive(question.wish)?;
        let answer = wire::answers(&self.received).next();
        match answer.map(|answer| answer.content()) {
            Some(Content::Object(attributes)) => Ok(Some(attributes.to_vec())),
            Some(Content::End(Err((Errno::ENOENT, _)))) => Ok(None),
            Some(Content::End(Err(why))) => Err(refused(question.wish, why)),
            Some(Content::End(Ok(()))) | None => Err(unanswered(question.wish)),
        }
    }

    /// Has one thing done outside of a batch; if what it is about is missing, it is done.
    pub(crate) fn order(
        &mut self,
        question: &Question<'_>,
        body: impl FnOnce(&mut Writer),
    ) -> Result<(), Error> {
        self.ask(question, ACK, body)?;
        self.receive(question.wish)?;
        let answer = wire::answers(&self.received).next();
        match answer.map(|answer| answer.content()) {
            Some(Content::End(Ok(()) | Err((Errno::ENOENT, _)))) => Ok(()),
            Some(Content::End(Err(why))) => Err(refused(question.wish, why)),
            Some(Content::Object(_)) | None => Err(unanswered(question.wish)),
        }
    }

    /// Asks for all objects that match and collects what `read` makes of each one's attributes;
    /// nothing if what they would be in is missing. Asks again if the ruleset changed meanwhile.
    pub(crate) fn dump<T>(
        &mut self,
        question: &Question<'_>,
        body: impl Fn(&mut Writer),
        read: impl Fn(&[u8], &mut Vec<T>),
    ) -> Result<Vec<T>, Error> {
        for _ in 0..ATTEMPTS {
            self.ask(question, DUMP, &body)?;
            if let Some(found) = self.collect(question.wish, &read)? {
                return Ok(found);
            }
        }
        Err(Error::Contended { attempts: ATTEMPTS })
    }

    /// The objects of one dump; `None` if it was interrupted.
    fn collect<T>(
        &mut self,
        wish: &str,
        read: &impl Fn(&[u8], &mut Vec<T>),
    ) -> Result<Option<Vec<T>>, Error> {
        let mut found = Vec::new();
        let mut whole = true;
        while self.receive(wish)? {
            for answer in wire::answers(&self.received) {
                whole &= !answer.interrupted();
                match answer.content() {
                    Content::Object(attributes) => read(attributes, &mut found),
                    Content::End(Ok(())) => return Ok(whole.then_some(found)),
                    Content::End(Err((Errno::ENOENT, _))) => return Ok(Some(Vec::new())),
                    Content::End(Err(why)) => return Err(refused(wish, why)),
                }
            }
        }
        Err(unanswered(wish))
    }

    /// The ruleset's generation: it is another one after each change of any table, whoever made it.
    pub fn generation(&mut self) -> Result<u32, Error> {
        const GENERATION_ID: u16 = 1;
        let wish = "read the generation of the nf_tables ruleset";
        let question = Question {
            kind: SUBSYSTEM << 8 | verb::GET_GENERATION,
            family: 0,
            wish,
        };
        // EINVAL: netfilter knows no such subsystem and cannot load it.
        let attributes = self
            .get(&question, |_| {})
            .map_err(|error| error.unsupported_if(&[Errno::EINVAL]))?;
        attributes
            .and_then(|attributes| wire::number(wire::find(&attributes, GENERATION_ID)?))
            .ok_or_else(|| unanswered(wish))
    }

    fn ask(
        &mut self,
        question: &Question<'_>,
        flags: u16,
        body: impl FnOnce(&mut Writer),
    ) -> Result<(), Error> {
        self.sequence = self.sequence.wrapping_add(1);
        let header = Header {
            kind: question.kind,
            flags,
            sequence: self.sequence,
            family: question.family,
            resource: 0,
        };
        let mut message = Writer::default();
        message.message(header, body);
        self.send(question.wish, &message)
    }

    fn send(&mut self, wish: &str, messages: &Writer) -> Result<(), Error> {
        self.socket
            .send(messages.as_bytes(), 0)
            .map(drop)
            .map_err(|e| Error::io(wish, &e))
    }

    /// Takes the next datagram into `received`; `false` if there is none.
    fn receive(&mut self, wish: &str) -> Result<bool, Error> {
        self.received.clear();
        match self.socket.recv(&mut self.received, MSG_DONTWAIT) {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(Error::io(wish, &e)),
        }
    }
}

fn refused(wish: &str, (errno, text): Refusal) -> Error {
    Error::Refused {
        wish: wish.to_owned(),
        errno,
        text,
    }
}

fn unanswered(wish: &str) -> Error {
    Error::Answer {
        wish: wish.to_owned(),
        fault: "not complete",
    }
}
