// SPDX-License-Identifier: Apache-2.0
//! Verdicts as nf_tables writes them, in rules and in verdict maps alike.
//!
//! Source: linux/netfilter/nf_tables.h, `NFTA_VERDICT_*`.

use crate::object::Verdict;
use crate::wire::{self, Writer};

const DATA_VERDICT: u16 = 2;
/// Verdict codes: netfilter's own from 0, nf_tables' below.
const DROP: i32 = 0;
const ACCEPT: i32 = 1;
const JUMP: i32 = -3;
const GOTO: i32 = -4;
const RETURN: i32 = -5;
const VERDICT_CODE: u16 = 1;
const VERDICT_CHAIN: u16 = 2;

impl Verdict {
    /// As `NFTA_DATA_VERDICT`, in a rule or as an element's value.
    pub(crate) fn write(&self, w: &mut Writer) {
        let (code, chain) = match self {
            Verdict::Accept => (ACCEPT, None),
            Verdict::Drop => (DROP, None),
            Verdict::Return => (RETURN, None),
            Verdict::Jump(chain) => (JUMP, Some(chain)),
            Verdict::Goto(chain) => (GOTO, Some(chain)),
        };
        w.nested(DATA_VERDICT, |w| {
            w.number(VERDICT_CODE, code.cast_unsigned());
            if let Some(chain) = chain {
                w.text(VERDICT_CHAIN, chain);
            }
        });
    }

    /// A verdict that leads to no chain.
    pub(crate) fn of_code(code: i32) -> Option<Verdict> {
        match code {
            ACCEPT => Some(Verdict::Accept),
            DROP => Some(Verdict::Drop),
            RETURN => Some(Verdict::Return),
            _ => None,
        }
    }

    /// From the attribute that holds `NFTA_DATA_VERDICT`; `None` for a verdict not listed here.
    pub(crate) fn read(data: &[u8]) -> Option<Verdict> {
        let verdict = wire::find(data, DATA_VERDICT)?;
        let code = wire::number(wire::find(verdict, VERDICT_CODE)?)?.cast_signed();
        let chain = || wire::find(verdict, VERDICT_CHAIN).map(wire::string);
        match code {
            JUMP => chain().map(Verdict::Jump),
            GOTO => chain().map(Verdict::Goto),
            code => Verdict::of_code(code),
        }
    }
}
