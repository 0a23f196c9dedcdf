// SPDX-License-Identifier: Apache-2.0
//! The keys `vlan`, `vlanTrunk` and `preserveDefaultVlan`: which VLANs a bridge port carries.

use net::PortVlan;
use serde::Deserialize;

/// The native VLAN of a trunk port whose `vlan` is unset.
const NATIVE: u16 = 1;
/// The highest VLAN ID that may be used, IEEE 802.1Q.
const MAX_ID: i64 = 4094;

/// One entry of `vlanTrunk`, as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawTrunk {
    #[serde(rename = "minID")]
    min_id: Option<i64>,
    #[serde(rename = "maxID")]
    max_id: Option<i64>,
    id: Option<i64>,
}

/// The VLANs of an attachment's port.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Vlans {
    /// The access VLAN, carried untagged; `None` when `vlan` is 0 or absent.
    pub(crate) access: Option<u16>,
    /// VLANs carried tagged, as inclusive ranges; `None` without `vlanTrunk`.
    trunk: Option<Vec<(u16, u16)>>,
    /// Whether the VLAN that the bridge gives to each new port stays.
    keep_default: bool,
}

impl Vlans {
    /// The keys' values as VLANs; an error is the sentence for the user.
    pub(crate) fn new(
        access: i64,
        trunk: Option<Vec<RawTrunk>>,
        keep_default: bool,
    ) -> Result<Self, String> {
        let access =
            match access {
                0 => None,
                id => Some(vlan_id(id).ok_or_else(|| {
                    format!("invalid VLAN ID {id} (must be between 0 and {MAX_ID})")
                })?),
            };
        let trunk = match trunk {
            None => None,
            Some(entries) => Some(trunk_ranges(&entries)?),
        };
        Ok(Self {
            access,
            trunk,
            keep_default,
        })
    }

    /// The access VLAN alone: what the port of the gateway's interface carries.
    pub(crate) fn access_only(&self) -> Self {
        Self {
            access: self.access,
            trunk: None,
            keep_default: false,
        }
    }

    /// Whether the bridge must filter VLANs for this port.
    pub(crate) fn need_filtering(&self) -> bool {
        self.access.is_some() || self.trunk.is_some()
    }

    /// What the port carries beside the bridge's default VLAN, in the order to add it.
    pub(crate) fn wanted(&self) -> Vec<PortVlan> {
        let Some(untagged) = self.access.or_else(|| self.trunk.as_ref().map(|_| NATIVE)) else {
            return Vec::new();
        };
        let tagged = self
            .trunk
            .iter()
            .flatten()
            .map(|&(first, last)| (first, last));
        let mut vlans: Vec<PortVlan> = tagged
            .flat_map(|range| around(range, untagged))
            .map(|(first, last)| PortVlan {
                first,
                last,
                pvid: false,
                untagged: false,
            })
            .collect();
        vlans.push(PortVlan {
            first: untagged,
            last: untagged,
            pvid: true,
            untagged: true,
        });
        vlans
    }

    /// Those of [`wanted`](Self::wanted) that a port with `carried` lacks.
    pub(crate) fn missing_of(&self, carried: &[PortVlan]) -> Vec<PortVlan> {
        let mut wanted = self.wanted();
        wanted.retain(|vlan| !(vlan.first..=vlan.last).all(|id| carries(carried, vlan, id)));
        wanted
    }

    /// Whether the port's membership of `default_pvid`, which the bridge gave it, has to go.
    pub(crate) fn drops_default(&self, default_pvid: u16) -> bool {
        let carried = self
            .wanted()
            .iter()
            .any(|vlan| (vlan.first..=vlan.last).contains(&default_pvid));
        self.need_filtering() && !self.keep_default && default_pvid != 0 && !carried
    }
}

fn carries(carried: &[PortVlan], wanted: &PortVlan, id: u16) -> bool {
    carried.iter().any(|there| {
        (there.first..=there.last).contains(&id)
            && there.pvid == wanted.pvid
            && there.untagged == wanted.untagged
    })
}

/// `range` without `hole`: a trunk that spans the port's native VLAN must not make it tagged.
fn around((first, last): (u16, u16), hole: u16) -> Vec<(u16, u16)> {
    if !(first..=last).contains(&hole) {
        return vec![(first, last)];
    }
    let below = (first < hole).then(|| (first, hole - 1));
    let above = (hole < last).then(|| (hole + 1, last));
    below.into_iter().chain(above).collect()
}

fn vlan_id(id: i64) -> Option<u16> {
    u16::try_from(id)
        .ok()
        .filter(|_| (1..=MAX_ID).contains(&id))
}

fn trunk_ranges(entries: &[RawTrunk]) -> Result<Vec<(u16, u16)>, String> {
    let mut ranges = Vec::new();
    for entry in entries {
        let checked = |name: &str, value: Option<i64>| match value {
            None => Ok(None),
            Some(id) => vlan_id(id).map(Some).ok_or_else(|| {
                format!("incorrect trunk {name} parameter {id} (must be between 1 and {MAX_ID})")
            }),
        };
        let min = checked("minID", entry.min_id)?;
        let max = checked("maxID", entry.max_id)?;
        match (min, max) {
            (Some(min), Some(max)) if min > max => {
                return Err(format!(
                    "minID is greater than maxID in trunk parameter ({min} > {max})"
                ));
            }
            (Some(min), Some(max)) => ranges.push((min, max)),
            (Some(_), None) => return Err(incomplete("maxID")),
            (None, Some(_)) => return Err(incomplete("minID")),
            (None, None) => {}
        }
        ranges.extend(checked("id", entry.id)?.map(|id| (id, id)));
    }
    Ok(ranges)
}

fn incomplete(missing: &str) -> String {
    format!("minID and maxID should be configured simultaneously, {missing} is missing")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(min: Option<i64>, max: Option<i64>, id: Option<i64>) -> RawTrunk {
        RawTrunk {
            min_id: min,
            max_id: max,
            id,
        }
    }

    fn trunk(entries: Vec<RawTrunk>) -> Result<Vlans, String> {
        Vlans::new(0, Some(entries), false)
    }

    #[test]
    fn an_access_port_carries_its_vlan_untagged_and_nothing_else() {
        let vlans = Vlans::new(100, None, false).unwrap();
        assert_eq!(
            vlans.wanted(),
            [PortVlan {
                first: 100,
                last: 100,
                pvid: true,
                untagged: true
            }]
        );
        assert!(vlans.need_filtering() && vlans.drops_default(1) && !vlans.drops_default(100));
    }

    #[test]
    fn a_trunk_has_native_vlan_1_unless_vlan_says_otherwise() {
        let vlans = trunk(vec![range(Some(10), Some(20), Some(30))]).unwrap();
        let wanted = vlans.wanted();
        assert_eq!(wanted.len(), 3);
        assert_eq!(
            wanted[2],
            PortVlan {
                first: 1,
                last: 1,
                pvid: true,
                untagged: true
            }
        );
        assert!(!vlans.drops_default(1), "VLAN 1 is wanted here");
        assert!(
            trunk(Vec::new()).unwrap().need_filtering(),
            "an empty list asks for filtering"
        );
    }

    #[test]
    fn a_trunk_range_does_not_tag_the_native_vlan() {
        let vlans = Vlans::new(15, Some(vec![range(Some(10), Some(20), None)]), false).unwrap();
        let spans: Vec<_> = vlans
            .wanted()
            .iter()
            .map(|v| (v.first, v.last, v.pvid))
            .collect();
        assert_eq!(spans, [(10, 14, false), (16, 20, false), (15, 15, true)]);
    }

    #[test]
    fn no_keys_mean_no_filtering() {
        let vlans = Vlans::new(0, None, false).unwrap();
        assert!(!vlans.need_filtering() && vlans.wanted().is_empty() && !vlans.drops_default(1));
    }

    #[test]
    fn ids_out_of_range_and_half_ranges_are_refused_by_name() {
        for id in [-1, 4095, i64::MAX] {
            let error = Vlans::new(id, None, false).unwrap_err();
            assert!(
                error.starts_with(&format!("invalid VLAN ID {id} ")),
                "{error}"
            );
        }
        for (entry, text) in [
            (
                range(Some(0), Some(5), None),
                "incorrect trunk minID parameter 0",
            ),
            (
                range(Some(1), Some(4095), None),
                "incorrect trunk maxID parameter 4095",
            ),
            (range(None, None, Some(0)), "incorrect trunk id parameter 0"),
            (
                range(Some(6), Some(5), None),
                "minID is greater than maxID in trunk parameter",
            ),
            (range(Some(6), None, None), "maxID is missing"),
            (range(None, Some(6), None), "minID is missing"),
        ] {
            let error = trunk(vec![entry]).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
