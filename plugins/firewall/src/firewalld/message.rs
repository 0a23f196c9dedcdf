// SPDX-License-Identifier: Apache-2.0
//! D-Bus messages, as far as firewalld's zones need them: calls with texts, and what answers them.
//!
//! Source: D-Bus specification, section "Message Protocol".

/// Message types.
const CALL: u8 = 1;
const RETURN: u8 = 2;
const ERROR: u8 = 3;
/// Nobody is started for the sake of a call.
const NO_AUTO_START: u8 = 2;
const PROTOCOL: u8 = 1;
/// Header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;
/// Bytes before the header's fields.
pub(super) const START: usize = 16;
/// No answer that we ask for comes near it; the specification's own limit is 128 MiB.
const LONGEST: usize = 4 << 20;

/// A method to be called.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
    pub(super) arguments: &'a [&'a str],
}

impl Call<'_> {
    /// The message, in little endian.
    pub(super) fn encode(&self, serial: u32) -> Vec<u8> {
        let mut body = Vec::new();
        for argument in self.arguments {
            put_text(&mut body, argument);
        }
        let mut fields = Vec::new();
        for (field, kind, value) in [
            (PATH, b'o', self.path),
            (INTERFACE, b's', self.interface),
            (MEMBER, b's', self.member),
            (DESTINATION, b's', self.destination),
        ] {
            align(&mut fields, 8);
            fields.extend([field, 1, kind, 0]);
            put_text(&mut fields, value);
        }
        if !self.arguments.is_empty() {
            align(&mut fields, 8);
            fields.extend([SIGNATURE, 1, b'g', 0]);
            let signature = vec![b's'; self.arguments.len()];
            fields.push(u8::try_from(signature.len()).unwrap_or(u8::MAX));
            fields.extend(signature);
            fields.push(0);
        }
        let mut message = vec![b'l', CALL, NO_AUTO_START, PROTOCOL];
        for number in [length(&body), serial, length(&fields)] {
            message.extend(number.to_le_bytes());
        }
        message.extend(fields);
        align(&mut message, 8);
        message.extend(body);
        message
    }
}

fn put_text(message: &mut Vec<u8>, text: &str) {
    align(message, 4);
    message.extend(length(text.as_bytes()).to_le_bytes());
    message.extend(text.as_bytes());
    message.push(0);
}

fn align(message: &mut Vec<u8>, to: usize) {
    message.resize(message.len().next_multiple_of(to), 0);
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// What a message that came in is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The method's values.
    Values(Values),
    /// The error's name, and what it says.
    Refused(String),
}

/// The values of an answer, undecoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Values {
    big: bool,
    body: Vec<u8>,
}

/// How many bytes follow the first [`START`] of a message; `None` for what is no message.
pub(super) fn rest(start: &[u8; START]) -> Option<usize> {
    let reader = Reader::new(is_big(start[0])?, start);
    let body = reader.number(4)?;
    let fields = reader.number(12)?;
    let rest = fields.checked_next_multiple_of(8)?.checked_add(body)?;
    (rest <= LONGEST).then_some(rest)
}

/// The answer to the call with this serial; `None` for any other message.
pub(super) fn answer(message: &[u8], serial: u32) -> Option<Answer> {
    let big = is_big(*message.first()?)?;
    let reader = Reader::new(big, message);
    let fields = START.checked_add(reader.number(12)?)?;
    let body = message.get(fields.next_multiple_of(8)..)?.to_vec();
    let mut place = START;
    let (mut answers, mut name) = (false, String::new());
    while place < fields {
        place = place.next_multiple_of(8);
        let [field, length] = [*message.get(place)?, *message.get(place + 1)?];
        let kind = *message.get(place + 2)?;
        place += usize::from(length) + 3;
        match kind {
            b'u' => {
                place = place.next_multiple_of(4);
                answers |= field == REPLY_SERIAL && reader.number(place)? == serial as usize;
                place += 4;
            }
            b'g' => place += usize::from(*message.get(place)?) + 2,
            _ => {
                let (text, next) = reader.text(place)?;
                place = next;
                if field == ERROR_NAME {
                    name = text;
                }
            }
        }
    }
    match *message.get(1)? {
        RETURN if answers => Some(Answer::Values(Values { big, body })),
        ERROR if answers => {
            let said = Reader::new(big, &body).text(0);
            let said = said.map(|(text, _)| format!("{name}: {text}"));
            Some(Answer::Refused(said.unwrap_or(name)))
        }
        _ => None,
    }
}

fn is_big(order: u8) -> Option<bool> {
    match order {
        b'l' => Some(false),
        b'B' => Some(true),
        _ => None,
    }
}

impl Values {
    /// The first value as a boolean.
    pub(super) fn truth(&self) -> Option<bool> {
        Some(Reader::new(self.big, &self.body).number(0)? != 0)
    }

    /// The first value as a list of texts.
    pub(super) fn texts(&self) -> Option<Vec<String>> {
        let reader = Reader::new(self.big, &self.body);
        let end = reader.number(0)?.checked_add(4)?;
        let (mut place, mut texts) = (4, Vec::new());
        while place < end {
            let (text, next) = reader.text(place)?;
            texts.push(text);
            place = next;
        }
        Some(texts)
    }
}

/// Bytes with values at places that are multiples of their size.
struct Reader<'a> {
    big: bool,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(big: bool, bytes: &'a [u8]) -> Self {
        Self { big, bytes }
    }

    fn number(&self, place: usize) -> Option<usize> {
        let octets = self.bytes.get(place..place.checked_add(4)?)?;
        let octets = octets.try_into().ok()?;
        let number = if self.big {
            u32::from_be_bytes(octets)
        } else {
            u32::from_le_bytes(octets)
        };
        usize::try_from(number).ok()
    }

    /// A text and where the next value can be.
    fn text(&self, place: usize) -> Option<(String, usize)> {
        let place = place.checked_next_multiple_of(4)?;
        let end = place.checked_add(4)?.checked_add(self.number(place)?)?;
        let text = self.bytes.get(place + 4..end)?;
        Some((String::from_utf8_lossy(text).into_owned(), end + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer as a bus sends it, with this body.
    fn reply(kind: u8, serial: u32, body: &[u8]) -> Vec<u8> {
        let mut message = vec![b'l', kind, 1, 1];
        message.extend(length(body).to_le_bytes());
        message.extend([9, 0, 0, 0]);
        let mut fields = vec![REPLY_SERIAL, 1, b'u', 0];
        fields.extend(serial.to_le_bytes());
        fields.extend([ERROR_NAME, 1, b's', 0]);
        put_text(&mut fields, "org.example.Error");
        message.extend(length(&fields).to_le_bytes());
        message.extend(&fields);
        align(&mut message, 8);
        message.extend(body);
        message
    }

    fn start(message: &[u8]) -> [u8; START] {
        message[..START].try_into().unwrap()
    }

    #[test]
    fn a_call_says_how_long_it_is() {
        let call = Call {
            destination: "org.example",
            path: "/org/example",
            interface: "org.example.zone",
            member: "addSource",
            arguments: &["trusted", "10.1.0.5/32"],
        };
        let message = call.encode(7);
        assert_eq!(rest(&start(&message)), Some(message.len() - START));
        assert_eq!(answer(&message, 7), None);
    }

    #[test]
    fn an_answer_is_that_of_its_call() {
        let truth = reply(RETURN, 3, &[1, 0, 0, 0]);
        assert_eq!(rest(&start(&truth)), Some(truth.len() - START));
        let Some(Answer::Values(values)) = answer(&truth, 3) else {
            panic!("no values")
        };
        assert_eq!(values.truth(), Some(true));
        assert_eq!(answer(&truth, 4), None);
        let mut said = Vec::new();
        put_text(&mut said, "ZONE_CONFLICT");
        let refused = Answer::Refused("org.example.Error: ZONE_CONFLICT".to_owned());
        assert_eq!(answer(&reply(ERROR, 3, &said), 3), Some(refused));
    }

    #[test]
    fn lists_are_read() {
        let mut list = vec![0; 4];
        for text in ["10.1.0.5/32", "fd00::5/128"] {
            put_text(&mut list, text);
        }
        let octets = length(&list[4..]).to_le_bytes();
        list[..4].copy_from_slice(&octets);
        let values = Values {
            big: false,
            body: list,
        };
        let texts = values.texts().unwrap();
        assert_eq!(texts, ["10.1.0.5/32", "fd00::5/128"]);
    }

    #[test]
    fn what_is_cut_or_no_message_is_none() {
        let whole = reply(RETURN, 3, &[1, 0, 0, 0]);
        for end in 0..whole.len() - 4 {
            assert_eq!(answer(&whole[..end], 3), None, "{end}");
        }
        let mut other = start(&whole);
        other[0] = b'x';
        assert_eq!(rest(&other), None);
        let mut huge = start(&whole);
        huge[4..8].copy_from_slice(&[0xff; 4]);
        assert_eq!(rest(&huge), None);
    }
}
