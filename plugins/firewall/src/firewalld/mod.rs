// SPDX-License-Identifier: Apache-2.0
//! firewalld: the pods' addresses become sources of a zone, and it lets their packets through.
//!
//! It drops in tables of its own, which no rule elsewhere can overrule, so it has to be asked. Where
//! it is not on the system's message bus, nothing is done. Which address is a source of which zone
//! on whose behalf is kept in `table inet podwire`, for DEL, for GC, and because firewalld forgets
//! it with each reload: the next ADD tells it all of them again.
//!
//! ```text
//! set ingress-zones4 { type ipv4_addr; elements = { 10.1.5.2 comment "pods veth… trusted" } }
//! ```

mod bus;
mod zones;

use std::net::IpAddr;
use std::time::Duration;

use cni::{Code, Error, OrCode};
use ipnetwork::IpNetwork;
use nft::Nft;

use crate::owner::{Owner, Valid};
use bus::{BUS, Bus, Object};
use zones::Source;

/// How long all that one call asks of firewalld may take: it answers within some tenths of a second,
/// but not while it reloads.
const LIMIT: Duration = Duration::from_secs(15);
/// The same for STATUS, which may wait for nothing.
const STATUS_LIMIT: Duration = Duration::from_millis(500);
const NAME: &str = "org.fedoraproject.FirewallD1";
const ZONES: Object = Object {
    destination: NAME,
    path: "/org/fedoraproject/FirewallD1",
    interface: "org.fedoraproject.FirewallD1.zone",
};
/// Its words for what is as it should be.
const ADDED_ALREADY: [&str; 2] = ["ZONE_ALREADY_SET", "ALREADY_ENABLED"];
const GONE_ALREADY: [&str; 3] = ["UNKNOWN_SOURCE", "NOT_ENABLED", "INVALID_ZONE"];

/// Whether firewalld is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Another backend is asked for.
    Never,
    /// Where it runs.
    IfRunning,
    /// It has to run.
    Always,
}

/// What an attachment wishes of firewalld.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    /// Whose it is.
    pub(crate) owner: &'a Owner,
    /// Its addresses.
    pub(crate) addresses: &'a [IpAddr],
    /// Where they belong.
    pub(crate) zone: &'a str,
    /// Whether it is to be asked.
    pub(crate) demand: Demand,
}

impl Sources<'_> {
    /// Makes the addresses sources of their zone, and again those that a reload took away.
    pub(crate) fn ensure(&self, nft: &mut Nft) -> Result<(), Error> {
        if self.demand == Demand::Never || self.addresses.is_empty() {
            return Ok(());
        }
        let Some(firewalld) = Firewalld::connect(LIMIT)? else {
            return self.unless_demanded(Code::FIREWALL);
        };
        let own: Vec<_> = self.sources().collect();
        let known =
            zones::add(nft, &own).or_code(Code::FIREWALL, "remember firewalld's sources")?;
        let held = firewalld.sources(self.zone)?;
        let same_zone = known.iter().filter(|source| source.zone == self.zone);
        for source in same_zone.filter(|source| !held.contains(&source.text())) {
            firewalld.add(source)?;
            // Its DEL may have been faster.
            let known = zones::all(nft).or_code(Code::FIREWALL, "look up firewalld's sources")?;
            if !known.contains(source) {
                firewalld.remove(source)?;
            }
        }
        Ok(())
    }

    /// Takes back what [`Sources::ensure`] made.
    pub(crate) fn undo(&self, nft: &mut Nft) -> Result<(), Error> {
        let known = zones::all(nft).or_code(Code::FIREWALL, "look up firewalld's sources")?;
        give_back(nft, known, |owner| owner == self.owner)
    }

    /// What firewalld does not have, a sentence each.
    pub(crate) fn missing(&self) -> Result<Vec<String>, Error> {
        if self.demand == Demand::Never {
            return Ok(Vec::new());
        }
        let Some(firewalld) = Firewalld::connect(LIMIT)? else {
            let demanded = self.unless_demanded(Code::CHECK_FAILED).err();
            return Ok(demanded.into_iter().map(|error| error.msg).collect());
        };
        let mut sentences = Vec::new();
        for source in self.sources() {
            if !firewalld.has(&source)? {
                let (zone, text) = (&source.zone, source.text());
                sentences.push(format!(
                    "zone {zone:?} of firewalld has lost the source {text}: it was reloaded"
                ));
            }
        }
        Ok(sentences)
    }

    /// Takes back what the attachment has, and what the reference plugin made for these addresses.
    pub(crate) fn remove(&self, nft: &mut Nft) -> Result<(), Error> {
        let wish = "look up firewalld's sources";
        let known = zones::all(nft).or_code(Code::FIREWALL, wish)?;
        if self.demand != Demand::Never {
            let is_free = |it: &Source| known.iter().all(|known| known.address != it.address);
            let referred: Vec<_> = self.sources().filter(is_free).collect();
            if !referred.is_empty() {
                // Without a record it is not known whether there is anything.
                let _unknown = forget_sources(&referred);
            }
        }
        give_back(nft, known, |owner| owner == self.owner)
    }

    fn sources(&self) -> impl Iterator<Item = Source> {
        self.addresses.iter().map(|address| Source {
            owner: self.owner.clone(),
            address: *address,
            zone: self.zone.to_owned(),
        })
    }

    fn unless_demanded(&self, code: Code) -> Result<(), Error> {
        match self.demand {
            Demand::Always => Err(not_running(code)),
            Demand::Never | Demand::IfRunning => Ok(()),
        }
    }
}

/// Takes back what attachments of the network have that do not stay.
pub(crate) fn collect(nft: &mut Nft, valid: &Valid) -> Result<(), Error> {
    let known = zones::all(nft).or_code(Code::FIREWALL, "look up firewalld's sources")?;
    give_back(nft, known, |owner| valid.excludes(owner))
}

/// Whether it runs, where that is demanded.
pub(crate) fn status(demand: Demand) -> Result<(), Error> {
    if demand != Demand::Always {
        return Ok(());
    }
    let as_status = |error: Error| Error {
        code: Code::UNAVAILABLE,
        ..error
    };
    match Firewalld::connect(STATUS_LIMIT).map_err(as_status)? {
        Some(_) => Ok(()),
        None => Err(not_running(Code::UNAVAILABLE)),
    }
}

fn not_running(code: Code) -> Error {
    let msg =
        "backend \"firewalld\" was requested but firewalld is not on the system's message bus";
    Error::new(code, msg)
}

/// The records go when firewalld has let go of the sources, or does not run: then it has none.
fn give_back(
    nft: &mut Nft,
    known: Vec<Source>,
    gone: impl Fn(&Owner) -> bool,
) -> Result<(), Error> {
    let sources: Vec<_> = known.into_iter().filter(|it| gone(&it.owner)).collect();
    if sources.is_empty() {
        return Ok(());
    }
    forget_sources(&sources)?;
    zones::remove(nft, gone).or_code(Code::FIREWALL, "forget firewalld's sources")
}

fn forget_sources(sources: &[Source]) -> Result<(), Error> {
    if let Some(firewalld) = Firewalld::connect(LIMIT)? {
        for source in sources {
            firewalld.remove(source)?;
        }
    }
    Ok(())
}

/// The daemon, by the bus.
#[derive(Debug)]
struct Firewalld(Bus);

impl Firewalld {
    /// `None` when there is no bus, or firewalld is not on it.
    fn connect(limit: Duration) -> Result<Option<Self>, Error> {
        let wish = "ask the system's message bus for firewalld";
        let Some(bus) = Bus::connect(limit).map_err(|it| failure(wish, it))? else {
            return Ok(None);
        };
        let there: bool = bus
            .call(BUS, "NameHasOwner", (NAME,))
            .map_err(|it| failure(wish, it))?;
        Ok(there.then_some(Self(bus)))
    }

    fn add(&self, source: &Source) -> Result<(), Error> {
        let (zone, text) = (source.zone.clone(), source.text());
        let wish = format!("add the source {text} to zone {zone:?} of firewalld");
        let added = self.0.call(ZONES, "addSource", (zone, text));
        unless_said(added, &ADDED_ALREADY).map_err(|it| failure(&wish, it))
    }

    fn remove(&self, source: &Source) -> Result<(), Error> {
        let (zone, text) = (source.zone.clone(), source.text());
        let wish = format!("remove the source {text} from zone {zone:?} of firewalld");
        let removed = self.0.call(ZONES, "removeSource", (zone, text));
        unless_said(removed, &GONE_ALREADY).map_err(|it| failure(&wish, it))
    }

    fn has(&self, source: &Source) -> Result<bool, Error> {
        let (zone, text) = (source.zone.clone(), source.text());
        let wish = format!("look for the source {text} in zone {zone:?} of firewalld");
        let held = self.0.call(ZONES, "querySource", (zone, text));
        held.map_err(|it| failure(&wish, it))
    }

    fn sources(&self, zone: &str) -> Result<Vec<String>, Error> {
        let wish = format!("list the sources of zone {zone:?} of firewalld");
        let listed = self.0.call(ZONES, "getSources", (zone.to_owned(),));
        listed.map_err(|it| failure(&wish, it))
    }
}

/// The answer is the zone's name.
fn unless_said(answer: Result<String, bus::Error>, harmless: &[&str]) -> Result<(), bus::Error> {
    match answer {
        Err(bus::Error::Refused(said)) if harmless.iter().any(|word| said.contains(word)) => Ok(()),
        answer => answer.map(drop),
    }
}

fn failure(wish: &str, error: bus::Error) -> Error {
    match error {
        bus::Error::Refused(said) => Error::new(Code::FIREWALL, format!("{wish}: {said}")),
        bus::Error::Bus(cause) => Error::new(Code::TRY_AGAIN_LATER, format!("{wish}: {cause}")),
    }
}

/// As firewalld writes an address: `10.1.5.2/32`.
fn text_of(address: IpAddr) -> String {
    IpNetwork::from(address).to_string()
}
