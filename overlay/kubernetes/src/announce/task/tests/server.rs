// SPDX-License-Identifier: Apache-2.0
//! A server with one Node, which takes patches and has opponents.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::annotations::Prefix;
use crate::client::Api;
use crate::shared::Shared;
use crate::tally::Tally;

/// A patch as it came.
#[derive(Clone, Debug)]
pub(super) struct Patch {
    pub(super) path: String,
    pub(super) content: String,
    pub(super) body: Value,
}

/// An answer in place of obedience.
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) body: &'static str,
}

/// What another writer does to the Node.
pub(super) type Opponent = fn(&mut Value);

struct Contents {
    node: Value,
    version: u64,
    answers: VecDeque<Answer>,
    opponent: Option<Opponent>,
    /// Whether changes are shown to those who watch.
    shows: bool,
}

/// The server.
pub(super) struct Server {
    contents: Arc<Mutex<Contents>>,
    patches: watch::Sender<Vec<Patch>>,
    /// The client's side, to which the server is shown by the file.
    pub(super) shared: Arc<Shared>,
    _kubeconfig: NamedTempFile,
}

impl Server {
    pub(super) async fn start() -> Arc<Self> {
        // The tests' namespace is new, and its loopback interface down.
        let up = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status();
        assert!(up.unwrap().success());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let contents = Contents {
            node: json!({ "metadata": { "name": "n1" }, "spec": {}, "status": {} }),
            version: 1,
            answers: VecDeque::new(),
            opponent: None,
            shows: true,
        };
        let kubeconfig = kubeconfig(&format!("http://{address}"));
        let tally = Arc::<Tally>::default();
        let api = Api::new(Some(kubeconfig.path().to_owned()), Arc::clone(&tally));
        let shared = Shared::new("n1".to_owned(), Prefix::default(), api, tally);
        let server = Arc::new(Self {
            contents: Arc::new(Mutex::new(contents)),
            patches: watch::Sender::default(),
            shared: Arc::new(shared),
            _kubeconfig: kubeconfig,
        });
        tokio::spawn(Arc::clone(&server).serve(listener));
        server
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let server = Arc::clone(&self);
            let service = service_fn(move |request| Arc::clone(&server).answer(request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path().to_owned();
        let content = request.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let patch = Patch {
            path,
            content,
            body,
        };
        let (code, answer) = self.obey(&patch);
        self.patches.send_modify(|patches| patches.push(patch));
        let answer = Response::builder().status(code).body(Full::from(answer));
        Ok(answer.unwrap())
    }

    fn obey(&self, patch: &Patch) -> (StatusCode, String) {
        let mut contents = self.contents();
        if let Some(answer) = contents.answers.pop_front() {
            return (
                StatusCode::from_u16(answer.code).unwrap(),
                answer.body.to_owned(),
            );
        }
        let obeyed = match patch.content.as_str() {
            "application/json-patch+json" => taints(&mut contents.node, &patch.body),
            _ => merge(&mut contents.node, &patch.body),
        };
        if !obeyed {
            let status = json!({ "code": 422, "message": "the test failed" });
            return (StatusCode::UNPROCESSABLE_ENTITY, status.to_string());
        }
        let answer = self.changed(&mut contents);
        if let Some(opponent) = contents.opponent {
            opponent(&mut contents.node);
            self.changed(&mut contents);
        }
        (StatusCode::OK, answer)
    }

    fn changed(&self, contents: &mut Contents) -> String {
        contents.version += 1;
        contents.node["metadata"]["resourceVersion"] = json!(contents.version.to_string());
        if contents.shows {
            let node = serde_json::from_value(contents.node.clone()).unwrap();
            self.shared.own.send_replace(Some(Arc::new(node)));
        }
        contents.node.to_string()
    }

    /// Lets another writer change the Node.
    pub(super) fn change(&self, opponent: Opponent) {
        let mut contents = self.contents();
        opponent(&mut contents.node);
        self.changed(&mut contents);
    }

    /// Lets another writer answer every write of ours.
    pub(super) fn oppose(&self, opponent: Option<Opponent>) {
        self.contents().opponent = opponent;
    }

    /// Whether changes are shown from now on.
    pub(super) fn show(&self, shows: bool) {
        self.contents().shows = shows;
    }

    /// Answers the next requests so.
    pub(super) fn refuse(&self, answers: impl IntoIterator<Item = Answer>) {
        self.contents().answers.extend(answers);
    }

    pub(super) fn node(&self) -> Value {
        self.contents().node.clone()
    }

    pub(super) fn patches(&self) -> Vec<Patch> {
        self.patches.borrow().clone()
    }

    /// Waits until so many patches have come.
    pub(super) async fn patched(&self, count: usize) -> Vec<Patch> {
        let mut patches = self.patches.subscribe();
        let come = patches.wait_for(|patches| patches.len() >= count);
        come.await.unwrap().clone()
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap()
    }
}

fn kubeconfig(server: &str) -> NamedTempFile {
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "clusters": [{ "name": "it", "cluster": { "server": server } }],
        "users": [{ "name": "it", "user": {} }],
        "contexts": [{ "name": "it", "context": { "cluster": "it", "user": "it" } }],
    });
    let file = NamedTempFile::new().unwrap();
    std::fs::write(&file, kubeconfig.to_string()).unwrap();
    file
}

/// A strategic merge patch, which merges conditions by their types.
fn merge(node: &mut Value, patch: &Value) -> bool {
    for (key, value) in patch["metadata"]["annotations"]
        .as_object()
        .into_iter()
        .flatten()
    {
        node["metadata"]["annotations"][key] = value.clone();
    }
    for condition in patch["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
    {
        if node["status"]["conditions"].is_null() {
            node["status"]["conditions"] = json!([]);
        }
        let there = node["status"]["conditions"].as_array_mut().unwrap();
        there.retain(|there| there["type"] != condition["type"]);
        there.push(condition.clone());
    }
    true
}

/// A JSON patch of taints.
fn taints(node: &mut Value, patch: &Value) -> bool {
    for op in patch.as_array().unwrap() {
        let path = op["path"].as_str().unwrap();
        match op["op"].as_str().unwrap() {
            "test" if node.pointer(path) != Some(&op["value"]) => return false,
            "test" => {}
            _ if path == "/spec/taints" => {
                drop(node["spec"].as_object_mut().unwrap().remove("taints"))
            }
            _ => {
                let index = path.rsplit_once('/').unwrap().1.parse().unwrap();
                node["spec"]["taints"].as_array_mut().unwrap().remove(index);
            }
        }
    }
    true
}
