//! The stages of G.711 do what an encoder and a decoder of sound and a packetizer must.

use millstream_codec_g711::{
    Decoder, Encoder, Law, MAX_PAYLOAD, Packetizer, PacketizerOptions, decoder, encoder, packetizer,
};
use millstream_core::options::{Table, Value};
use millstream_testkit::{conformance, examples};

const LAWS: [Law; 2] = [Law::Mu, Law::A];

#[test]
fn the_encoders_conform() {
    for law in LAWS {
        for sound in [(8_000, 1), (8_000, 2), (48_000, 1), (48_000, 2)] {
            conformance::audio_encoder(law.codec(), sound, || Encoder::new(law));
        }
    }
}

#[test]
fn the_decoder_of_mu_law_conforms() {
    conformance::audio_decoder(Law::Mu.codec(), || Decoder::new(Law::Mu), || Encoder::new(Law::Mu));
}

#[test]
fn the_decoder_of_a_law_conforms() {
    conformance::audio_decoder(Law::A.codec(), || Decoder::new(Law::A), || Encoder::new(Law::A));
}

#[test]
fn the_packetizers_conform() {
    for law in LAWS {
        let make = || Packetizer::new(law, PacketizerOptions::default());
        let frame = |size: usize| examples::frame(law.codec(), size.min(MAX_PAYLOAD), 0);
        conformance::packetizer(law.codec(), MAX_PAYLOAD, make, frame);
    }
}

#[test]
fn their_options_conform() {
    let seed = Table::from([("seed".to_owned(), Value::Integer(7))]);
    for law in LAWS {
        conformance::options(&encoder(law), &[Table::new()], &[]);
        conformance::options(&decoder(law), &[Table::new()], &[]);
        conformance::options(&packetizer(law), &[Table::new(), seed.clone()], &[("seed", Value::Integer(-1))]);
        for descriptor in [encoder(law), decoder(law), packetizer(law)] {
            conformance::documentation(&descriptor);
        }
    }
}
