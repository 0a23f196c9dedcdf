// SPDX-License-Identifier: Apache-2.0
//! The overlay of this node: what is believed of the cluster, and its programming.

mod rules;

use std::net::IpAddr;

use dataplane::{Dataplane, Guard, Origin, Report, Surroundings};
use ipnetwork::IpNetwork;
use net::Rtnl;
use nft::Nft;
use topology::{Cluster, Identity, Node, NodeList, Overlay, Settings};

use crate::agenda::Scope;
use crate::believed::{Believed, Unusable};
use crate::egress::NodeEgress;
use crate::flannel::Running;
use crate::standing::Outcome;
use rules::{is_outrivalled, mend};

/// What the operator says of this node and its overlay.
#[derive(Debug)]
pub(crate) struct Wishes {
    /// The settings, without a network where the list is to say it.
    pub(crate) settings: Settings,
    /// Whose device it is.
    pub(crate) origin: Origin,
    /// This node's name.
    pub(crate) node: Option<String>,
    /// What this node goes by else.
    pub(crate) hostname: String,
    /// Where to pods go untranslated, if the agent masquerades.
    pub(crate) masquerade: Option<Vec<IpNetwork>>,
    /// What flannel has made of this node, whose place is to be taken.
    pub(crate) running: Running,
}

impl Wishes {
    pub(crate) fn takes_over(&self) -> bool {
        self.origin == Origin::Flannel
    }
}

/// The overlay of this node.
#[derive(Debug)]
pub(crate) struct NodeOverlay {
    rtnl: Rtnl,
    nft: Nft,
    wishes: Wishes,
    egress: NodeEgress,
    believed: Option<Believed>,
    /// As they were when the kernel was last made to agree with them.
    surroundings: Option<Surroundings>,
    /// The indices of the devices.
    devices: Vec<u32>,
    device_names: Vec<String>,
    /// Whether another program was found to have the port.
    outrivalled: bool,
}

impl NodeOverlay {
    pub(crate) fn new(rtnl: Rtnl, nft: Nft, wishes: Wishes) -> Self {
        let egress = NodeEgress::new(wishes.masquerade.clone(), wishes.takes_over());
        Self {
            rtnl,
            nft,
            wishes,
            egress,
            believed: None,
            surroundings: None,
            devices: Vec::new(),
            device_names: Vec::new(),
            outrivalled: false,
        }
    }

    pub(crate) fn wishes(&self) -> &Wishes {
        &self.wishes
    }

    /// The last list that was believed.
    pub(crate) fn believed(&self) -> Option<&Believed> {
        self.believed.as_ref()
    }

    /// The indices of its devices, as far as they are there.
    pub(crate) fn devices(&self) -> &[u32] {
        &self.devices
    }

    /// The names of its devices, as far as they are there.
    pub(crate) fn device_names(&self) -> impl Iterator<Item = &str> {
        self.device_names.iter().map(String::as_str)
    }

    /// The names of the devices that it should have.
    pub(crate) fn wished_devices(&self) -> Vec<String> {
        let Some(believed) = &self.believed else {
            return Vec::new();
        };
        let dataplane = dataplane(&self.rtnl, &believed.settings, self.wishes.origin);
        let overlays = believed.cluster.overlays().iter();
        let name = |overlay: &Overlay| dataplane.device_name(overlay.family());
        overlays.map(name).collect()
    }

    /// Takes a list for what this node sees in it.
    pub(crate) fn consider(&self, list: NodeList) -> Result<Believed, Unusable> {
        let mut settings = self.wishes.settings.clone();
        if settings.network.is_empty() {
            settings.network.clone_from(&list.network);
        }
        let name = self.name_in(&list.nodes)?;
        let partial = list.partial;
        let last = self.believed.as_ref().map(|believed| &believed.cluster);
        let (cluster, complaints) = Cluster::of_list(&name, list, &settings, last)?;
        let list = Believed {
            settings,
            cluster,
            complaints,
            partial,
        };
        if self.believed.is_none() {
            let (running, network) = (&self.wishes.running, list.cluster.network());
            running.agrees_with_list(network, &list.own_pod_cidrs())?;
        }
        Ok(list)
    }

    /// This node's name, which stays what it was as long as the list has it: a node whose address
    /// changes is the same one.
    fn name_in(&self, nodes: &[Node]) -> Result<String, Unusable> {
        let last = self.believed.as_ref();
        let last = last.map(|believed| believed.cluster.own());
        let listed = |name: &&str| nodes.iter().any(|node| node.name == **name);
        if let Some(name) = last.filter(listed) {
            return Ok(name.to_owned());
        }
        let addresses = self.rtnl.all_addresses()?;
        let addresses: Vec<IpAddr> = addresses.iter().map(|(_, it)| it.network.ip()).collect();
        let identity = Identity {
            named: self.wishes.node.as_deref(),
            addresses: &addresses,
            hostname: &self.wishes.hostname,
        };
        // That the list has lost this node is more to the point than that it has no such address.
        let name = identity.among(nodes);
        Ok(name.or_else(|error| last.map(str::to_owned).ok_or(error))?)
    }

    /// Believes a list from now on.
    pub(crate) fn believe(&mut self, list: Believed) {
        self.believed = Some(list);
    }

    /// Believes a list from now on, and programs what it changes of the one before. The cost does
    /// not grow with what it leaves as it was.
    pub(crate) fn follow(&mut self, list: Believed) -> Outcome {
        let partial = list.partial;
        let before = self.believed.replace(list);
        let was_partial = before.as_ref().is_some_and(|before| before.partial);
        if self.outrivalled || partial || was_partial {
            return self.look(Scope::Everything);
        }
        let (Some(before), Some(after), Some(surroundings)) =
            (before, &self.believed, &self.surroundings)
        else {
            return self.look(Scope::Everything);
        };
        let mut guard = Guard {
            nft: &mut self.nft,
            settings: &after.settings,
        };
        let guarded = guard.follow(&before.cluster, &after.cluster, &surroundings.bridges);
        let dataplane = dataplane(&self.rtnl, &after.settings, self.wishes.origin);
        let report = dataplane.follow(&before.cluster, &after.cluster);
        self.note_devices(&report);
        Outcome {
            report: Some(report),
            foreign: None,
            rules: Vec::new(),
            rules_error: guarded.err().map(|error| error.to_string()),
        }
    }

    /// Looks at the kernel and makes right what is not. Nothing happens before a list is believed.
    pub(crate) fn look(&mut self, scope: Scope) -> Outcome {
        let everything = scope == Scope::Everything;
        let strange = everything.then(|| self.egress.strange_routes(&self.rtnl, &self.devices));
        let mut outcome = self.look_at_overlay(scope);
        if let Some(believed) = &self.believed {
            let mended = self.egress.mend(&mut self.nft, &believed.cluster);
            let strange = strange.filter(|_| mended.is_ok());
            outcome.note_more_rules(mended.map_err(text));
            let displaced = strange.map(|strange| self.egress.displace(&mut self.nft, strange));
            // Beside ours they do no harm, and others may call them.
            let stay = displaced.and_then(Result::err);
            let stay =
                stay.map(|why| format!("flannel's rules stay beside podwired's: cannot {why}"));
            let foreign = outcome.foreign.iter_mut();
            foreign
                .for_each(|them| them.extend(stay.iter().cloned().chain(self.egress.complaints())));
        }
        outcome
    }

    fn look_at_overlay(&mut self, scope: Scope) -> Outcome {
        let Some(believed) = &self.believed else {
            return Outcome::default();
        };
        let dataplane = dataplane(&self.rtnl, &believed.settings, self.wishes.origin);
        let mut outcome = Outcome::default();
        let surroundings = dataplane.surroundings(&believed.cluster);
        let mut guard = Guard {
            nft: &mut self.nft,
            settings: &believed.settings,
        };
        // The guard comes first: no stranger's packet finds the device without it. Another
        // program that has the port it would cut off.
        if !self.outrivalled {
            outcome.note_rules(mend(&mut guard, believed, &surroundings));
        }
        if scope == Scope::Guard {
            // Another underlay is still to be told of, and then to be looked at.
            if let (Some(before), Ok(now)) = (&mut self.surroundings, surroundings) {
                before.bridges = now.bridges;
            }
        } else {
            let report = if believed.partial {
                dataplane.complete(&believed.cluster)
            } else {
                dataplane.reconcile(&believed.cluster)
            };
            let was_outrivalled = self.outrivalled;
            self.outrivalled = is_outrivalled(&report);
            if self.outrivalled {
                outcome.note_rules(guard.remove().map(|()| Vec::new()).map_err(text));
            } else if was_outrivalled {
                outcome.note_rules(mend(&mut guard, believed, &surroundings));
            }
            self.surroundings = surroundings.ok();
            self.note_devices(&report);
            let foreign = report.complaints.iter().map(ToString::to_string);
            outcome.foreign = Some(foreign.collect());
            outcome.report = Some(report);
        }
        outcome
    }

    fn note_devices(&mut self, report: &Report) {
        let devices = report.devices.iter();
        (self.devices, self.device_names) = devices
            .map(|device| (device.index, device.name.clone()))
            .unzip();
    }

    /// How much has to be looked at because something of the host is not as it was.
    pub(crate) fn disturbed(&self) -> Option<Scope> {
        let believed = self.believed.as_ref()?;
        let dataplane = dataplane(&self.rtnl, &believed.settings, self.wishes.origin);
        let now = dataplane.surroundings(&believed.cluster).ok();
        match (&self.surroundings, &now) {
            (Some(before), Some(now)) if before == now => None,
            (Some(before), Some(now))
                if (&before.underlays, &before.lacking) == (&now.underlays, &now.lacking) =>
            {
                Some(Scope::Guard)
            }
            _ => Some(Scope::Everything),
        }
    }

    /// Removes an overlay that an earlier run with other settings made.
    pub(crate) fn remove(&self, settings: &Settings, origin: Origin) -> Vec<String> {
        let report = dataplane(&self.rtnl, settings, origin).remove();
        report.errors.iter().map(ToString::to_string).collect()
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

fn dataplane<'a>(rtnl: &'a Rtnl, settings: &'a Settings, origin: Origin) -> Dataplane<'a> {
    Dataplane {
        rtnl,
        settings,
        origin,
    }
}
