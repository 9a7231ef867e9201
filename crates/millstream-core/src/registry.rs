//! The stage types that a program knows, by name. A value that you pass in; nothing registers itself.

use std::collections::BTreeMap;

use crate::descriptor::Descriptor;
use crate::device::Devices;

/// The stage types that a program knows.
///
/// A plug-in exports one function `register(&mut Registry)`.
#[derive(Default)]
pub struct Registry {
    types: BTreeMap<&'static str, Descriptor>,
    missing: BTreeMap<&'static str, &'static str>,
    devices: Vec<Devices>,
}

impl Registry {
    /// A registry that knows nothing.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Adds a stage type. One of the same name gives way, so that a program can replace any of ours.
    pub fn add(&mut self, descriptor: Descriptor) {
        self.missing.remove(descriptor.name());
        self.types.insert(descriptor.name(), descriptor);
    }

    /// Says that the stage type `name` exists but was built without, in the cargo feature `feature`,
    /// so that it can be refused by name. Does nothing if it is there.
    pub fn add_missing(&mut self, name: &'static str, feature: &'static str) {
        if !self.types.contains_key(name) {
            self.missing.insert(name, feature);
        }
    }

    /// The stage type `name`.
    pub fn find(&self, name: &str) -> Option<&Descriptor> {
        self.types.get(name)
    }

    /// The cargo feature that would bring the stage type `name`, if it was built without.
    pub fn missing_feature(&self, name: &str) -> Option<&'static str> {
        self.missing.get(name).copied()
    }

    /// Adds devices that a stage type opens, so that people can see which there are.
    pub fn add_devices(&mut self, devices: Devices) {
        self.devices.push(devices);
    }

    /// The devices of all stage types that open some, in the order they were added.
    pub fn devices(&self) -> impl Iterator<Item = &Devices> {
        self.devices.iter()
    }

    /// All stage types, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Descriptor> {
        self.types.values()
    }
}
