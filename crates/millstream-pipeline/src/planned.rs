//! Builds a checked plan with the same builder that typed Rust uses.
//!
//! A bundle is built before the stages that feed it when they take from it. Its sinks are therefore
//! added first and joined as soon as their producers exist.

use millstream_core::descriptor::{Joined, Weight};
use millstream_core::worker::{AnySink, AnySource, AnyStage, StageFrom};
use millstream_core::{
    AudioFrame, EncodedFrame, Error, Format, FromInput, Item, Result, RtpPackets, VideoFrame, Worker,
};

use crate::declare::{LinkChoice, Plan, PlannedInput, PlannedStage};
use crate::many::Inputs;
use crate::pipeline::{Join, Output, Pipeline, SinkEnd, default_link};

/// The outputs of one stage, in the order of its descriptor; one that nobody takes does not exist.
type AnyOutputs = Vec<Option<AnyOutput>>;

/// An output whose type is known only now.
enum AnyOutput {
    Video(Output<VideoFrame>),
    Audio(Output<AudioFrame>),
    Encoded(Output<EncodedFrame>),
    Packets(Output<RtpPackets>),
}

/// The sink of a bundle, whose type is known only now.
enum AnySinkEnd {
    Video(SinkEnd<VideoFrame>),
    Audio(SinkEnd<AudioFrame>),
    Encoded(SinkEnd<EncodedFrame>),
    Packets(SinkEnd<RtpPackets>),
}

/// The sink of a bundle that waits for its producer to be built.
struct Unjoined {
    bundle: String,
    end: AnySinkEnd,
    input: PlannedInput,
    own_thread: bool,
}

/// A kind of item, as found in an output.
trait Taken: Item {
    fn of(output: &AnyOutput) -> Option<&Output<Self>>;
}

macro_rules! taken {
    ($($item:ident $variant:ident),*) => {$(
        impl Taken for $item {
            fn of(output: &AnyOutput) -> Option<&Output<Self>> {
                match output {
                    AnyOutput::$variant(output) => Some(output),
                    _ => None,
                }
            }
        }
    )*};
}

taken!(VideoFrame Video, AudioFrame Audio, EncodedFrame Encoded, RtpPackets Packets);

impl Pipeline {
    /// Builds and joins what `plan` declares. Devices and ports are opened here.
    ///
    /// # Errors
    /// What the stage that could not be built says, with its name.
    pub fn add(&mut self, plan: Plan) -> Result<()> {
        for note in &plan.notes {
            let lines: Vec<_> =
                std::iter::once(&note.diagnostic.message).chain(&note.diagnostic.help).map(String::as_str).collect();
            self.add_notices(&note.stage, vec![lines.join("; ")]);
        }
        self.declare(plan.outline());
        let mut outputs: Vec<AnyOutputs> = Vec::with_capacity(plan.stages.len());
        let given: Vec<Vec<&'static str>> = plan
            .stages
            .iter()
            .map(|stage| stage.outputs.iter().filter(|output| output.used).map(|output| output.name).collect())
            .collect();
        let mut unjoined: Vec<Unjoined> = Vec::new();
        for (stage, given) in plan.stages.into_iter().zip(&given) {
            let (name, on_failure) = (stage.name.clone(), stage.on_failure);
            let ends: Vec<&'static str> = stage.outputs.iter().map(|output| output.name).collect();
            let built =
                self.add_planned(stage, given, &outputs, &mut unjoined).map_err(|error| error.in_stage(&name))?;
            self.set_on_failure(&name, on_failure);
            for (end, output) in ends.iter().zip(&built) {
                let name = if end.is_empty() { name.clone() } else { format!("{name}.{end}") };
                match output {
                    Some(AnyOutput::Video(output)) => self.keep(name, output),
                    Some(AnyOutput::Audio(output)) => self.keep(name, output),
                    Some(AnyOutput::Encoded(output)) => self.keep(name, output),
                    Some(AnyOutput::Packets(output)) => self.keep(name, output),
                    None => {}
                }
            }
            outputs.push(built);
            for end in unjoined.extract_if(.., |end| end.input.from < outputs.len()) {
                let bundle = end.bundle.clone();
                self.join_planned(end, &outputs).map_err(|error| error.in_stage(&bundle))?;
            }
        }
        Ok(())
    }

    fn add_planned(
        &mut self,
        stage: PlannedStage,
        given: &[&str],
        outputs: &[AnyOutputs],
        unjoined: &mut Vec<Unjoined>,
    ) -> Result<AnyOutputs> {
        let PlannedStage { name, weight, blocking, factory, inputs, outputs: planned, .. } = stage;
        let formats: Vec<(&str, Format)> = inputs.iter().map(|input| (input.key, input.format.clone())).collect();
        let clock = self.clock().clone();
        let mut joined = Joined::new(&name, &clock, &formats, given);
        let worker = factory(&mut joined)?;
        let notices = joined.into_notices();
        self.add_notices(&name, notices);
        let own_thread = |input: &PlannedInput| weight == Weight::Heavy || input.link.is_some();
        match worker {
            Worker::Stage(
                stage @ (AnyStage::ManyVideo(_)
                | AnyStage::ManyAudio(_)
                | AnyStage::ManyEncoded(_)
                | AnyStage::ManyPackets(_)),
            ) => self.add_any_many_stage(&name, stage, &inputs, outputs),
            Worker::Sink(
                sink @ (AnySink::ManyVideo(_)
                | AnySink::ManyAudio(_)
                | AnySink::ManyEncoded(_)
                | AnySink::ManyPackets(_)),
            ) => self.add_any_many_sink(&name, sink, &inputs, outputs).map(|()| Vec::new()),
            Worker::Source(source) => Ok(vec![Some(self.add_any_source(&name, source, blocking))]),
            Worker::Stage(stage) => {
                let input = only(&inputs)?;
                let output = find(outputs, input)?;
                Ok(vec![Some(self.add_any_stage(&name, output, input.link, stage, own_thread(input))?)])
            }
            Worker::Sink(sink) => {
                let input = only(&inputs)?;
                let end = self.add_any_sink_end(&name, sink)?;
                let own_thread = own_thread(input);
                self.join_planned(Unjoined { bundle: name, end, input: input.clone(), own_thread }, outputs)?;
                Ok(Vec::new())
            }
            Worker::Bundle(bundle) => {
                if let Some(driver) = bundle.driver {
                    self.add_driver(&name, driver);
                }
                for (key, sink) in bundle.sinks {
                    let input = inputs.iter().find(|input| input.key == key);
                    let input =
                        input.ok_or_else(|| unlike(format!("it built the end `{key}`, which is not joined")))?;
                    // What stands under the plain key is the stage itself, as of any other sink. Statistics and events
                    // call an output as TOML does; an input of the same name stands aside.
                    let end = match key {
                        "input" => name.clone(),
                        key if planned.iter().any(|output| output.name == key) => format!("{name}.{key}-in"),
                        key => format!("{name}.{key}"),
                    };
                    let end = self.add_any_sink_end(&end, sink)?;
                    let (bundle, own_thread) = (name.clone(), own_thread(input));
                    unjoined.push(Unjoined { bundle, end, input: input.clone(), own_thread });
                }
                let mut built = Vec::new();
                let mut sources = bundle.sources;
                for output in &planned {
                    if !output.used {
                        built.push(None);
                        continue;
                    }
                    let place = sources.iter().position(|(end, _)| *end == output.name);
                    let place = place.ok_or_else(|| unlike(format!("it did not build its end `{}`", output.name)))?;
                    let (end, source) = sources.swap_remove(place);
                    built.push(Some(self.add_any_source(&format!("{name}.{end}"), source, blocking)));
                }
                Ok(built)
            }
        }
    }

    fn add_any_sink_end(&mut self, name: &str, sink: AnySink) -> Result<AnySinkEnd> {
        Ok(match sink {
            AnySink::Video(sink) => AnySinkEnd::Video(self.add_sink_end(name, sink)),
            AnySink::Audio(sink) => AnySinkEnd::Audio(self.add_sink_end(name, sink)),
            AnySink::Encoded(sink) => AnySinkEnd::Encoded(self.add_sink_end(name, sink)),
            AnySink::Packets(sink) => AnySinkEnd::Packets(self.add_sink_end(name, sink)),
            _ => return Err(unlike("an end of it takes several inputs".to_owned())),
        })
    }

    fn join_planned(&mut self, unjoined: Unjoined, outputs: &[AnyOutputs]) -> Result<()> {
        let Unjoined { end, input, own_thread, .. } = unjoined;
        let output = find(outputs, &input)?;
        match end {
            AnySinkEnd::Video(end) => self.join_end_of(end, output, input.link, own_thread),
            AnySinkEnd::Audio(end) => self.join_end_of(end, output, input.link, own_thread),
            AnySinkEnd::Encoded(end) => self.join_end_of(end, output, input.link, own_thread),
            AnySinkEnd::Packets(end) => self.join_end_of(end, output, input.link, own_thread),
        }
    }

    fn join_end_of<T: Taken>(
        &mut self,
        end: SinkEnd<T>,
        output: &AnyOutput,
        link: Option<LinkChoice>,
        own_thread: bool,
    ) -> Result<()> {
        let output = T::of(output).ok_or_else(|| unlike("it takes another kind of item".to_owned()))?;
        self.join_sink_end(end, join(output, link), own_thread);
        Ok(())
    }

    fn add_any_source(&mut self, name: &str, source: AnySource, blocking: bool) -> AnyOutput {
        match source {
            AnySource::Video(source) => AnyOutput::Video(self.add_source(name, source, blocking)),
            AnySource::Audio(source) => AnyOutput::Audio(self.add_source(name, source, blocking)),
            AnySource::Encoded(source) => AnyOutput::Encoded(self.add_source(name, source, blocking)),
            AnySource::Packets(source) => AnyOutput::Packets(self.add_source(name, source, blocking)),
        }
    }

    fn add_any_stage(
        &mut self,
        name: &str,
        input: &AnyOutput,
        link: Option<LinkChoice>,
        stage: AnyStage,
        own_thread: bool,
    ) -> Result<AnyOutput> {
        match stage {
            AnyStage::Video(stage) => self.add_stage_from(name, input, link, stage, own_thread),
            AnyStage::Audio(stage) => self.add_stage_from(name, input, link, stage, own_thread),
            AnyStage::Encoded(stage) => self.add_stage_from(name, input, link, stage, own_thread),
            AnyStage::Packets(stage) => self.add_stage_from(name, input, link, stage, own_thread),
            _ => Err(unlike("it takes several inputs".to_owned())),
        }
    }

    fn add_stage_from<I: Taken>(
        &mut self,
        name: &str,
        input: &AnyOutput,
        link: Option<LinkChoice>,
        stage: StageFrom<I>,
        own_thread: bool,
    ) -> Result<AnyOutput> {
        let input = I::of(input).ok_or_else(|| unlike("it takes another kind of item".to_owned()))?;
        let input = join(input, link);
        Ok(match stage {
            StageFrom::Video(stage) => AnyOutput::Video(self.add_stage(name, input, stage, own_thread)),
            StageFrom::Audio(stage) => AnyOutput::Audio(self.add_stage(name, input, stage, own_thread)),
            StageFrom::Encoded(stage) => AnyOutput::Encoded(self.add_stage(name, input, stage, own_thread)),
            StageFrom::Packets(stage) => AnyOutput::Packets(self.add_stage(name, input, stage, own_thread)),
        })
    }

    fn add_any_many_stage(
        &mut self,
        name: &str,
        stage: AnyStage,
        inputs: &[PlannedInput],
        outputs: &[AnyOutputs],
    ) -> Result<AnyOutputs> {
        Ok(vec![Some(match stage {
            AnyStage::ManyVideo(stage) => self.add_many_stage_from(name, stage, inputs, outputs)?,
            AnyStage::ManyAudio(stage) => self.add_many_stage_from(name, stage, inputs, outputs)?,
            AnyStage::ManyEncoded(stage) => self.add_many_stage_from(name, stage, inputs, outputs)?,
            AnyStage::ManyPackets(stage) => self.add_many_stage_from(name, stage, inputs, outputs)?,
            _ => return Err(unlike("it takes one input".to_owned())),
        })])
    }

    fn add_many_stage_from<I: Taken>(
        &mut self,
        name: &str,
        stage: StageFrom<FromInput<I>>,
        inputs: &[PlannedInput],
        outputs: &[AnyOutputs],
    ) -> Result<AnyOutput> {
        let (ends, output) = match stage {
            StageFrom::Video(stage) => {
                let (ends, output) = self.add_many_stage(name, stage);
                (ends, AnyOutput::Video(output))
            }
            StageFrom::Audio(stage) => {
                let (ends, output) = self.add_many_stage(name, stage);
                (ends, AnyOutput::Audio(output))
            }
            StageFrom::Encoded(stage) => {
                let (ends, output) = self.add_many_stage(name, stage);
                (ends, AnyOutput::Encoded(output))
            }
            StageFrom::Packets(stage) => {
                let (ends, output) = self.add_many_stage(name, stage);
                (ends, AnyOutput::Packets(output))
            }
        };
        self.join_all(&ends, inputs, outputs)?;
        Ok(output)
    }

    fn add_any_many_sink(
        &mut self,
        name: &str,
        sink: AnySink,
        inputs: &[PlannedInput],
        outputs: &[AnyOutputs],
    ) -> Result<()> {
        match sink {
            AnySink::ManyVideo(sink) => {
                let ends = self.add_many_sink(name, sink);
                self.join_all(&ends, inputs, outputs)
            }
            AnySink::ManyAudio(sink) => {
                let ends = self.add_many_sink(name, sink);
                self.join_all(&ends, inputs, outputs)
            }
            AnySink::ManyEncoded(sink) => {
                let ends = self.add_many_sink(name, sink);
                self.join_all(&ends, inputs, outputs)
            }
            AnySink::ManyPackets(sink) => {
                let ends = self.add_many_sink(name, sink);
                self.join_all(&ends, inputs, outputs)
            }
            _ => Err(unlike("it takes one input".to_owned())),
        }
    }

    /// Joins all inputs in the order in which they are written.
    fn join_all<T: Taken>(&mut self, ends: &Inputs<T>, inputs: &[PlannedInput], outputs: &[AnyOutputs]) -> Result<()> {
        for input in inputs {
            let output = T::of(find(outputs, input)?);
            let output = output.ok_or_else(|| unlike("it takes another kind of item".to_owned()))?;
            self.join(ends, join(output, input.link));
        }
        Ok(())
    }
}

fn join<T: Item>(output: &Output<T>, choice: Option<LinkChoice>) -> Join<T> {
    match choice {
        None => Join::from(output),
        Some(choice) => output.through(default_link::<T>().choosing(choice.policy, choice.items, choice.max_age)),
    }
}

fn only(inputs: &[PlannedInput]) -> Result<&PlannedInput> {
    inputs.first().ok_or_else(|| unlike("it takes something, and nothing is joined to it".to_owned()))
}

fn find<'a>(outputs: &'a [AnyOutputs], input: &PlannedInput) -> Result<&'a AnyOutput> {
    let found = outputs.get(input.from).and_then(|outputs| outputs.get(input.output));
    found.and_then(Option::as_ref).ok_or_else(|| unlike("what feeds it gives nothing, or is built after it".to_owned()))
}

/// A stage type that does not keep what its descriptor says: a mistake in its code, not in the file.
fn unlike(what: String) -> Error {
    Error::fatal(format!("it is not as its descriptor says: {what}"))
}
