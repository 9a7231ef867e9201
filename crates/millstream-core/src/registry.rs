//! The stage types that a program knows, by name. A registry is a value that you pass in; nothing registers itself.

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
    /// An empty registry.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Adds a stage type. It replaces one of the same name, so a program can replace any of ours.
    pub fn add(&mut self, descriptor: Descriptor) {
        self.missing.remove(descriptor.name());
        self.types.insert(descriptor.name(), descriptor);
    }

    /// Notes that the stage type `name` exists but is not in this build, because the cargo feature `feature` is off: a
    /// pipeline that uses it is refused with that hint. Does nothing if the type is there.
    pub fn add_missing(&mut self, name: &'static str, feature: &'static str) {
        if !self.types.contains_key(name) {
            self.missing.insert(name, feature);
        }
    }

    /// The stage type `name`.
    pub fn find(&self, name: &str) -> Option<&Descriptor> {
        self.types.get(name)
    }

    /// The cargo feature that the stage type `name` needs, if it is not in this build.
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
