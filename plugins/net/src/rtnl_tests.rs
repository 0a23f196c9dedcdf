// SPDX-License-Identifier: Apache-2.0
//! Answers that a kernel does not give on demand.

use netlink_packet_core::{ErrorMessage, NetlinkHeader};

use super::*;

/// `struct nlattr` with a text.
fn attribute(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + text.len()).unwrap();
    [&length.to_ne_bytes(), &ATTR_MSG.to_ne_bytes(), text].concat()
}

#[test]
fn the_text_is_only_looked_for_where_the_kernel_says_there_is_one() {
    let refusal = || {
        let mut error = ErrorMessage::default();
        error.code = std::num::NonZero::new(-17);
        error.header = [&[0; 16], &attribute(b"Taken\0")[..]].concat();
        NetlinkPayload::Error(error)
    };
    let text = |flags| {
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        object(NetlinkMessage::new(header, refusal()))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(text(NLM_F_ACK_TLVS), "File exists (Taken)");
    assert_eq!(text(0), "File exists");
}
