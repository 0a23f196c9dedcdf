// SPDX-License-Identifier: Apache-2.0
//! What a node publishes, byte by byte as flannel does: a flanneld that takes the node back reads
//! its MAC address by cutting the text, and gives itself another one where it is not the same.

use topology::{Family, Mac, Vni};

use super::{Annotations, Announced, BACKEND_TYPE, MEMBER, Prefix, VXLAN, address_name, data_name};

/// The annotations by which a node announces its VTEPs, when `present` are those that its Node has
/// now. A family without an address or without a MAC address has none.
///
/// A flanneld next to us takes no notice of a Node of which one family's annotations are the same
/// as before, nor of one that is a member again with the same values. So whatever changes, all
/// families do: data that would stay gets a blank before it, or loses it. To every JSON parser,
/// and to [`read`](super::read), that makes no difference.
#[must_use]
pub fn written(
    announced: &Announced,
    vni: Vni,
    prefix: &Prefix,
    present: &Annotations,
) -> Annotations {
    let entries: Vec<_> = Family::ALL
        .into_iter()
        .filter_map(|family| Entry::of(announced, family, vni, prefix, present))
        .collect();
    let has = |name: &str, value: &str| present.get(&prefix.key(name)).is_some_and(|v| v == value);
    // A changed type is seen in every family.
    let seen = !has(BACKEND_TYPE, VXLAN);
    let changes = !has(MEMBER, "true") || entries.iter().any(|entry| entry.changes);
    let mut annotations = Annotations::from([
        (prefix.key(MEMBER), "true".to_owned()),
        (prefix.key(BACKEND_TYPE), VXLAN.to_owned()),
    ]);
    for entry in entries {
        let data = if changes && !seen && !entry.changes {
            toggled(&entry.data)
        } else {
            entry.data
        };
        annotations.insert(prefix.key(address_name(entry.family)), entry.address);
        annotations.insert(prefix.key(data_name(entry.family)), data);
    }
    annotations
}

/// One family's part of what is published.
struct Entry {
    family: Family,
    address: String,
    /// As it stands now where that means the same.
    data: String,
    changes: bool,
}

impl Entry {
    fn of(
        announced: &Announced,
        family: Family,
        vni: Vni,
        prefix: &Prefix,
        present: &Annotations,
    ) -> Option<Self> {
        let address = announced.underlay.address(family)?.to_string();
        let plain = backend_data(vni, announced.mac(family)?);
        let there = present.get(&prefix.key(data_name(family)));
        let same = there.filter(|there| there.strip_prefix(' ').unwrap_or(there) == plain);
        let moves = present.get(&prefix.key(address_name(family))) != Some(&address);
        Some(Self {
            family,
            changes: moves || same.is_none(),
            address,
            data: same.cloned().unwrap_or(plain),
        })
    }
}

fn backend_data(vni: Vni, mac: Mac) -> String {
    format!(r#"{{"VNI":{vni},"VtepMAC":"{mac}"}}"#)
}

/// The same data as another text.
fn toggled(data: &str) -> String {
    match data.strip_prefix(' ') {
        Some(plain) => plain.to_owned(),
        None => format!(" {data}"),
    }
}
