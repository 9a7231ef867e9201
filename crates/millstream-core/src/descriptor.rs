//! What a stage type is, without building it. Everything that checks, draws or documents a pipeline reads this.

use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::format::{Accepts, Format};
use crate::known::{Known, Sound, SoundTaken};
use crate::options::{self, Problem, Table};
use crate::time::Clock;
use crate::worker::Worker;

/// What kind of stage a type is. Exhaustive: there are no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// It has outputs only.
    Source,
    /// It has inputs and outputs.
    Stage,
    /// It has inputs only.
    Sink,
    /// It has several inputs or outputs that share one thing inside, such as a connection.
    Bundle,
}

/// How a runner hosts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Weight {
    /// It takes microseconds, and runs in its producer's thread, without a queue between them.
    Light,
    /// It computes, and has a thread of its own.
    Heavy,
}

/// One input of a stage type.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Input {
    /// The key people write.
    pub key: &'static str,
    /// What it takes.
    pub accepts: Accepts,
    /// Whether it may be left unjoined.
    pub optional: bool,
    /// Whether it takes any number of outputs, a list in TOML: the stage then takes
    /// [`FromInput`](crate::FromInput), with inputs counted in the order in which they are written.
    pub many: bool,
    /// The raw sound that it takes, if it does not take any.
    pub sound: Option<SoundTaken>,
}

/// What an output gives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gives {
    /// This.
    Format(Format),
    /// What its only input gets.
    AsInput,
    /// What the options say: see [`Known::output`].
    FromOptions,
}

impl From<Format> for Gives {
    fn from(format: Format) -> Gives {
        Gives::Format(format)
    }
}

/// One output of a stage type.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Output {
    /// Its name behind the dot; empty where there is only one.
    pub name: &'static str,
    /// What it gives.
    pub gives: Gives,
}

/// Builds a worker once its joins are known.
pub type Factory = Box<dyn FnOnce(&mut Joined<'_>) -> Result<Worker>>;

/// Reads options, or returns everything that is wrong with them.
type Read = Box<dyn Fn(Table) -> Result<Factory, Vec<Problem>> + Send + Sync>;

/// Returns what follows from options before the stage is built.
type Know = Box<dyn Fn(Table) -> Known + Send + Sync>;

/// Returns the options with which a stage type converts `from` to sound nearer to `to`, and that sound. `None` if the
/// type cannot bring it nearer.
pub type Convert = fn(from: Sound, to: Sound) -> Option<(Table, Sound)>;

/// What a stage type is: its name, its ends, its options, and how it is built.
pub struct Descriptor {
    name: &'static str,
    doc: &'static str,
    place: Place,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    weight: Weight,
    blocking: bool,
    convert: Option<Convert>,
    schema: fn() -> Schema,
    read: Read,
    know: Know,
}

impl Descriptor {
    fn unbuilt(place: Place, name: &'static str, doc: &'static str) -> Unbuilt {
        Unbuilt(Descriptor {
            name,
            doc,
            place,
            inputs: Vec::new(),
            outputs: Vec::new(),
            weight: Weight::Heavy,
            blocking: false,
            convert: None,
            schema: || schemars::schema_for!(()),
            read: Box::new(|_| Err(Vec::new())),
            know: Box::new(|_| Known::default()),
        })
    }

    /// Describes a source that gives `gives`: a [`Format`], or what follows from its options.
    pub fn source(name: &'static str, doc: &'static str, gives: impl Into<Gives>) -> Unbuilt {
        Descriptor::unbuilt(Place::Source, name, doc).output("", gives)
    }

    /// Describes a stage with one input under the key `input`, and one output.
    pub fn stage(name: &'static str, doc: &'static str, takes: impl Into<Accepts>, gives: impl Into<Gives>) -> Unbuilt {
        Descriptor::unbuilt(Place::Stage, name, doc).input("input", takes).output("", gives)
    }

    /// Describes a sink with one input under the key `input`.
    pub fn sink(name: &'static str, doc: &'static str, takes: impl Into<Accepts>) -> Unbuilt {
        Descriptor::unbuilt(Place::Sink, name, doc).input("input", takes)
    }

    /// Describes a bundle; its ends are added one by one.
    pub fn bundle(name: &'static str, doc: &'static str) -> Unbuilt {
        Descriptor::unbuilt(Place::Bundle, name, doc)
    }

    /// Its name: what `type` is in TOML.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it does, in one line.
    pub fn doc(&self) -> &'static str {
        self.doc
    }

    /// What kind of stage it is.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Its inputs.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Its outputs.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// How a runner hosts it.
    pub fn weight(&self) -> Weight {
        self.weight
    }

    /// Whether it blocks in a driver, so that it cannot run in virtual time.
    pub fn blocking(&self) -> bool {
        self.blocking
    }

    /// The JSON schema of its options: keys, units, ranges, defaults, documentation.
    pub fn schema(&self) -> Schema {
        (self.schema)()
    }

    /// The keys of its options.
    pub fn option_keys(&self) -> Vec<String> {
        let schema = self.schema();
        let properties = schema.get("properties").and_then(|properties| properties.as_object());
        properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
    }

    /// Reads `table` as its options: what builds it, or everything that is wrong.
    pub fn read(&self, table: Table) -> Result<Factory, Vec<Problem>> {
        (self.read)(table)
    }

    /// What is known of a stage with the options `table` before it is built; nothing if they are wrong. This may read
    /// the header of a file.
    pub fn known(&self, table: Table) -> Known {
        (self.know)(table)
    }

    /// How it converts sound, if that is what it is for.
    pub fn convert(&self) -> Option<Convert> {
        self.convert
    }
}

/// A [`Descriptor`] that still lacks its options.
pub struct Unbuilt(Descriptor);

impl Unbuilt {
    /// Adds an input that may be left unjoined.
    #[must_use]
    pub fn optional_input(mut self, key: &'static str, accepts: impl Into<Accepts>) -> Unbuilt {
        self.0.inputs.push(Input { key, accepts: accepts.into(), optional: true, many: false, sound: None });
        self
    }

    /// Adds an input.
    #[must_use]
    pub fn input(mut self, key: &'static str, accepts: impl Into<Accepts>) -> Unbuilt {
        self.0.inputs.push(Input { key, accepts: accepts.into(), optional: false, many: false, sound: None });
        self
    }

    /// The input added last takes any number of outputs.
    #[must_use]
    pub fn many(mut self) -> Unbuilt {
        if let Some(input) = self.0.inputs.last_mut() {
            input.many = true;
        }
        self
    }

    /// The input added last takes only such sound.
    #[must_use]
    pub fn taking(mut self, sound: SoundTaken) -> Unbuilt {
        if let Some(input) = self.0.inputs.last_mut() {
            input.sound = Some(sound);
        }
        self
    }

    /// It converts sound. Where a declared pipeline joins sound to an input that does not take it, or may not, a
    /// stage of this type may be inserted. It offers itself only for sound that it takes.
    #[must_use]
    pub fn converting(mut self, convert: Convert) -> Unbuilt {
        self.0.convert = Some(convert);
        self
    }

    /// Adds an output.
    #[must_use]
    pub fn output(mut self, name: &'static str, gives: impl Into<Gives>) -> Unbuilt {
        self.0.outputs.push(Output { name, gives: gives.into() });
        self
    }

    /// It takes microseconds and runs in its producer's thread.
    #[must_use]
    pub fn light(mut self) -> Unbuilt {
        self.0.weight = Weight::Light;
        self
    }

    /// It blocks in a driver.
    #[must_use]
    pub fn blocking(mut self) -> Unbuilt {
        self.0.blocking = true;
        self
    }

    /// Its options are an `O`, and `build` makes a worker from them. Options are read and checked before anything is
    /// built.
    pub fn build<O, F>(self, build: F) -> Descriptor
    where
        O: DeserializeOwned + JsonSchema + 'static,
        F: Fn(O, &mut Joined<'_>) -> Result<Worker> + Clone + Send + Sync + 'static,
    {
        self.knowing(|_: &O| Known::default(), build)
    }

    /// The same, and `know` says what is known from the options alone: which files it uses, what it gives.
    pub fn knowing<O, K, F>(mut self, know: K, build: F) -> Descriptor
    where
        O: DeserializeOwned + JsonSchema + 'static,
        K: Fn(&O) -> Known + Send + Sync + 'static,
        F: Fn(O, &mut Joined<'_>) -> Result<Worker> + Clone + Send + Sync + 'static,
    {
        self.0.know = Box::new(move |table| options::read(table).as_ref().map(&know).unwrap_or_default());
        self.0.schema = || schemars::schema_for!(O);
        self.0.read = Box::new(move |table| {
            let options: O = options::read(table)?;
            let build = build.clone();
            Ok(Box::new(move |joined: &mut Joined<'_>| build(options, joined)))
        });
        self.0
    }
}

/// What a build function knows: the stage's name, what is joined to it, and the pipeline's clock.
#[derive(Debug)]
pub struct Joined<'a> {
    name: &'a str,
    clock: &'a Clock,
    inputs: &'a [(&'a str, Format)],
    outputs: &'a [&'a str],
    notices: Vec<String>,
}

impl<'a> Joined<'a> {
    /// For the stage `name` with these joined inputs by key, and joined outputs by name.
    pub fn new(name: &'a str, clock: &'a Clock, inputs: &'a [(&'a str, Format)], outputs: &'a [&'a str]) -> Self {
        Joined { name, clock, inputs, outputs, notices: Vec::new() }
    }

    /// The stage's own name.
    pub fn name(&self) -> &str {
        self.name
    }

    /// The pipeline's clock.
    pub fn clock(&self) -> &Clock {
        self.clock
    }

    /// What flows into the input `key`, if it is joined.
    pub fn input(&self, key: &str) -> Option<&Format> {
        self.inputs.iter().find(|(joined, _)| *joined == key).map(|(_, format)| format)
    }

    /// How many outputs are joined to the input `key`.
    pub fn count(&self, key: &str) -> usize {
        self.inputs.iter().filter(|(joined, _)| *joined == key).count()
    }

    /// Whether the output `name` is joined.
    pub fn output(&self, name: &str) -> bool {
        self.outputs.contains(&name)
    }

    /// Reports something to the person who runs the pipeline: what was chosen, at which address to look.
    pub fn notice(&mut self, notice: impl Into<String>) {
        self.notices.push(notice.into());
    }

    /// All notices, in order. For the runner.
    pub fn into_notices(self) -> Vec<String> {
        self.notices
    }
}
