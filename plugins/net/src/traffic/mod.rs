// SPDX-License-Identifier: Apache-2.0
//! Traffic control: what limits the packets that leave a link, and what happens to those that
//! come in by it.

pub(crate) mod redirect;
pub(crate) mod tbf;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcOption};

use self::tbf::{Bucket, Tbf};
use crate::error::Cause;
use crate::{Error, Rtnl};

/// The handle of a limit, `1:`.
const LIMIT: TcHandle = TcHandle { major: 1, minor: 0 };
/// The handle that an ingress discipline always has, `ffff:`.
const INGRESS: TcHandle = TcHandle {
    major: u16::MAX,
    minor: 0,
};

/// A queueing discipline that somebody gave to a link; the kernel's own default is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Qdisc {
    /// A token bucket filter.
    Tbf(Bucket),
    /// Where filters for incoming packets hang; it queues nothing.
    Ingress,
    /// The same, with a place for filters of outgoing packets.
    Clsact,
    /// Another one, by the kernel's name for it.
    Other(String),
}

impl Rtnl {
    /// The discipline for packets that leave a link. Equal to `tc qdisc show dev DEV root`.
    ///
    /// # Errors
    /// When there is no such link, or the kernel refuses.
    pub fn root_qdisc(&self, index: u32) -> Result<Option<Qdisc>, Error> {
        self.qdisc(index, TcHandle::ROOT)
    }

    /// The discipline for packets that come in by a link. Equal to `tc qdisc show dev DEV ingress`.
    ///
    /// # Errors
    /// As for [`Rtnl::root_qdisc`].
    pub fn ingress_qdisc(&self, index: u32) -> Result<Option<Qdisc>, Error> {
        self.qdisc(index, TcHandle::INGRESS)
    }

    /// Limits the packets that leave a link. Equal to `tc qdisc add dev DEV root handle 1: tbf rate
    /// RATE burst BURST limit LIMIT`.
    ///
    /// # Errors
    /// [`Error::is_exists`] when the link has a discipline already that somebody gave to it.
    pub fn limit(&self, index: u32, tbf: &Tbf) -> Result<(), Error> {
        let message = new(index, TcHandle::ROOT, LIMIT, "tbf", tbf.options());
        self.add(message).map_err(|cause| {
            let Tbf { rate, burst, .. } = tbf;
            let link = self.describe(index);
            cause.during(format!(
                "cannot limit {link} to {rate} bytes a second with a burst of {burst} bytes"
            ))
        })
    }

    /// Lets filters hang where packets come in by a link. Equal to `tc qdisc add dev DEV ingress`.
    ///
    /// # Errors
    /// [`Error::is_exists`] when the link has that already, or `clsact`.
    pub fn add_ingress(&self, index: u32) -> Result<(), Error> {
        let message = new(index, TcHandle::INGRESS, INGRESS, "ingress", Vec::new());
        self.add(message).map_err(|cause| {
            let link = self.describe(index);
            cause.during(format!("cannot add the ingress discipline to {link}"))
        })
    }

    /// Takes the limit away. Equal to `tc qdisc del dev DEV root`.
    ///
    /// # Errors
    /// [`Error::is_not_found`] when there is none.
    pub fn delete_root_qdisc(&self, index: u32) -> Result<(), Error> {
        self.delete_qdisc(index, TcHandle::ROOT)
    }

    /// Takes the ingress discipline away and with it its filters. Equal to `tc qdisc del dev DEV
    /// ingress`.
    ///
    /// # Errors
    /// As for [`Rtnl::delete_root_qdisc`].
    pub fn delete_ingress_qdisc(&self, index: u32) -> Result<(), Error> {
        self.delete_qdisc(index, TcHandle::INGRESS)
    }

    fn add(&self, message: TcMessage) -> Result<(), Cause> {
        self.change(
            RouteNetlinkMessage::NewQueueDiscipline(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    fn delete_qdisc(&self, index: u32, parent: TcHandle) -> Result<(), Error> {
        let request = RouteNetlinkMessage::DelQueueDiscipline(message(index, parent));
        self.change(request, 0).map_err(|cause| {
            let link = self.describe(index);
            cause.during(format!("cannot delete a queueing discipline of {link}"))
        })
    }

    /// The kernel answers a request for a discipline as it tells of a change: to him who asks for
    /// an echo. It tells nothing of its own `noqueue`, and with handle 0 what else it chose itself.
    fn qdisc(&self, index: u32, parent: TcHandle) -> Result<Option<Qdisc>, Error> {
        let request = RouteNetlinkMessage::GetQueueDiscipline(message(index, parent));
        let found = match self.change_and_hear(request, 0) {
            Err(cause) if cause.errno() == Some(nix::errno::Errno::ENOENT) => return Ok(None),
            found => found.map_err(|cause| {
                let link = self.describe(index);
                cause.during(format!("cannot look up the queueing discipline of {link}"))
            })?,
        };
        Ok(found.into_iter().find_map(|message| match message {
            RouteNetlinkMessage::NewQueueDiscipline(message) => qdisc_in(&message),
            _ => None,
        }))
    }
}

fn qdisc_in(message: &TcMessage) -> Option<Qdisc> {
    let kind = kind(message).filter(|_| message.header.handle.major != 0)?;
    Some(match kind {
        "tbf" => match Bucket::of(options(message)) {
            Some(bucket) => Qdisc::Tbf(bucket),
            None => Qdisc::Other(kind.to_owned()),
        },
        "ingress" => Qdisc::Ingress,
        "clsact" => Qdisc::Clsact,
        other => Qdisc::Other(other.to_owned()),
    })
}

fn kind(message: &TcMessage) -> Option<&str> {
    message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            TcAttribute::Kind(kind) => Some(kind.as_str()),
            _ => None,
        })
}

fn options(message: &TcMessage) -> &[TcOption] {
    let options = message.attributes.iter();
    let mut options = options.filter_map(|attribute| match attribute {
        TcAttribute::Options(options) => Some(options.as_slice()),
        _ => None,
    });
    options.next().unwrap_or_default()
}

fn message(index: u32, parent: TcHandle) -> TcMessage {
    let mut message = TcMessage::default();
    // The kernel has no index above i32::MAX.
    message.header.index = i32::try_from(index).unwrap_or_default();
    message.header.parent = parent;
    message
}

fn new(
    index: u32,
    parent: TcHandle,
    handle: TcHandle,
    kind: &str,
    options: Vec<TcOption>,
) -> TcMessage {
    let mut message = message(index, parent);
    message.header.handle = handle;
    message.attributes.push(TcAttribute::Kind(kind.to_owned()));
    if !options.is_empty() {
        message.attributes.push(TcAttribute::Options(options));
    }
    message
}
