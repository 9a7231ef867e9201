//! What the options of a stage type must do, and how they are described.

use millstream_core::descriptor::{Input, Output};
use millstream_core::options::{Problem, Table, Value};
use millstream_core::{Accepts, Clock, Descriptor, Format, Joined, Media, OPUS, VP8};

use super::rule::{Seen, ensure, must};

/// Says that the options of `descriptor` are read and refused as they should be: each table of `good` is read,
/// and each value of `bad` in place of the one in the first good table is refused, when it is read or when the
/// stage is built, with words that name its key.
///
/// # Panics
/// If they are not.
#[track_caller]
pub fn options(descriptor: &Descriptor, good: &[Table], bad: &[(&str, Value)]) {
    let keys = descriptor.option_keys();
    must("the schema of options describes every key, and keys are written like-this", || {
        let schema = descriptor.schema().to_value();
        for key in &keys {
            let words = schema["properties"][key]["description"].as_str().unwrap_or_default();
            ensure(!words.trim().is_empty(), || format!("no description of `{key}`"))?;
            ensure(is_kebab(key), || format!("the key `{key}`"))?;
        }
        Ok(())
    });
    must("good options are read, and the schema lists them", || {
        for table in good {
            descriptor.read(table.clone()).map(drop).map_err(|problems| format!("{problems:?} at {table:?}"))?;
            let unlisted = table.keys().find(|key| !keys.contains(key));
            ensure(unlisted.is_none(), || {
                format!("`{}`, which the schema lacks", unlisted.map_or("", String::as_str))
            })?;
        }
        Ok(())
    });
    let base = good.first().cloned().unwrap_or_default();
    must("an option that nobody knows is refused by its name, with those there are", || {
        let unknown = "no-such-option".to_owned();
        let mut table = base.clone();
        table.insert(unknown.clone(), Value::Bool(true));
        let Err(problems) = descriptor.read(table) else { return Err("it was taken".to_owned()) };
        let named = |problem: &Problem| match problem {
            Problem::UnknownKey { key, expected } => *key == unknown && expected.len() >= keys.len(),
            _ => false,
        };
        ensure(problems.iter().any(named), || format!("{problems:?}"))
    });
    must("an option of a wrong value is refused with a reason that names its key", || {
        for (key, value) in bad {
            let mut table = base.clone();
            table.insert((*key).to_owned(), value.clone());
            refused(descriptor, table, key).map_err(|seen| format!("{seen}, for {value:?} at `{key}`"))?;
        }
        Ok(())
    });
}

/// Says that `descriptor` is described as all are: a name written like-this, and one line that starts with a
/// capital letter and ends without a full stop.
///
/// # Panics
/// If it is not.
#[track_caller]
pub fn documentation(descriptor: &Descriptor) {
    must("the name of a stage type is written like-this", || {
        ensure(is_kebab(descriptor.name()), || format!("`{}`", descriptor.name()))
    });
    must("a stage type says in one line what it does, from a capital letter on and without a full stop", || {
        let doc = descriptor.doc();
        let starts = doc.starts_with(char::is_uppercase);
        ensure(starts && !doc.ends_with('.') && !doc.contains('\n'), || format!("`{doc}` ({})", descriptor.name()))
    });
}

/// Lower case, digits, and single hyphens in between.
fn is_kebab(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.split('-').all(part)
}

fn refused(descriptor: &Descriptor, table: Table, wrong: &str) -> Seen {
    let build = match descriptor.read(table) {
        Err(problems) => {
            let reason = problems.iter().any(|problem| match problem {
                Problem::BadValue { key, message } => key == wrong && message.len() > 10,
                Problem::UnknownKey { key, .. } => key == wrong,
                Problem::MissingKey { .. } => false,
            });
            return ensure(reason, || format!("{problems:?}"));
        }
        Ok(build) => build,
    };
    let (clock, _) = Clock::manual();
    let inputs: Vec<(&str, Format)> = descriptor.inputs().iter().map(joined).collect();
    let outputs: Vec<&str> = descriptor.outputs().iter().map(|Output { name, .. }| *name).collect();
    match build(&mut Joined::new("tested", &clock, &inputs, &outputs)) {
        Ok(_) => Err("it was taken, and a stage built".to_owned()),
        Err(error) => ensure(error.to_string().contains(&format!("`{wrong}`")), || format!("the error `{error}`")),
    }
}

/// What an input might be joined to.
fn joined(input: &Input) -> (&'static str, Format) {
    let format = match &input.accepts {
        Accepts::Only(format) => format.clone(),
        Accepts::Packets(Media::Audio) => Format::Packets(OPUS),
        Accepts::Packets(Media::Video) => Format::Packets(VP8),
        _ => Format::Video,
    };
    (input.key, format)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::rule::tests::fails;
    use millstream_core::units::Span;
    use millstream_core::{AudioFrame, Error, Out, Result, Worker};
    use schemars::JsonSchema;
    use serde::Deserialize;

    /// Options that are right.
    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
    #[derive(Default)]
    struct Right {
        /// How long it takes.
        max_delay: Option<Span>,
        /// How often.
        times: u8,
    }

    #[derive(Default, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Wrong {
        max_delay: Option<Span>,
    }

    fn pass(block: AudioFrame, out: &mut Out<AudioFrame>) -> Result<()> {
        out.push(block);
        Ok(())
    }

    fn describe(doc: &'static str) -> millstream_core::descriptor::Unbuilt {
        Descriptor::stage("pass-on", doc, Format::Audio, Format::Audio)
    }

    fn right() -> Descriptor {
        describe("Passes sound on").build(|options: Right, _| {
            if options.times > 3 {
                return Err(Error::config(format!("`times` is {}; 3 is the most", options.times)));
            }
            Ok(Worker::stage(pass))
        })
    }

    fn table(key: &str, value: Value) -> Table {
        Table::from([(key.to_owned(), value)])
    }

    #[test]
    fn right_options_pass_and_each_fault_is_found() {
        let text = |text: &str| Value::Text(text.to_owned());
        let good = [Table::new(), table("max-delay", text("20 ms")), table("times", Value::Integer(3))];
        let bad = [("max-delay", text("20")), ("max-delay", Value::Bool(true)), ("times", Value::Integer(4))];
        options(&right(), &good, &bad);
        fails("good options are read", || options(&right(), &[table("times", Value::Integer(300))], &[]));
        fails("Seen: it was taken, and a stage built, for Integer(2) at `times`", || {
            options(&right(), &good, &[("times", Value::Integer(2))]);
        });
        let wrong = describe("Passes").build(|_: Wrong, _| Ok(Worker::stage(pass)));
        fails("Seen: no description of `max_delay`", || options(&wrong, &[], &[]));
    }

    #[test]
    fn words_that_are_not_like_the_others_are_found() {
        documentation(&right());
        for doc in ["passes", "Passes.", "", "Passes\non"] {
            fails("(pass-on)", || documentation(&describe(doc).build(|_: Right, _| Ok(Worker::stage(pass)))));
        }
    }
}
