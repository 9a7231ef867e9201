//! How a page begins and ends.

use std::io::Read;
use std::net::TcpListener;

use millstream_core::options::{Table, Value};
use millstream_core::worker::AnySink;
use millstream_core::{Cx, Format, Timestamp, VP8};

use crate::client::{open, page};
use crate::samples::OFFER;
use millstream_testkit::engine::FakeEngine;

fn bind(address: &str) -> Table {
    Table::from([("bind".to_owned(), Value::Text(address.to_owned()))])
}

#[test]
fn a_port_in_use_is_said_with_what_to_do() {
    let page = page(&[]);
    let error = open(&FakeEngine::new(), bind(&page.address.to_string()), &[("video", Format::Packets(VP8))]);
    let error = error.err().expect("the port is taken").to_string();
    assert!(error.starts_with(&format!("{} is in use by another program", page.address)), "{error}");
    assert!(error.contains("--set page.bind=127.0.0.1:0"), "{error}");
}

#[test]
fn a_page_without_inputs_has_nothing_to_show() {
    let error = open(&FakeEngine::new(), bind("127.0.0.1:0"), &[]).err().expect("nothing is joined").to_string();
    assert!(error.contains("nothing to show"), "{error}");
}

#[test]
fn only_what_is_joined_is_an_end() {
    let page = open(&FakeEngine::new(), bind("127.0.0.1:0"), &[("video", Format::Packets(VP8))]).unwrap();
    assert_eq!(page.bundle.sinks.iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["video"]);
}

#[test]
fn the_last_end_takes_the_server_with_it() {
    let mut page = page(&[]);
    assert_eq!((page.offer(OFFER).status, page.offer(OFFER).status), (201, 201));
    let mut idle = page.connect();
    let mut sinks = page.sinks();
    drop(sinks.pop());
    assert_eq!(page.ask("GET", "/", &[], "").status, 200, "the picture is still there");

    // The other one finishes, and is not dropped yet.
    let (_, AnySink::Packets(sink)) = &mut sinks[0] else { panic!("it takes packets") };
    sink.finish(&mut Cx::at(Timestamp::ZERO)).unwrap();
    assert_eq!(page.fake.closed(), 2, "viewers were told before finish returned");
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0, "connections are closed");
    TcpListener::bind(page.address).expect("the port is free");
}

#[test]
fn dropping_both_ends_frees_the_port_for_the_next_run() {
    let mut first = page(&[]);
    assert_eq!(first.offer(OFFER).status, 201);
    drop(first.sinks());
    let again = open(&first.fake, bind(&first.address.to_string()), &[("video", Format::Packets(VP8))]).unwrap();
    assert_eq!((again.address, again.offer(OFFER).status), (first.address, 201));
}
