// SPDX-License-Identifier: Apache-2.0
use super::*;
use cni::{Code, Ip, Network};
use std::collections::BTreeMap;

fn conf(keys: &str) -> Conf {
    let text = format!(r#"{{"cniVersion": "1.1.0", "name": "net", "type": "bridge", {keys}}}"#);
    Conf::new(&Network::parse(text.as_bytes()).unwrap(), &BTreeMap::new()).unwrap()
}

fn ip(address: &str, gateway: Option<&str>) -> Ip {
    Ip {
        address: address.parse().unwrap(),
        gateway: gateway.map(|gateway| gateway.parse().unwrap()),
        interface: None,
    }
}

fn route(dst: &str, gw: Option<&str>, scope: Option<u8>) -> cni::Route {
    cni::Route {
        dst: dst.parse().unwrap(),
        gw: gw.map(|gw| gw.parse().unwrap()),
        mtu: None,
        advmss: None,
        priority: None,
        table: None,
        scope,
    }
}

fn plan(keys: &str, ips: Vec<Ip>, routes: Vec<cni::Route>) -> Plan {
    let ipam = AddResult {
        ips,
        routes,
        ..AddResult::default()
    };
    Plan::new(&conf(keys), &ipam).unwrap()
}

fn via(plan: &Plan, index: usize) -> Option<String> {
    plan.layer3
        .kernel_route(&plan.layer3.routes[index])
        .gateway
        .map(|gateway| gateway.to_string())
}

#[test]
fn an_ipam_plugin_without_addresses_is_an_error() {
    let error = Plan::new(&conf(r#""isGateway": true"#), &AddResult::default()).unwrap_err();
    assert_eq!(error.code, Code::DELEGATE);
    assert_eq!(error.msg, "IPAM plugin returned missing IP config");
}

#[test]
fn an_attachment_does_not_get_the_address_of_the_bridge() {
    for ip in [ip("10.1.2.1/24", None), ip("fd00::9/64", Some("fd00::9"))] {
        let ipam = AddResult {
            ips: vec![ip],
            ..AddResult::default()
        };
        let error = Plan::new(&conf(r#""isGateway": true"#), &ipam).unwrap_err();
        assert_eq!(error.code, Code::ADDRESS_UNAVAILABLE);
        assert!(Plan::new(&conf(r#""isGateway": false"#), &ipam).is_ok());
    }
}

#[test]
fn the_gateway_that_nobody_named_is_the_first_address() {
    let plan = plan(
        r#""isGateway": true"#,
        vec![ip("10.1.2.3/24", None), ip("fd00::5/64", None)],
        Vec::new(),
    );
    let gateways: Vec<_> = plan.gateways.iter().map(ToString::to_string).collect();
    assert_eq!(gateways, ["10.1.2.1/24", "fd00::1/64"]);
    assert_eq!(
        plan.layer3.ips[0].gateway,
        Some("10.1.2.1".parse().unwrap())
    );
    assert_eq!(plan.layer3.ips[1].interface, Some(CONTAINER));
}

#[test]
fn without_is_gateway_the_bridge_gets_no_address() {
    let plan = plan(
        r#""mtu": 0"#,
        vec![ip("10.1.2.3/24", Some("10.1.2.254"))],
        Vec::new(),
    );
    assert!(plan.gateways.is_empty() && plan.layer3.routes.is_empty());
    assert_eq!(
        plan.layer3.ips[0].gateway,
        Some("10.1.2.254".parse().unwrap())
    );
}

#[test]
fn two_addresses_of_one_subnet_share_its_gateway() {
    let ips = vec![ip("10.1.2.3/24", None), ip("10.1.2.4/24", None)];
    assert_eq!(
        plan(r#""isGateway": true"#, ips, Vec::new()).gateways.len(),
        1
    );
}

#[test]
fn a_default_gateway_gives_each_family_one_default_route() {
    let keys = r#""isDefaultGateway": true"#;
    let ips = || {
        vec![
            ip("10.1.2.3/24", None),
            ip("10.9.0.3/24", None),
            ip("fd00::5/64", None),
        ]
    };
    let made = plan(keys, ips(), Vec::new());
    let routes: Vec<_> = made
        .layer3
        .routes
        .iter()
        .map(|route| (route.dst.to_string(), route.gw))
        .collect();
    let gateway = |text: &str| Some(text.parse().unwrap());
    assert_eq!(
        routes,
        [
            ("0.0.0.0/0".to_owned(), gateway("10.1.2.1")),
            ("::/0".to_owned(), gateway("fd00::1"))
        ]
    );
    // The IPAM plugin's own default route stands, with a gateway or without.
    for gw in [None, Some("10.1.2.9")] {
        let made = plan(keys, ips(), vec![route("0.0.0.0/0", gw, None)]);
        assert_eq!(
            made.layer3
                .routes
                .iter()
                .filter(|route| route.dst.is_ipv4())
                .count(),
            1
        );
    }
}

#[test]
fn a_route_goes_by_its_own_gateway_or_by_its_familys_first() {
    let made = plan(
        r#""isGateway": true"#,
        vec![ip("10.1.2.3/24", None), ip("fd00::5/64", None)],
        vec![
            route("10.0.0.0/8", None, None),
            route("10.0.0.0/8", Some("10.1.2.7"), None),
            route("2001:db8::/32", None, None),
            route("192.0.2.0/24", None, Some(253)),
        ],
    );
    assert_eq!(via(&made, 0).as_deref(), Some("10.1.2.1"));
    assert_eq!(via(&made, 1).as_deref(), Some("10.1.2.7"));
    assert_eq!(via(&made, 2).as_deref(), Some("fd00::1"));
    assert_eq!(via(&made, 3), None, "a route of scope link has no gateway");
}
