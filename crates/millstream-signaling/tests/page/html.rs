//! What people open.

use millstream_core::options::Value;

use crate::client::page;

#[test]
fn the_page_is_one_file_that_loads_nothing() {
    let page = page(&[]);
    assert_eq!(page.notice, format!("http://{}/", page.address));
    let answer = page.ask("GET", "/", &[], "");
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.header("content-security-policy").starts_with("default-src 'self'"));
    for part in ["prefers-color-scheme", "setHeaderExtensionsToNegotiate", "aria-live", "window.millstream"] {
        assert!(answer.body.contains(part), "{part}");
    }
    for elsewhere in ["src=\"http", "href=\"http", "@import", "/* page."] {
        assert!(!answer.body.contains(elsewhere), "{elsewhere}");
    }
    assert_eq!(page.ask("HEAD", "/", &[], "").body, "");
    let post = page.ask("POST", "/", &[], "");
    post.is_problem(405, "GET");
    assert_eq!(post.header("allow"), "GET, HEAD");
    page.ask("GET", "/favicon.ico", &[], "").is_problem(404, "nothing at /favicon.ico; the page is at /");
}

#[test]
fn it_can_be_below_a_path() {
    let page = page(&[("path", Value::Text("/garden/".to_owned()))]);
    assert_eq!(page.notice, format!("http://{}/garden/", page.address));
    for path in ["/garden", "/garden/"] {
        assert_eq!(page.ask("GET", path, &[], "").status, 200, "{path}");
    }
    assert!(
        page.ask("GET", "/garden/status", &[], "").body.starts_with("{\"viewers\":0,\"max-viewers\":100,\"since\":")
    );
    page.ask("GET", "/", &[], "").is_problem(404, "the page is at /garden/ and WHEP at /garden/whep");
    let answer = page.ask("POST", "/garden/whep", &[("Content-Type", "application/sdp")], crate::samples::OFFER);
    assert!(answer.header("location").starts_with("whep/"), "{answer:?}");
}
