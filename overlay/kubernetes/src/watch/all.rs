// SPDX-License-Identifier: Apache-2.0
//! All Nodes, of which the metadata tells enough: a tenth of what they weigh.

use http::Request;
use kube::api::{ListParams, WatchParams};
use kube::core::request::{Error, Request as Requests};

use super::{Followed, NODES};
use crate::object::MetadataOnly;
use crate::shared::Shared;
use crate::store::Effect;
use crate::troubles::Wish;

/// All Nodes.
pub(crate) struct AllNodes<'a>(pub(crate) &'a Shared);

impl Followed for AllNodes<'_> {
    type Object = MetadataOnly;

    fn what(&self) -> String {
        "the cluster's Nodes".to_owned()
    }

    fn wish(&self) -> Wish {
        Wish::Nodes
    }

    fn list(&self, params: ListParams) -> Result<Request<Vec<u8>>, Error> {
        Requests::new(NODES).list_metadata(&params)
    }

    fn watch(&self, params: WatchParams, version: &str) -> Result<Request<Vec<u8>>, Error> {
        Requests::new(NODES).watch_metadata(&params, version)
    }

    fn begin(&self) {
        self.0.update(|store| {
            store.begin();
            Effect::default()
        });
    }

    fn seen(&self, node: MetadataOnly) {
        self.0.update(|store| store.seen(&node.metadata));
    }

    fn gone(&self, node: MetadataOnly) {
        self.0.update(|store| store.gone(&node.metadata));
    }

    fn complete(&self) {
        self.0.update(|store| store.complete());
    }
}
