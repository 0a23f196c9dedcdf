// SPDX-License-Identifier: Apache-2.0
//! Batches, transactions and expressions by themselves.

use nft::{
    Base, Batch, DataType, Element, Error, Expr, Family, Found, Hook, Meta, Nft, Register, Rule,
    Set, Table, Value, Values, Verdict,
};
use nix::errno::Errno;

use crate::lab::isolated;
use crate::packets::Site;

const TABLE: Table<'static> = Table {
    family: Family::Inet,
    name: "try",
};

fn commit(nft: &mut Nft, fill: impl FnOnce(&mut Batch)) -> Result<(), Error> {
    let mut batch = Batch::new();
    fill(&mut batch);
    nft.commit(&batch)
}

#[test]
fn a_batch_is_carried_out_whole_or_not_at_all() {
    let mut nft = isolated();
    let error = commit(&mut nft, |batch| {
        batch.add_table(TABLE);
        batch.delete_chain(TABLE, "nowhere");
        batch.add_chain(TABLE, "somewhere", None);
    })
    .unwrap_err();
    assert!(error.is_not_found());
    assert!(
        error
            .to_string()
            .starts_with("delete chain nowhere of table inet try: "),
        "{error}"
    );
    assert!(!nft.has_table(TABLE).unwrap());
    commit(&mut nft, |_| {}).unwrap();
}

#[test]
fn what_is_there_already_is_not_declared_again() {
    let mut nft = isolated();
    commit(&mut nft, |batch| batch.add_table(TABLE)).unwrap();
    let error = commit(&mut nft, |batch| batch.add_table(TABLE)).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::EEXIST));
}

#[test]
fn a_table_is_deleted_only_when_empty() {
    let mut nft = isolated();
    nft.remove_if_empty(TABLE).unwrap();
    commit(&mut nft, |batch| {
        batch.add_table(TABLE);
        batch.add_chain(TABLE, "somewhere", None);
    })
    .unwrap();
    nft.remove_if_empty(TABLE).unwrap();
    assert!(nft.has_table(TABLE).unwrap());
    commit(&mut nft, |batch| batch.delete_chain(TABLE, "somewhere")).unwrap();
    nft.remove_if_empty(TABLE).unwrap();
    assert!(!nft.has_table(TABLE).unwrap());
}

#[test]
fn a_change_by_others_during_a_transaction_makes_it_look_again() {
    let (mut nft, mut other) = (isolated(), Nft::open().unwrap());
    let mut looks = 0;
    nft.transact(|nft| {
        looks += 1;
        let mut batch = Batch::new();
        if !nft.has_table(TABLE)? {
            batch.add_table(TABLE);
        }
        if looks == 1 {
            commit(&mut other, |batch| batch.add_table(TABLE))?;
        }
        Ok(batch)
    })
    .unwrap();
    assert_eq!(looks, 2);
}

#[test]
fn a_look_that_found_nothing_to_do_is_repeated_too() {
    let (mut nft, mut other) = (isolated(), Nft::open().unwrap());
    let mut looks = 0;
    nft.transact(|_| {
        looks += 1;
        if looks == 1 {
            commit(&mut other, |batch| batch.add_table(TABLE))?;
        }
        Ok(Batch::new())
    })
    .unwrap();
    assert_eq!(looks, 2);
}

#[test]
fn a_transaction_gives_up_when_others_never_rest() {
    let (mut nft, mut other) = (isolated(), Nft::open().unwrap());
    commit(&mut other, |batch| batch.add_table(TABLE)).unwrap();
    let mut chains = 0;
    let outcome = nft.transact(|_| {
        chains += 1;
        commit(&mut other, |batch| {
            batch.add_chain(TABLE, &format!("chain{chains}"), None)
        })?;
        let mut batch = Batch::new();
        batch.add_chain(TABLE, "mine", None);
        Ok(batch)
    });
    assert!(
        matches!(outcome, Err(Error::Contended { .. })),
        "{outcome:?}"
    );
    assert!(!nft.has_chain(TABLE, "mine").unwrap());
}

#[test]
fn a_dump_larger_than_one_datagram_is_whole() {
    let mut nft = isolated();
    let set = Set {
        name: "many",
        key: DataType::IPV4,
        values: Values::None,
    };
    commit(&mut nft, |batch| {
        batch.add_table(TABLE);
        batch.add_set(TABLE, &set);
        for i in 0u32..1500 {
            let key = i.to_be_bytes().to_vec();
            batch.add_element(
                TABLE,
                set.name,
                &Element {
                    key,
                    value: None,
                    comment: None,
                },
            );
        }
    })
    .unwrap();
    let mut keys: Vec<Vec<u8>> = nft
        .elements(TABLE, set.name)
        .unwrap()
        .into_iter()
        .map(|element| element.key)
        .collect();
    keys.sort();
    let expected: Vec<Vec<u8>> = (0u32..1500).map(|i| i.to_be_bytes().to_vec()).collect();
    assert_eq!(keys, expected);
}

#[test]
fn what_is_missing_is_not_an_error() {
    let mut nft = isolated();
    assert!(!nft.has_chain(TABLE, "x").unwrap() && !nft.has_set(TABLE, "x").unwrap());
    assert!(nft.rules(TABLE, None).unwrap().is_empty());
    assert!(nft.elements(TABLE, "x").unwrap().is_empty());
    assert_eq!(nft.element(TABLE, "x", &[0; 4]).unwrap(), None);
}

/// `fib daddr type local dnat ip to meta l4proto . th dport map @ports`
fn port_rule() -> Rule {
    const LOCAL: u32 = 2;
    Rule::new()
        .with(Expr::DestinationType(Register::FIRST))
        .with(Expr::Equal(Register::FIRST, &LOCAL.to_ne_bytes()))
        .with(Expr::Meta(Meta::Family, Register::FIRST))
        .with(Expr::Equal(Register::FIRST, &[2]))
        .with(Expr::Meta(Meta::Transport, Register::word(0)))
        .with(Expr::Payload {
            base: Base::Transport,
            offset: 2,
            length: 2,
            into: Register::word(1),
        })
        .with(Expr::Lookup {
            set: "ports",
            key: Register::word(0),
            found: Found::Value(Register::word(0)),
        })
        .with(Expr::DestinationNat {
            family: 2,
            address: Register::word(0),
            port: Register::word(1),
        })
        .comment("host ports")
}

#[test]
fn a_map_leads_a_host_port_to_a_pod() {
    const UDP: u8 = 17;
    let site = Site::new();
    let server = site.pod.socket("10.1.0.5");
    let port = server.local_addr().unwrap().port();
    let mut nft = site.node.nft();
    let ports = Set {
        name: "ports",
        key: DataType::PROTOCOL.and(DataType::PORT),
        values: Values::Of(DataType::IPV4.and(DataType::PORT)),
    };
    let pad = |bytes: &[u8]| [bytes, &[0; 2]].concat();
    let element = Element {
        key: [vec![UDP, 0, 0, 0], pad(&8080u16.to_be_bytes())].concat(),
        value: Some(Value::Bytes(
            [vec![10, 1, 0, 5], pad(&port.to_be_bytes())].concat(),
        )),
        comment: Some("podnet vethpod".to_owned()),
    };
    commit(&mut nft, |batch| {
        batch.add_table(TABLE);
        batch.add_set(TABLE, &ports);
        let hook = Hook {
            kind: "nat",
            number: 0,
            priority: -100,
        };
        batch.add_chain(TABLE, "prerouting", Some(hook));
        batch.append_rule(TABLE, "prerouting", &port_rule());
        batch.add_element(TABLE, "ports", &element);
    })
    .unwrap();
    assert_eq!(
        nft.elements(TABLE, "ports").unwrap(),
        std::slice::from_ref(&element)
    );
    assert_eq!(
        nft.element(TABLE, "ports", &element.key).unwrap(),
        Some(element)
    );
    assert!(nft.rules(TABLE, Some("prerouting")).unwrap()[0].is(&port_rule()));
    let client = site.outside.socket("192.0.2.2");
    client.send_to(b"x", "192.0.2.1:8080").unwrap();
    let (_, source) = server.recv_from(&mut [0; 8]).unwrap();
    assert_eq!(source, client.local_addr().unwrap());
}

#[test]
fn a_rule_is_known_by_its_expressions_its_comment_and_its_target() {
    let mut nft = isolated();
    let rule = |network: &str| Rule::new().within(nft::End::Source, network.parse().unwrap());
    let goto = Verdict::Goto("there".to_owned());
    let wish = rule("10.1.0.0/16").verdict(&goto).comment("one");
    commit(&mut nft, |batch| {
        batch.add_table(TABLE);
        batch.add_chain(TABLE, "there", None);
        batch.add_chain(TABLE, "here", None);
        batch.append_rule(TABLE, "here", &wish);
        batch.insert_rule(
            TABLE,
            "here",
            &Rule::new().with(Expr::Immediate(Register::FIRST, &[7])),
        );
    })
    .unwrap();
    let rules = nft.rules(TABLE, Some("here")).unwrap();
    assert_eq!(rules[0].target(), None);
    assert_eq!(rules[1].target().as_deref(), Some("there"));
    assert!(rules[1].is(&wish) && !rules[0].is(&wish));
    for other in [
        rule("10.1.0.0/16").verdict(&goto),
        rule("10.1.0.0/16").verdict(&goto).comment("two"),
        rule("10.2.0.0/16").verdict(&goto).comment("one"),
        rule("10.1.0.0/15").verdict(&goto).comment("one"),
        rule("10.1.0.0/16")
            .verdict(&Verdict::Jump("there".to_owned()))
            .comment("one"),
        rule("10.1.0.0/16").comment("one"),
    ] {
        assert!(!rules[1].is(&other), "{other:?}");
    }
}
