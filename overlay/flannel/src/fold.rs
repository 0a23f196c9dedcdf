// SPDX-License-Identifier: Apache-2.0
//! Keys of a configuration that is passed on: Go reads them whatever their case.

use serde_json::{Map, Value};

/// The value of a key; `null` is absence, and the last of several counts.
pub(crate) fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let same =
        |(key, value): &(&String, &Value)| key.eq_ignore_ascii_case(name) && !value.is_null();
    let mut found = object.iter().rev().filter(same);
    found.next().map(|(_, value)| value)
}

/// The text of a key; empty is absence.
pub(crate) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let text = field(object, name).and_then(Value::as_str);
    text.filter(|text| !text.is_empty())
}

/// Takes a key out, in all its spellings.
pub(crate) fn remove(object: &mut Map<String, Value>, name: &str) {
    object.retain(|key, _| !key.eq_ignore_ascii_case(name));
}

/// Gives a key this value and no other.
pub(crate) fn set(object: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    remove(object, name);
    object.insert(name.to_owned(), value.into());
}

/// Gives a key this value unless it has one.
pub(crate) fn set_if_absent(object: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    if field(object, name).is_none() {
        set(object, name, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_fold_and_null_is_absence() {
        let object = json!({"MTU": 1400, "mtu": null, "ipmasq": false, "Type": ""});
        let mut object = object.as_object().unwrap().clone();
        assert_eq!(field(&object, "mtu"), Some(&json!(1400)));
        assert_eq!(text(&object, "type"), None);
        set_if_absent(&mut object, "ipMasq", true);
        set_if_absent(&mut object, "isGateway", true);
        set(&mut object, "mtu", 1450);
        let expected = json!({"ipmasq": false, "Type": "", "isGateway": true, "mtu": 1450});
        assert_eq!(Value::from(object), expected);
    }
}
