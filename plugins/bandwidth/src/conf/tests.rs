// SPDX-License-Identifier: Apache-2.0
//! What becomes of limits as typed.

use cni::Network;

use super::*;

fn conf(keys: &str) -> Result<Conf, Error> {
    let text = format!(r#"{{"cniVersion": "1.1.0", "name": "n", "type": "bandwidth" {keys}}}"#);
    Conf::new(&Network::parse(text.as_bytes()).unwrap())
}

fn refusal(keys: &str) -> String {
    let error = conf(keys).unwrap_err();
    assert_eq!(error.code, Code::INVALID_CONFIG, "{error}");
    error.msg
}

const fn of(rate: u64, burst: u32) -> Option<Limit> {
    Some(Limit {
        rate,
        burst: Some(burst),
    })
}

#[test]
fn without_limits_there_is_nothing_to_do() {
    for keys in [
        "",
        r#", "ingressRate": 0, "ingressBurst": 0, "egressRate": null"#,
        r#", "runtimeConfig": {}"#,
        r#", "runtimeConfig": {"bandwidth": null}"#,
        r#", "runtimeConfig": {"bandwidth": {}}"#,
    ] {
        assert!(conf(keys).unwrap().is_empty(), "{keys}");
    }
}

#[test]
fn limits_are_bits_and_become_bytes() {
    let conf = conf(r#", "ingressRate": 8000, "ingressBurst": 80007"#).unwrap();
    assert_eq!((conf.ingress, conf.egress), (of(1000, 10_000), None));
    let tbf = conf.ingress.unwrap().tbf();
    assert_eq!((tbf.rate, tbf.burst, tbf.limit), (1000, 10_000, 10_025));
}

#[test]
fn of_two_limits_the_lower_holds_in_each_direction() {
    let both = r#", "ingressRate": 8000, "ingressBurst": 16000, "egressRate": 800, "egressBurst": 80,
        "runtimeConfig": {"bandwidth": {"ingressRate": 80000, "ingressBurst": 8000}}"#;
    let both = conf(both).unwrap();
    assert_eq!((both.ingress, both.egress), (of(1000, 1000), of(100, 10)));
    let pod = r#", "egressRate": 80000, "egressBurst": 8000, "runtimeConfig": {"bandwidth":
        {"ingressRate": 80, "ingressBurst": 800, "egressRate": 800, "egressBurst": 4294967295}}"#;
    let pod = conf(pod).unwrap();
    assert_eq!((pod.ingress, pod.egress), (of(10, 100), of(100, 1000)));
}

#[test]
fn a_burst_that_a_runtime_made_up_is_nobodys() {
    for burst in [2_147_483_647_u64, 4_294_967_295, 34_359_738_359] {
        let with = |rate: u64, keys: &str| {
            let keys = format!(
                r#"{keys}, "runtimeConfig": {{"bandwidth": {{"egressRate": {rate}, "egressBurst": {burst}}}}}"#
            );
            conf(&keys).unwrap().egress.unwrap()
        };
        let fast = with(80_000_000, "");
        assert!(!fast.has_burst());
        assert_eq!((fast.tbf().rate, fast.tbf().burst), (10_000_000, 1_000_000));
        let slow = with(8000, "").tbf();
        assert_eq!((slow.rate, slow.burst), (1000, 128 * 1024));
        let said = with(8000, r#", "egressRate": 80000, "egressBurst": 24000"#);
        assert_eq!(Some(said), of(1000, 3000));
        let own = format!(r#", "egressRate": 8000, "egressBurst": {burst}"#);
        assert!(conf(&own).unwrap().egress.unwrap().has_burst());
    }
}

#[test]
fn half_a_limit_and_one_that_cannot_be_kept_are_refused() {
    for (keys, sentence) in [
        (
            r#", "ingressRate": 8"#,
            "ingressRate is 8: if rate is set, burst must also be set",
        ),
        (
            r#", "egressBurst": 8"#,
            "egressBurst is 8: if burst is set, rate must also be set",
        ),
        (
            r#", "runtimeConfig": {"bandwidth": {"egressRate": 80, "egressBurst": 0}}"#,
            "runtimeConfig.bandwidth.egressRate is 80: if rate is set, burst must also be set",
        ),
        (
            r#", "egressRate": 7, "egressBurst": 80000"#,
            "egressRate is 7: less than a byte a second can't be kept",
        ),
        (
            r#", "ingressRate": 8, "ingressBurst": 34359738360"#,
            "ingressBurst is 34359738360: burst cannot be more than 4GB",
        ),
    ] {
        assert_eq!(refusal(keys), sentence);
    }
    let largest = r#", "ingressRate": 18446744073709551615, "ingressBurst": 34359738359"#;
    let largest = conf(largest).unwrap().ingress;
    assert_eq!(largest, of(u64::MAX / 8, u32::MAX - 1));
}
