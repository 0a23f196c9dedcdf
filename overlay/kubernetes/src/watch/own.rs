// SPDX-License-Identifier: Apache-2.0
//! The own Node, whole.

use std::sync::Arc;

use http::Request;
use kube::api::{ListParams, WatchParams};
use kube::core::request::{Error, Request as Requests};

use super::{Followed, NODES};
use crate::object::{Object, Whole};
use crate::shared::Shared;
use crate::store::Effect;
use crate::troubles::Wish;

/// The own Node.
pub(crate) struct OwnNodeObject<'a>(pub(crate) &'a Shared);

impl OwnNodeObject<'_> {
    fn selector(&self) -> String {
        format!("metadata.name={}", self.0.node)
    }

    /// A server that does not know the selector tells of others as well.
    fn is_own(&self, node: &Whole) -> bool {
        node.metadata().name == self.0.node
    }
}

impl Followed for OwnNodeObject<'_> {
    type Object = Whole;

    fn what(&self) -> String {
        format!("the own Node {}", self.0.node)
    }

    fn wish(&self) -> Wish {
        Wish::Own
    }

    fn list(&self, params: ListParams) -> Result<Request<Vec<u8>>, Error> {
        Requests::new(NODES).list(&params.fields(&self.selector()))
    }

    fn watch(&self, params: WatchParams, version: &str) -> Result<Request<Vec<u8>>, Error> {
        Requests::new(NODES).watch(&params.fields(&self.selector()), version)
    }

    fn begin(&self) {
        self.0.update(|store| {
            store.begin_own();
            Effect::default()
        });
    }

    fn seen(&self, node: Whole) {
        if !self.is_own(&node) {
            return;
        }
        let object = node.reduced(&self.0.prefix);
        self.0.update(|store| store.seen_own(object));
        self.0.own.send_replace(Some(Arc::new(node)));
    }

    fn gone(&self, node: Whole) {
        if self.is_own(&node) {
            self.0.update(|store| store.gone_own());
            self.0.own.send_replace(None);
        }
    }

    fn complete(&self) {
        let mut found = true;
        self.0.update(|store| {
            let effect;
            (effect, found) = store.complete_own();
            effect
        });
        if !found {
            self.0.own.send_replace(None);
        }
    }
}
