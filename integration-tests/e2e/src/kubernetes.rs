// SPDX-License-Identifier: Apache-2.0
//! A client of the API for tests: objects are JSON, calls return when they are done.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use futures::{AsyncReadExt, StreamExt, stream};
use http::{Method, Request};
use integration_tests::Place;
use kube::api::{ApiResource, DynamicObject};
use kube::config::{Config, KubeConfigOptions};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::kubeconfig::Kubeconfig;

/// Where nodes are.
const NODES: &str = "/api/v1/nodes";
/// How many requests are on their way at once where a test asks for many.
const AT_ONCE: usize = 16;

/// A client of the API.
pub struct Kubernetes {
    place: Place,
    runtime: Runtime,
    client: Client,
}

impl Kubernetes {
    /// A client in a place. Nothing is sent yet.
    ///
    /// # Panics
    /// When the kubeconfig leads nowhere.
    pub fn new(place: &Place, kubeconfig: &Kubeconfig) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let made = async {
            let parsed = kube::config::Kubeconfig::from_yaml(&kubeconfig.text());
            let parsed = parsed.expect("the laboratory's kubeconfigs are well-formed");
            let options = KubeConfigOptions::default();
            let config = Config::from_custom_kubeconfig(parsed, &options).await;
            Client::try_from(config.expect("the kubeconfig names a cluster and a user"))
        };
        let client = place.run(|| runtime.block_on(made));
        Self {
            place: place.clone(),
            runtime,
            client: client.expect("a client can be made"),
        }
    }

    /// Whether the API server says that it is ready.
    pub fn is_ready(&self) -> bool {
        let request = request(&Method::GET, "/readyz", None);
        let ready = async { self.client.request_text(request).await };
        self.wait(ready).is_ok_and(|text| text == "ok")
    }

    /// The object at a path, for example `/api/v1/nodes/n1`, or the list; none if there is none.
    ///
    /// # Panics
    /// When the answer is any other than the object or "not found".
    pub fn get(&self, path: &str) -> Option<Value> {
        match self.send(&Method::GET, path, None) {
            Ok(object) => Some(object),
            Err(error) if code(&error) == Some(404) => None,
            Err(error) => panic!("GET {path}: {error}"),
        }
    }

    /// The objects of a list.
    ///
    /// # Panics
    /// When there is none.
    pub fn list(&self, path: &str) -> Vec<Value> {
        let list = self
            .get(path)
            .unwrap_or_else(|| panic!("no list at {path}"));
        list["items"].as_array().expect("a list has items").clone()
    }

    /// Creates an object below a path, and returns it.
    ///
    /// # Panics
    /// When the API server refuses.
    pub fn create(&self, path: &str, object: &Value) -> Value {
        self.expect(&Method::POST, path, Some(object))
    }

    /// As [`Kubernetes::create`], for any number of objects, several at once.
    ///
    /// # Panics
    /// When the API server refuses one of them.
    pub fn create_all(&self, path: &str, objects: &[Value]) {
        self.send_all(
            objects
                .iter()
                .map(|object| (Method::POST, path.to_owned(), object.clone())),
        );
    }

    /// Changes an object by a merge patch (RFC 7396), and returns it.
    ///
    /// # Panics
    /// When the API server refuses.
    pub fn patch(&self, path: &str, patch: &Value) -> Value {
        self.expect(&Method::PATCH, path, Some(patch))
    }

    /// As [`Kubernetes::patch`], for any number of objects, several at once.
    ///
    /// # Panics
    /// When the API server refuses one of them.
    pub fn patch_all(&self, patches: &[(String, Value)]) {
        let patches = patches.iter().cloned();
        self.send_all(patches.map(|(path, patch)| (Method::PATCH, path, patch)));
    }

    /// Deletes an object.
    ///
    /// # Panics
    /// When the API server refuses.
    pub fn delete(&self, path: &str) {
        self.expect(&Method::DELETE, path, None);
    }

    /// Creates a node; see [`crate::node`] for what it may be made from.
    ///
    /// # Panics
    /// When the API server refuses.
    pub fn create_node(&self, node: &Value) -> Value {
        self.create(NODES, node)
    }

    /// A node; none if there is none of that name.
    ///
    /// # Panics
    /// When the API server does not answer.
    pub fn node(&self, name: &str) -> Option<Value> {
        self.get(&format!("{NODES}/{name}"))
    }

    /// Changes a node by a merge patch.
    ///
    /// # Panics
    /// When the API server refuses.
    pub fn patch_node(&self, name: &str, patch: &Value) -> Value {
        self.patch(&format!("{NODES}/{name}"), patch)
    }

    /// Sets annotations of a node, or takes those away that are `null`.
    ///
    /// # Panics
    /// When the API server refuses.
    pub fn annotate(&self, name: &str, annotations: &Value) -> Value {
        self.patch_node(name, &json!({"metadata": {"annotations": annotations}}))
    }

    /// Changes a node's status by a merge patch.
    ///
    /// # Panics
    /// When the API server refuses.
    pub fn patch_status(&self, name: &str, status: &Value) -> Value {
        let path = format!("{NODES}/{name}/status");
        self.patch(&path, &json!({"status": status}))
    }

    /// Deletes a node.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn delete_node(&self, name: &str) {
        self.delete(&format!("{NODES}/{name}"));
    }

    /// Waits until a node is as `wanted` wants it, by a watch, and returns it.
    ///
    /// # Panics
    /// When it does not become so within `limit`; `what` says what was waited for.
    pub fn wait_for_node(
        &self,
        name: &str,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Value) -> bool + Send + Sync,
    ) -> Value {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource());
        let json = |node: &DynamicObject| serde_json::to_value(node).expect("a node is JSON");
        let met = |node: Option<&DynamicObject>| node.is_some_and(|node| wanted(&json(node)));
        let waited =
            self.wait(async { tokio::time::timeout(limit, await_condition(api, name, met)).await });
        match waited {
            Ok(node) => json(&node.expect("nodes can be watched").expect("it is there")),
            Err(_) => panic!("{name} is not {what}: {:?}", self.node(name)),
        }
    }

    /// What the API server says at a path, for example to a watch, until the connection ends in
    /// whatever way, be it before the first word.
    pub fn hear(&self, path: &str) -> String {
        let mut heard = Vec::new();
        self.wait(async {
            let stream = self
                .client
                .request_stream(request(&Method::GET, path, None));
            if let Ok(stream) = stream.await {
                // What was read before an error counts.
                pin!(stream).read_to_end(&mut heard).await.ok();
            }
        });
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// Sends a request and returns the answer.
    ///
    /// # Errors
    /// What the API server refuses, with its words, and that it cannot be reached.
    pub fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, kube::Error> {
        self.wait(self.client.request(request(method, path, body)))
    }

    fn expect(&self, method: &Method, path: &str, body: Option<&Value>) -> Value {
        let answer = self.send(method, path, body);
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    fn send_all(&self, requests: impl Iterator<Item = (Method, String, Value)> + Send) {
        let requests: Vec<_> = requests.collect();
        let answers = requests.iter().map(|(method, path, body)| async move {
            let request = request(method, path, Some(body));
            let answer = self.client.request::<Value>(request).await;
            answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        });
        let all = stream::iter(answers.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
        self.wait(all.for_each(|()| std::future::ready(())));
    }

    /// Runs to the end where the client is.
    fn wait<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        self.place.run(|| self.runtime.block_on(future))
    }
}

impl fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubernetes").finish_non_exhaustive()
    }
}

fn request(method: &Method, path: &str, body: Option<&Value>) -> Request<Vec<u8>> {
    let kind = match *method {
        Method::PATCH => "application/merge-patch+json",
        _ => "application/json",
    };
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = Request::builder().method(method).uri(path);
    let request = request.header(http::header::CONTENT_TYPE, kind);
    request.body(body.into_bytes()).expect("a path is a URI")
}

fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

fn resource() -> ApiResource {
    ApiResource {
        group: String::new(),
        version: "v1".to_owned(),
        api_version: "v1".to_owned(),
        kind: "Node".to_owned(),
        plural: "nodes".to_owned(),
    }
}
