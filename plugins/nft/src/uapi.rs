// SPDX-License-Identifier: Apache-2.0
//! The numbers of linux/netfilter/nfnetlink.h and linux/netfilter/nf_tables.h that are used here.

/// `NFNL_SUBSYS_NFTABLES`, the high byte of a message's type.
pub(crate) const SUBSYSTEM: u16 = 10;
/// `NFNL_SUBSYS_CTNETLINK`, the same for the kernel's memory of connections.
pub(crate) const CONNTRACK: u16 = 1;

/// `NFT_MSG_*`, as the low byte of a message's type.
pub(crate) mod verb {
    pub(crate) const NEW_TABLE: u16 = 0;
    pub(crate) const GET_TABLE: u16 = 1;
    pub(crate) const DELETE_TABLE: u16 = 2;
    pub(crate) const NEW_CHAIN: u16 = 3;
    pub(crate) const GET_CHAIN: u16 = 4;
    pub(crate) const DELETE_CHAIN: u16 = 5;
    pub(crate) const NEW_RULE: u16 = 6;
    pub(crate) const GET_RULE: u16 = 7;
    pub(crate) const DELETE_RULE: u16 = 8;
    pub(crate) const NEW_SET: u16 = 9;
    pub(crate) const GET_SET: u16 = 10;
    pub(crate) const DELETE_SET: u16 = 11;
    pub(crate) const NEW_ELEMENT: u16 = 12;
    pub(crate) const GET_ELEMENT: u16 = 13;
    pub(crate) const DELETE_ELEMENT: u16 = 14;
    pub(crate) const NEW_GENERATION: u16 = 15;
    pub(crate) const GET_GENERATION: u16 = 16;
}

/// `NFTA_*`: the numbers of the objects' attributes.
pub(crate) mod attribute {
    pub(crate) const TABLE_NAME: u16 = 1;
    pub(crate) const CHAIN_TABLE: u16 = 1;
    pub(crate) const CHAIN_NAME: u16 = 3;
    pub(crate) const CHAIN_HOOK: u16 = 4;
    pub(crate) const CHAIN_POLICY: u16 = 5;
    pub(crate) const CHAIN_TYPE: u16 = 7;
    pub(crate) const HOOK_NUMBER: u16 = 1;
    pub(crate) const HOOK_PRIORITY: u16 = 2;
    pub(crate) const RULE_TABLE: u16 = 1;
    pub(crate) const RULE_CHAIN: u16 = 2;
    pub(crate) const RULE_HANDLE: u16 = 3;
    pub(crate) const RULE_EXPRESSIONS: u16 = 4;
    pub(crate) const RULE_POSITION: u16 = 6;
    pub(crate) const RULE_USER_DATA: u16 = 7;
    pub(crate) const SET_TABLE: u16 = 1;
    pub(crate) const SET_NAME: u16 = 2;
    pub(crate) const SET_FLAGS: u16 = 3;
    pub(crate) const SET_KEY_TYPE: u16 = 4;
    pub(crate) const SET_KEY_LENGTH: u16 = 5;
    pub(crate) const SET_DATA_TYPE: u16 = 6;
    pub(crate) const SET_DATA_LENGTH: u16 = 7;
    pub(crate) const SET_DESCRIPTION: u16 = 9;
    pub(crate) const SET_ID: u16 = 10;
    pub(crate) const SET_USER_DATA: u16 = 13;
    pub(crate) const DESCRIPTION_SIZE: u16 = 1;
    pub(crate) const ELEMENTS_TABLE: u16 = 1;
    pub(crate) const ELEMENTS_SET: u16 = 2;
    pub(crate) const ELEMENTS: u16 = 3;
    pub(crate) const LIST_ELEMENT: u16 = 1;
    pub(crate) const ELEMENT_KEY: u16 = 1;
    pub(crate) const ELEMENT_DATA: u16 = 2;
    pub(crate) const ELEMENT_USER_DATA: u16 = 6;
    pub(crate) const DATA_VALUE: u16 = 1;
}
