// SPDX-License-Identifier: Apache-2.0
//! A network configuration list as a runtime reads it, and what the runtime makes of it for one
//! plugin: specification 1.1.0, section 1 and "Deriving execution configuration from plugin
//! configuration".

use serde_json::{Map, Value, json};

/// A conflist.
#[derive(Clone, Debug)]
pub struct Network {
    list: Map<String, Value>,
}

impl Network {
    /// A conflist, or the configuration of a single plugin, which becomes a list of one.
    ///
    /// # Panics
    /// When it is neither.
    pub fn new(configuration: Value) -> Self {
        let Value::Object(mut list) = configuration else {
            panic!("not an object")
        };
        if !list.contains_key("plugins") {
            let inherited = ["cniVersion", "name"].map(|key| (key.to_owned(), list[key].clone()));
            let plugin = Value::Object(list);
            list = Map::from_iter(inherited);
            list.insert("plugins".to_owned(), json!([plugin]));
        }
        Self { list }
    }

    /// As [`Network::new`], from the text of a file.
    ///
    /// # Panics
    /// When it is not a JSON object.
    pub fn parse(text: &str) -> Self {
        Self::new(serde_json::from_str(text).expect("a network configuration is JSON"))
    }

    /// The same network with one more plugin after the others.
    ///
    /// # Panics
    /// When it has no list of plugins.
    #[must_use]
    pub fn followed_by(&self, plugin: Value) -> Self {
        let mut list = self.list.clone();
        let plugins = list["plugins"].as_array_mut();
        plugins
            .expect("a network has a list of plugins")
            .push(plugin);
        Self { list }
    }

    /// The same network with other values for some keys of the plugin at `index`; a key with
    /// `null` is taken out.
    ///
    /// # Panics
    /// When `keys` is not an object, or there is no such plugin.
    #[must_use]
    pub fn with_at(&self, index: usize, keys: &Value) -> Self {
        let mut list = self.list.clone();
        let plugin = list["plugins"][index].as_object_mut();
        let plugin = plugin.expect("a plugin's configuration is an object");
        for (key, value) in keys.as_object().expect("keys are an object") {
            plugin.insert(key.clone(), value.clone());
        }
        plugin.retain(|_, value| !value.is_null());
        Self { list }
    }

    /// The network's name.
    ///
    /// # Panics
    /// When it has none.
    pub fn name(&self) -> &str {
        self.list["name"].as_str().expect("a network has a name")
    }

    /// The version of the protocol that it is written in.
    ///
    /// # Panics
    /// When it has none.
    pub fn version(&self) -> &str {
        self.list["cniVersion"]
            .as_str()
            .expect("a network has a version")
    }

    /// The conflist as text.
    pub fn text(&self) -> String {
        Value::from(self.list.clone()).to_string()
    }

    /// The plugins' configurations in order, as the list has them.
    pub(crate) fn plugins(&self) -> &[Value] {
        self.list["plugins"]
            .as_array()
            .expect("a network has a list of plugins")
    }

    /// What one plugin reads: its part of the list, the list's name and version, and of the
    /// runtime's arguments those of which the plugin says that it is capable.
    pub(crate) fn configuration(&self, plugin: &Value, arguments: &Map<String, Value>) -> Value {
        let mut configuration = plugin.clone();
        for key in ["cniVersion", "name"] {
            configuration[key] = self.list[key].clone();
        }
        let capable = |name: &String| plugin["capabilities"][name] == json!(true);
        let given = arguments.iter().filter(|(name, _)| capable(name));
        let given: Map<_, _> = given
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if !given.is_empty() {
            configuration["runtimeConfig"] = given.into();
        }
        configuration
    }
}
