// SPDX-License-Identifier: Apache-2.0
//! What a call that has programmed the overlay leaves to the next one: by which configuration,
//! what of the host it depended on, and the peers, of which the next call reads a few. So that one
//! learns that everything is right at a cost that does not grow with the number of peers.
//!
//! The file: the length of the head, the generation of the ruleset that was last found right, the
//! head, where each peer begins and where the last one ends, the peers. All numbers have 8 octets,
//! the least significant one first.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::BuildHasher as _;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use topology::{Cluster, Node, Settings};

use crate::attached::Carried;
use crate::place::{self, DIRECTORY};

/// The stamp's name; a namespace has one overlay, whatever its networks are called.
const NAME: &str = "vxlan.stamp";
/// Under which it is written.
const NEW: &str = ".vxlan.stamp.new";
/// The octets of a number.
const NUMBER: u64 = 8;
/// Where the head begins.
const HEAD: usize = 16;
/// No ruleset has this generation: the kernel's are numbers of 4 octets.
const UNKNOWN: u64 = u64::MAX;
/// More is read at once than a usual head has.
const AT_ONCE: usize = 8192;
/// No head is longer.
const LONGEST: u64 = 1 << 20;
/// How many peers of each family a call reads.
const SAMPLES: usize = 3;

/// All but the peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The configuration and the list: [`crate::fingerprint::Fingerprint`]. Empty while a change
    /// of the list would not show: then the stamp only says what was programmed.
    pub(crate) fingerprint: String,
    /// The boot and the network namespace: [`crate::place::here`].
    pub(crate) place: String,
    /// The CNI network by whose call it was programmed.
    pub(crate) network: String,
    /// The overlay's settings.
    pub(crate) settings: Settings,
    /// This node.
    pub(crate) own: Node,
    /// What of the host the overlay depends on.
    pub(crate) surroundings: String,
    /// The MTU in bytes that the overlay leaves to pods.
    pub(crate) mtu: u32,
    /// The indexes of the links that the VXLAN devices send by.
    pub(crate) underlays: Vec<u32>,
    /// How many peers have an overlay of IPv4 only, then of both families, then of IPv6 only: the
    /// order of the peers.
    pub(crate) counts: [usize; 3],
}

impl Head {
    /// What the overlay leaves to pods.
    pub(crate) fn carried(&self) -> Carried {
        Carried {
            mtu: self.mtu,
            underlays: self.underlays.clone(),
        }
    }
}

/// A stamp that is there.
#[derive(Debug)]
pub(crate) struct Stamp {
    pub(crate) head: Head,
    /// The generation of the ruleset that was last found right.
    ruleset: u64,
    file: File,
    /// Where the places of the peers begin.
    places: u64,
}

impl Stamp {
    /// The stamp in this directory; none where there is none that can be read.
    pub(crate) fn read(directory: &Path) -> Option<Self> {
        let path = directory.join(NAME);
        let file = File::options().read(true).write(true).open(&path);
        let file = file.or_else(|_| File::open(path)).ok()?;
        let mut begin = vec![0; AT_ONCE];
        let length = file.read_at(&mut begin, 0).ok()?;
        begin.truncate(length);
        let length = number(begin.get(..8)?).filter(|length| *length <= LONGEST)?;
        let ruleset = number(begin.get(8..HEAD)?)?;
        let end = HEAD + usize::try_from(length).ok()?;
        if begin.len() < end {
            begin.resize(end, 0);
            file.read_exact_at(&mut begin, 0).ok()?;
        }
        Some(Self {
            head: serde_json::from_slice(&begin[HEAD..end]).ok()?,
            ruleset,
            file,
            places: 2 * NUMBER + length,
        })
    }

    /// Whether the ruleset of this generation has been found right.
    pub(crate) fn knows_ruleset(&self, generation: u32) -> bool {
        self.ruleset == u64::from(generation)
    }

    /// Spares the next call the look at the ruleset; where that cannot be noted, it is not.
    pub(crate) fn note_ruleset(&self, generation: u32) {
        let generation = u64::from(generation).to_le_bytes();
        let _next_call_looks = self.file.write_all_at(&generation, NUMBER);
    }

    /// What an earlier call has left in this boot and network namespace.
    pub(crate) fn of_here() -> Option<Self> {
        let stamp = Self::read(Path::new(DIRECTORY))?;
        (stamp.head.place == place::here()?).then_some(stamp)
    }

    /// All that it says of the cluster.
    pub(crate) fn cluster(&self) -> Option<Cluster> {
        let peers = 0..self.head.counts.iter().sum();
        let mut nodes: Vec<_> = peers.map(|index| self.peer(index)).collect::<Option<_>>()?;
        nodes.push(self.head.own.clone());
        let known = Cluster::new(&self.head.own.name, nodes, &self.head.settings);
        known.ok().map(|(cluster, _)| cluster)
    }

    /// Some peers of each family, other ones each time.
    pub(crate) fn samples(&self) -> Option<Vec<Node>> {
        let [v4, both, v6] = self.head.counts;
        let mut chosen = chosen(0..v4 + both);
        chosen.extend(self::chosen(v4..v4 + both + v6));
        chosen.into_iter().map(|index| self.peer(index)).collect()
    }

    fn peer(&self, index: usize) -> Option<Node> {
        let index = u64::try_from(index).ok()?;
        let mut pair = [0; 16];
        let place = self.places + NUMBER * index;
        self.file.read_exact_at(&mut pair, place).ok()?;
        let (begin, end) = (number(&pair[..8])?, number(&pair[8..])?);
        let length = end.checked_sub(begin).filter(|it| *it <= LONGEST)?;
        let mut peer = vec![0; usize::try_from(length).ok()?];
        self.file.read_exact_at(&mut peer, begin).ok()?;
        serde_json::from_slice(&peer).ok()
    }
}

/// Leaves a stamp, with the peers in the order of [`Head::counts`]; it appears whole or not at all.
pub(crate) fn write(directory: &Path, head: &Head, peers: &[Node]) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    let mut records = Vec::new();
    let mut places = Vec::new();
    let count = u64::try_from(peers.len() + 1).map_err(io::Error::other)?;
    let length = u64::try_from(head.len()).map_err(io::Error::other)?;
    let begin = 2 * NUMBER + length + NUMBER * count;
    let mut place = |records: &Vec<u8>| {
        let offset = u64::try_from(records.len()).map_err(io::Error::other)?;
        places.extend((begin + offset).to_le_bytes());
        Ok::<(), io::Error>(())
    };
    for peer in peers {
        place(&records)?;
        serde_json::to_writer(&mut records, peer)?;
    }
    place(&records)?;
    let numbers = [length, UNKNOWN].map(u64::to_le_bytes).concat();
    let whole = [numbers, head, places, records].concat();
    let new = directory.join(NEW);
    place::write(&new, &whole)?;
    fs::rename(new, directory.join(NAME))
}

/// Takes the stamp away, before what it says ceases to be true.
pub(crate) fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_file(directory.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn number(octets: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(octets.try_into().ok()?))
}

/// Some members of a range, or all of a short one.
fn chosen(range: Range<usize>) -> BTreeSet<usize> {
    if range.len() <= SAMPLES {
        return range.collect();
    }
    let random = RandomState::new();
    let member = |index: usize| {
        let hash = usize::try_from(random.hash_one(index) >> 1).unwrap_or(index);
        range.start + hash % range.len()
    };
    let mut chosen = BTreeSet::new();
    for index in 0.. {
        chosen.insert(member(index));
        if chosen.len() == SAMPLES {
            break;
        }
    }
    chosen
}

#[cfg(test)]
mod tests;
