// SPDX-License-Identifier: Apache-2.0
//! The API server is away, or something on the way to it is wrong: the overlay stays as it is, and
//! follows as soon as it can, without anybody's help.

use std::time::Duration;

use e2e_tests::{
    ACCOUNT, Cluster, Kubeconfig, Meddler, Mischief, NAMESPACE, PATIENCE, User, fake_node,
    overlay_routes, wait_for_routes, wait_long_for_routes,
};
use integration_tests::{Agent, Member, Stack};

const FIRST: &str = "10.200.50.0/24";
const SECOND: &str = "10.200.51.0/24";
const THIRD: &str = "10.200.52.0/24";
/// Within this a connection is noticed to be dead.
const OUTAGE: Duration = Duration::from_secs(45);
/// Within this the API server is asked again after such an outage.
const RETURN: Duration = Duration::from_secs(30);
const PACE: Duration = Duration::from_millis(300);

/// A cluster with the fake node `f50`.
fn cluster(args: &[&str]) -> Cluster {
    let cluster = Cluster::unregistered(1, Stack::V4, args);
    cluster.register(&cluster.fleet.members[0]);
    cluster.kubernetes.create_node(&fake_node(50, Stack::V4));
    cluster
}

/// An agent that hears of the API server through a meddler, and has converged.
fn through(meddler: &Meddler, cluster: &Cluster) -> Agent {
    let member = &cluster.fleet.members[0];
    let agent = cluster.podwired_by(member, &kubeconfig(meddler, cluster), &[]);
    wait_for_routes(member, &[FIRST]);
    agent
}

fn kubeconfig(meddler: &Meddler, cluster: &Cluster) -> Kubeconfig {
    cluster.write_kubeconfig(&cluster.fleet.members[0]);
    let user = User::TokenFile(Cluster::TOKEN.to_owned());
    meddler.kubeconfig(&cluster.control_plane, user)
}

fn create(cluster: &Cluster, number: u8) {
    cluster
        .kubernetes
        .create_node(&fake_node(number, Stack::V4));
}

/// No packet passes between the API server's host and a member any more, and nobody is told so.
fn cut_off(cluster: &Cluster, member: &Member) {
    let host = &cluster.control_plane.host;
    let member = member.underlay()[0];
    host.tool("nft", "add table inet cut");
    for (hook, side) in [("input", "saddr"), ("output", "daddr")] {
        let chain = format!("{hook} {{ type filter hook {hook} priority 0 ; }}");
        host.tool("nft", &format!("add chain inet cut {chain}"));
        host.tool(
            "nft",
            &format!("add rule inet cut {hook} ip {side} {member} drop"),
        );
    }
}

/// The connection is silently cut for longer than a TCP connection is believed in, and Nodes come
/// and go meanwhile. By hand it has been tried with five and a half minutes, after which it took
/// less than a second.
#[test]
fn nodes_change_while_the_api_server_is_out_of_reach() {
    let cluster = cluster(&[]);
    let member = &cluster.fleet.members[0];
    let agent = cluster.podwired(member, &[]);
    wait_for_routes(member, &[FIRST]);
    let length = agent.log().len();
    cut_off(&cluster, member);
    create(&cluster, 51);
    cluster.kubernetes.delete_node("f50");
    let noticed = agent.says_after(length, "WARN", OUTAGE);
    assert!(noticed.is_some(), "{}", agent.log());
    assert_eq!(overlay_routes(member), [FIRST]);
    let host = &cluster.control_plane.host;
    host.tool("nft", "delete table inet cut");
    create(&cluster, 52);
    wait_long_for_routes(member, &[SECOND, THIRD], RETURN);
}

/// It dies, and comes back with all it knew.
#[test]
fn the_api_server_starts_again() {
    let mut cluster = cluster(&[]);
    let agent = cluster.podwired(&cluster.fleet.members[0], &[]);
    wait_for_routes(&cluster.fleet.members[0], &[FIRST]);
    for number in [51, 52] {
        let length = agent.log().len();
        cluster.control_plane.stop();
        let noticed = agent.says_after(length, "WARN", PATIENCE);
        assert!(noticed.is_some(), "{}", agent.log());
        cluster.control_plane.resume_service();
        create(&cluster, number);
        let wanted = &[FIRST, SECOND, THIRD][..usize::from(number - 49)];
        wait_long_for_routes(&cluster.fleet.members[0], wanted, RETURN);
    }
}

/// An API server that knows no streaming lists is asked for a list and a watch.
#[test]
fn an_api_server_streams_no_list() {
    let cluster = cluster(&["--feature-gates=WatchList=false"]);
    let agent = cluster.podwired(&cluster.fleet.members[0], &[]);
    wait_for_routes(&cluster.fleet.members[0], &[FIRST]);
    create(&cluster, 51);
    wait_for_routes(&cluster.fleet.members[0], &[FIRST, SECOND]);
    assert!(!agent.log().contains("WARN"), "{}", agent.log());
}

/// Whether between events or in the middle of one, nothing is lost, and nobody is bothered.
#[test]
fn watches_are_cut() {
    let cluster = cluster(&[]);
    let meddler = Meddler::start(&cluster.control_plane);
    let agent = through(&meddler, &cluster);
    for (number, cut) in [
        (51, Meddler::cut_within as fn(&Meddler)),
        (52, Meddler::cut),
    ] {
        cut(&meddler);
        create(&cluster, number);
        let wanted = &[FIRST, SECOND, THIRD][..usize::from(number - 49)];
        wait_for_routes(&cluster.fleet.members[0], wanted);
    }
    let lists = meddler.count("GET /api/v1/nodes?");
    assert!(
        (2..=8).contains(&lists),
        "{:?}\n{}",
        meddler.asked(),
        agent.log()
    );
}

/// The API server has changed its mind about all tokens that it has ever given.
#[test]
fn a_token_expires_and_is_renewed() {
    let mut cluster = cluster(&[]);
    let agent = cluster.podwired(&cluster.fleet.members[0], &[]);
    wait_for_routes(&cluster.fleet.members[0], &[FIRST]);
    let length = agent.log().len();
    cluster.control_plane.stop();
    cluster.control_plane.renew_token_key();
    cluster.control_plane.resume_service();
    create(&cluster, 51);
    let member = &cluster.fleet.members[0];
    let refused = agent.says_after(length, "401", RETURN);
    assert!(refused.is_some(), "{}", agent.log());
    assert_eq!(overlay_routes(member), [FIRST]);
    cluster.renew_token(member);
    wait_long_for_routes(member, &[FIRST, SECOND], RETURN);
}

/// The files of a certificate are as good as that of a token.
#[test]
fn a_certificate_has_expired_and_is_renewed() {
    let cluster = cluster(&[]);
    let member = &cluster.fleet.members[0];
    let [certificate, key] = ["crt", "key"].map(|kind| format!("/run/lab/agent.{kind}"));
    let renew = |lifetime| {
        let user = format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}");
        let authority = &cluster.control_plane.authority;
        let certified = authority.client(&user, &[], lifetime);
        member.node.write(&key, certified.key);
        member.node.write(&certificate, certified.certificate);
    };
    renew(Duration::ZERO);
    let user = User::Certificate {
        certificate: certificate.clone(),
        key: key.clone(),
    };
    let kubeconfig = cluster.control_plane.kubeconfig(user);
    let agent = cluster.podwired_by(member, &kubeconfig, &[]);
    assert!(agent.says("401", PATIENCE), "{}", agent.log());
    renew(Duration::from_secs(3600));
    wait_long_for_routes(member, &[FIRST], RETURN);
}

/// Each answer that is none is said once, however often it comes, and is in nobody's way.
#[test]
fn the_api_server_misbehaves() {
    let cluster = cluster(&[]);
    let member = &cluster.fleet.members[0];
    let meddler = Meddler::start(&cluster.control_plane);
    let agent = through(&meddler, &cluster);
    let refusals = [401, 403, 409, 429, 500].map(|code| (Mischief::Refuse(code), code.to_string()));
    let garbage = ["<html></html>\n", "\0\u{1}\n{}\nnull\n"].map(Mischief::Garble);
    let garbage = garbage.map(|garbage| (garbage, "not what the API says".to_owned()));
    for (number, (mischief, word)) in (51..).zip(refusals.into_iter().chain(garbage)) {
        let (before, length) = (meddler.count("watch=true"), agent.log().len());
        meddler.meddle("GET ", mischief.clone());
        meddler.cut();
        assert!(
            meddler.is_asked("watch=true", before + 5, RETURN),
            "{mischief:?}"
        );
        assert!(
            agent.says_after(length, &word, PATIENCE).is_some(),
            "{}",
            agent.log()
        );
        create(&cluster, number);
        meddler.behave();
        let route = format!("10.200.{number}.0/24");
        let there = member
            .node
            .eventually(RETURN, || overlay_routes(member).contains(&route));
        assert!(there.is_some(), "{mischief:?}: {}", agent.log());
        let log = agent.log();
        let said = log[length..]
            .lines()
            .filter(|line| line.contains("WARN") && line.contains(&word));
        let of_all = said.filter(|line| line.contains("the cluster's Nodes"));
        assert!(of_all.count() <= 1, "{mischief:?}: {}", &log[length..]);
    }
}

/// Answers that are late, short, or broken off in the middle.
#[test]
fn the_api_server_stammers() {
    let cluster = cluster(&[]);
    let meddler = Meddler::start(&cluster.control_plane);
    let agent = through(&meddler, &cluster);
    let stammers = [
        Mischief::Delay(PACE),
        Mischief::Garble(""),
        Mischief::Garble("{\"kind\":\"Node"),
        Mischief::CutAfter(0),
        Mischief::CutAfter(100),
        Mischief::CutAfter(1000),
    ];
    let mut there = vec![FIRST.to_owned()];
    for (number, mischief) in (51..).zip(stammers) {
        let before = meddler.count("watch=true");
        meddler.meddle("GET ", mischief.clone());
        meddler.cut();
        create(&cluster, number);
        // Both watches, and again unless that was a success.
        let asked = meddler.is_asked("watch=true", before + 1, RETURN);
        assert!(asked, "{mischief:?}: {}", agent.log());
        meddler.behave();
        there.push(format!("10.200.{number}.0/24"));
        let wanted: Vec<_> = there.iter().map(String::as_str).collect();
        wait_long_for_routes(&cluster.fleet.members[0], &wanted, RETURN);
    }
}

/// It takes requests and says nothing to them.
#[test]
fn the_api_server_does_not_answer() {
    let cluster = cluster(&[]);
    let meddler = Meddler::start(&cluster.control_plane);
    let agent = through(&meddler, &cluster);
    let length = agent.log().len();
    meddler.meddle("GET ", Mischief::Swallow);
    meddler.cut();
    create(&cluster, 51);
    let noticed = agent.says_after(length, "WARN", OUTAGE);
    assert!(noticed.is_some(), "{}", agent.log());
    meddler.behave();
    wait_long_for_routes(&cluster.fleet.members[0], &[FIRST, SECOND], OUTAGE);
}
