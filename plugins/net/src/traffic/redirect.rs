// SPDX-License-Identifier: Apache-2.0
//! Redirection: packets that come in by one link leave by another one instead.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, Parseable};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{
    TcAction, TcActionAttribute, TcActionMirror, TcActionMirrorOption, TcActionOption,
    TcActionType, TcAttribute, TcFilterU32, TcFilterU32Option, TcHandle, TcMessage, TcMirror,
    TcMirrorActionType, TcOption, TcU32Key, TcU32Selector, TcU32SelectorFlags,
};

use super::{kind, message, options};
use crate::{Error, Rtnl};

/// `ETH_P_ALL` (include/uapi/linux/if_ether.h).
const ALL: u16 = 3;
/// Where filters for incoming packets hang, below `ingress` and `clsact` alike.
const INCOMING: TcHandle = TcHandle {
    major: u16::MAX,
    minor: TcHandle::MIN_INGRESS,
};

impl Rtnl {
    /// Has all packets that come in by a link leave by another one. Equal to `tc filter add dev DEV
    /// ingress protocol all prio 1 u32 match u32 0 0 action mirred egress redirect dev TO`.
    ///
    /// # Errors
    /// When the link has no discipline that filters hang from, or another filter is in this place.
    pub fn redirect(&self, index: u32, to: u32) -> Result<(), Error> {
        let request = RouteNetlinkMessage::NewTrafficFilter(filter(index, to));
        self.change(request, NLM_F_CREATE | NLM_F_EXCL)
            .map_err(|cause| {
                let (from, to) = (self.describe(index), self.describe(to));
                cause.during(format!("cannot redirect what comes in by {from} to {to}"))
            })
    }

    /// The indexes of the links by which all packets leave that come in by a link.
    ///
    /// # Errors
    /// When there is no such link, or no discipline that filters hang from.
    pub fn redirections(&self, index: u32) -> Result<Vec<u32>, Error> {
        let request = RouteNetlinkMessage::GetTrafficFilter(message(index, INCOMING));
        self.dump(request, |filter| {
            redirection(&TcMessage::parse(filter).ok()?)
        })
        .map_err(|cause| {
            let link = self.describe(index);
            cause.during(format!("cannot list the filters of {link}"))
        })
    }
}

fn filter(index: u32, to: u32) -> TcMessage {
    let mut everything = TcU32Selector::default();
    everything.flags = TcU32SelectorFlags::Terminal;
    everything.nkeys = 1;
    everything.keys = vec![TcU32Key::default()];
    let mut mirror = TcMirror::default();
    mirror.generic.action = TcActionType::Stolen;
    mirror.eaction = TcMirrorActionType::EgressRedir;
    mirror.ifindex = to;
    let mut action = TcAction::default();
    action.attributes = vec![
        TcActionAttribute::Kind(TcActionMirror::KIND.to_owned()),
        TcActionAttribute::Options(vec![TcActionOption::Mirror(TcActionMirrorOption::Parms(
            mirror,
        ))]),
    ];
    let mut filter = message(index, INCOMING);
    filter.header.info = TcHandle {
        major: 1,
        minor: ALL.to_be(),
    }
    .into();
    filter.attributes = vec![
        TcAttribute::Kind(TcFilterU32::KIND.to_owned()),
        TcAttribute::Options(vec![
            TcOption::U32(TcFilterU32Option::Selector(everything)),
            TcOption::U32(TcFilterU32Option::Action(vec![action])),
        ]),
    ];
    filter
}

/// Where a filter that every packet matches redirects to.
fn redirection(filter: &TcMessage) -> Option<u32> {
    let all_protocols = TcHandle::from(filter.header.info).minor == ALL.to_be();
    if kind(filter) != Some(TcFilterU32::KIND) || !all_protocols {
        return None;
    }
    let (mut matches_all, mut to) = (false, None);
    for option in options(filter) {
        match option {
            TcOption::U32(TcFilterU32Option::Selector(selector)) => {
                matches_all = selector.keys.iter().all(|key| key.mask == 0);
            }
            TcOption::U32(TcFilterU32Option::Action(actions)) => {
                to = actions
                    .iter()
                    .flat_map(|it| &it.attributes)
                    .find_map(target);
            }
            _ => {}
        }
    }
    // Of a link that is gone the index is 0.
    to.filter(|to| matches_all && *to != 0)
}

fn target(attribute: &TcActionAttribute) -> Option<u32> {
    let TcActionAttribute::Options(options) = attribute else {
        return None;
    };
    options.iter().find_map(|option| match option {
        TcActionOption::Mirror(TcActionMirrorOption::Parms(mirror))
            if mirror.eaction == TcMirrorActionType::EgressRedir =>
        {
            Some(mirror.ifindex)
        }
        _ => None,
    })
}
