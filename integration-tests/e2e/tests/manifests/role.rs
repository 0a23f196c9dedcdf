// SPDX-License-Identifier: Apache-2.0
//! The role allows what the agent does, and nothing that it does not do.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use e2e_tests::PATIENCE;
use e2e_tests::node;
use serde_json::{Value, json};

use crate::container::word;
use crate::kustomize::the;
use crate::runs::Applied;

const ACCOUNT: &str = "system:serviceaccount:podwire:podwire";

/// Group, resource and verb.
type Right = (String, String, String);

/// What the role's rules say, one by one.
fn allowed(role: &Value) -> BTreeSet<Right> {
    let rules = role["rules"].as_array().expect("a role has rules");
    let list = |rule: &Value, key: &str| rule[key].as_array().expect("a list").clone();
    let mut rights = BTreeSet::new();
    for rule in rules {
        for group in list(rule, "apiGroups") {
            for resource in list(rule, "resources") {
                for verb in list(rule, "verbs") {
                    let right = [&group, &resource, &verb].map(|it| word(it).to_owned());
                    rights.insert(right.into());
                }
            }
        }
    }
    rights
}

/// What the account has asked for, by the API server's own account of it; what every account may
/// ask, such as for the version, is of no resource.
fn asked(log: &Path) -> BTreeSet<Right> {
    let log = fs::read_to_string(log).expect("the API server writes an audit log");
    let events = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    let own = events.filter(|event| event["user"]["username"] == ACCOUNT);
    let rights = own.filter_map(|event| {
        let object = event.get("objectRef")?;
        let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
        let resource = match text("subresource") {
            empty if empty.is_empty() => text("resource"),
            sub => format!("{}/{sub}", text("resource")),
        };
        assert_ne!(event["responseStatus"]["code"], 403, "refused: {event}");
        Some((text("apiGroup"), resource, word(&event["verb"]).to_owned()))
    });
    rights.collect()
}

/// More Nodes than are asked for one by one.
const MANY: u32 = 70;

#[test]
fn the_agent_does_all_that_the_role_allows_and_no_more() {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit");
    fs::create_dir_all(&scratch).unwrap();
    let (policy, log) = (scratch.join("policy.yaml"), scratch.join("audit.log"));
    fs::remove_file(&log).ok();
    let all = json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}],
    });
    fs::write(&policy, all.to_string()).unwrap();
    let args = [
        format!("--audit-policy-file={}", policy.display()),
        format!("--audit-log-path={}", log.display()),
    ];
    let applied = Applied::new(1, &[&args[0], &args[1]]);
    let member_of = |number: u32| {
        let cidr = format!("10.200.{}.0/24", 100 + number).parse().unwrap();
        let address = format!("192.0.2.{}", 100 + number).parse().unwrap();
        let mut peer = node(&format!("peer{number}"), &[cidr], &[address]);
        let mac = format!("02:00:00:00:00:{number:02x}");
        peer["metadata"]["annotations"] = json!({
            "flannel.alpha.coreos.com/kube-subnet-manager": "true",
            "flannel.alpha.coreos.com/backend-type": "vxlan",
            "flannel.alpha.coreos.com/backend-data": format!(r#"{{"VNI":1,"VtepMAC":"{mac}"}}"#),
            "flannel.alpha.coreos.com/public-ip": format!("192.0.2.{}", 100 + number),
        });
        peer
    };
    let peers: Vec<_> = (0..MANY).map(member_of).collect();
    applied.kubernetes.create_all("/api/v1/nodes", &peers);
    let member = &applied.fleet.members[0];
    let agent = applied.run(member);
    // One more, alone.
    applied.kubernetes.create_node(&member_of(MANY));
    let wanted = format!("10.200.{}.0/24", 100 + MANY);
    let followed = || member.node.ip("-4 route").contains(&wanted);
    assert!(
        member.node.eventually(PATIENCE, followed).is_some(),
        "{}",
        agent.log()
    );
    assert!(agent.terminate().status.success());
    let role = the(&applied.objects, "ClusterRole");
    assert_eq!(asked(&log), allowed(role));
    assert_nothing_else(&applied);
}

/// By the API server's own word.
fn assert_nothing_else(applied: &Applied) {
    let may = |group: &str, resource: &str, verb: &str| {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": ACCOUNT,
                "groups": ["system:serviceaccounts", "system:serviceaccounts:podwire", "system:authenticated"],
                "resourceAttributes": {
                    "group": group, "resource": resource, "subresource": subresource, "verb": verb,
                },
            },
        });
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        applied.kubernetes.create(path, &review)["status"]["allowed"] == true
    };
    let allowed = allowed(the(&applied.objects, "ClusterRole"));
    assert_eq!(allowed.len(), 4);
    for (group, resource, verb) in &allowed {
        assert!(may(group, resource, verb), "{verb} {resource}");
    }
    for (group, resource) in [
        ("", "nodes"),
        ("", "nodes/status"),
        ("", "pods"),
        ("", "secrets"),
        ("", "configmaps"),
        ("apps", "daemonsets"),
        ("rbac.authorization.k8s.io", "clusterroles"),
    ] {
        for verb in [
            "get", "list", "watch", "create", "update", "patch", "delete",
        ] {
            let right = [group, resource, verb].map(str::to_owned).into();
            assert_eq!(
                may(group, resource, verb),
                allowed.contains(&right),
                "{right:?}"
            );
        }
    }
}
