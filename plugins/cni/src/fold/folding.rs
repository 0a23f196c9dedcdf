// SPDX-License-Identifier: Apache-2.0
//! The deserializer itself, over a document that is parsed already.

use std::iter::Enumerate;
use std::slice::Iter;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{self, DeserializeSeed, Deserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Number, Value};

use super::Failure;

pub(super) struct Folding<'de>(pub(super) &'de Value);

impl<'de> Folding<'de> {
    fn array(self) -> Result<&'de [Value], Failure> {
        match self.0 {
            Value::Null => Ok(&[]),
            Value::Array(elements) => Ok(elements),
            other => Err(Failure::mistyped("an array", other)),
        }
    }

    /// The entries of an object; a `null` has none.
    fn entries(self) -> Result<impl Iterator<Item = (&'de String, &'de Value)>, Failure> {
        match self.0 {
            Value::Null => Ok(None.into_iter().flatten()),
            Value::Object(object) => Ok(Some(object).into_iter().flatten()),
            other => Err(Failure::mistyped("an object", other)),
        }
    }

    fn whole_number<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let number = match self.0 {
            Value::Number(number) => number,
            other => return Err(Failure::mistyped("a whole number", other)),
        };
        if let Some(number) = number.as_u64() {
            visitor.visit_u64(number)
        } else if let Some(number) = number.as_i64().or_else(|| integral(number)) {
            visitor.visit_i64(number)
        } else {
            Err(Failure::mistyped("a whole number", self.0))
        }
    }
}

/// A number that was written as a float but is whole, such as `1500.0` or `1.5e3`.
fn integral(number: &Number) -> Option<i64> {
    // The standard library writes a whole float without fraction and exponent.
    number.as_f64()?.to_string().parse().ok()
}

/// Implements `Deserializer` methods whose visitors take any whole number.
macro_rules! whole_numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            self.whole_number(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Folding<'de> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
            // By itself a number would tell of a wrong type as of a wrong value.
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
        }
    }

    whole_numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.0 {
            Value::Bool(value) => visitor.visit_bool(*value),
            other => Err(Failure::mistyped("true or false", other)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.0 {
            Value::String(text) => visitor.visit_borrowed_str(text),
            other => Err(Failure::mistyped("a string", other)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_seq(Elements(self.array()?.iter().enumerate()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let entries = self.entries()?.map(|(key, value)| Entry {
            name: key,
            key,
            value,
        });
        visitor.visit_map(Entries {
            rest: entries,
            current: None,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let mut found: Vec<Option<Entry<'de>>> = fields.iter().map(|_| None).collect();
        for (key, value) in self.entries()?.filter(|(_, value)| !value.is_null()) {
            if let Some(i) = fields
                .iter()
                .position(|name| name.eq_ignore_ascii_case(key))
            {
                found[i] = Some(Entry {
                    name: fields[i],
                    key,
                    value,
                });
            }
        }
        visitor.visit_map(Entries {
            rest: found.into_iter().flatten(),
            current: None,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match self.0 {
            Value::String(text) => visitor.visit_enum(StrDeserializer::new(text)),
            other => Err(Failure::mistyped("a string", other)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

struct Elements<'de>(Enumerate<Iter<'de, Value>>);

impl<'de> de::SeqAccess<'de> for Elements<'de> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Failure> {
        let Some((i, element)) = self.0.next() else {
            return Ok(None);
        };
        let element = seed.deserialize(Folding(element));
        element
            .map(Some)
            .map_err(|failure| failure.within(format_args!("[{i}]")))
    }
}

struct Entry<'de> {
    /// The name that the struct gives the key.
    name: &'de str,
    /// The key as the document spells it, for failures.
    key: &'de str,
    value: &'de Value,
}

struct Entries<'de, I> {
    rest: I,
    current: Option<Entry<'de>>,
}

impl<'de, I: Iterator<Item = Entry<'de>>> de::MapAccess<'de> for Entries<'de, I> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Failure> {
        self.current = self.rest.next();
        let Some(entry) = &self.current else {
            return Ok(None);
        };
        let key = seed.deserialize(BorrowedStrDeserializer::new(entry.name));
        key.map(Some)
            .map_err(|failure: Failure| failure.within(entry.key))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Failure> {
        let entry = self
            .current
            .take()
            .expect("serde asks for a key before its value");
        seed.deserialize(Folding(entry.value))
            .map_err(|failure| failure.within(entry.key))
    }
}
