//! HTTPS.

use std::io::{Read, Write};
use std::sync::Arc;

use millstream_core::options::Value;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::page;

#[test]
fn a_given_certificate_makes_it_https() {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = std::env::temp_dir().join(format!("millstream-page-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let path = |path: &std::path::Path| Value::Text(path.display().to_string());
    let page = page(&[("certificate", path(&certificate)), ("key", path(&key))]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(page.notice, format!("https://{}/", page.address));

    let mut roots = RootCertStore::empty();
    roots.add(pair.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(client, page.connect());
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = vec![0; 15];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, b"HTTP/1.1 200 OK");

    // Who speaks plain HTTP, or hangs up in the midst of a handshake, hurts nobody.
    let mut plain = page.connect();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    plain.read_to_end(&mut rest).ok();
    assert!(!rest.starts_with(b"HTTP"), "{rest:?}");
}
