//! What a viewer has to show before it is let in.

use std::fmt;

use axum::http::{HeaderMap, header};
use schemars::JsonSchema;
use serde::Deserialize;
use subtle::ConstantTimeEq;

use crate::random;

/// Fewer characters are too few to stand against guessing: 16 of base64 are 96 bits.
const SHORTEST: usize = 16;

/// A bearer token (RFC 6750): at least 16 letters, digits and `-._~+/`, and `=` at its end.
///
/// No log and no error shows it.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Token(String);

impl Token {
    /// One that nobody has seen yet, of 128 bits.
    pub fn random() -> Token {
        Token(random::name())
    }

    /// Its characters, to be told to whom it lets in.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// Whether a request shows it. How much of a wrong one is right does not show in the time.
    pub(crate) fn is_shown(&self, headers: &HeaderMap) -> Shown {
        let Some(value) = headers.get(header::AUTHORIZATION) else { return Shown::None };
        let shown = match value.as_bytes().split_at_checked(7) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"Bearer ") => token.trim_ascii(),
            _ => return Shown::None,
        };
        if bool::from(shown.ct_eq(self.0.as_bytes())) { Shown::This } else { Shown::Another }
    }
}

/// What a request shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    This,
    Another,
    None,
}

impl TryFrom<String> for Token {
    type Error = String;
    fn try_from(text: String) -> Result<Token, String> {
        // RFC 6750, section 2.1: b64token.
        let body = text.trim_end_matches('=');
        let good = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
        if body.len() >= SHORTEST && body.chars().all(good) {
            return Ok(Token(text));
        }
        Err(format!(
            "expected at least {SHORTEST} letters, digits or any of `-._~+/` (RFC 6750), such as `openssl rand -hex 16` \
             prints; found {} characters that will not do",
            text.chars().count()
        ))
    }
}

// By hand, so that no log shows it.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn tokens_are_long_and_never_repeated_in_words() {
        for good in ["0123456789abcdef", "aZ0-._~+/aZ0-._~+/==", &Token::random().0] {
            assert_eq!(Token::try_from(good.to_owned()).unwrap().secret(), good);
        }
        for bad in ["", "short", "0123456789abcde=", "0123456789 abcdef", "0123=456789abcdef", "0123456789abcdefé"] {
            let words = Token::try_from(bad.to_owned()).unwrap_err();
            assert!(words.contains("at least 16") && (bad.is_empty() || !words.contains(bad)), "{words}");
        }
        assert_eq!(format!("{:?}", Token::random()), "Token(…)");
    }

    #[test]
    fn only_the_whole_token_is_it() {
        let token = Token::try_from("0123456789abcdef".to_owned()).unwrap();
        for (value, shown) in [
            ("Bearer 0123456789abcdef", Shown::This),
            ("bearer  0123456789abcdef", Shown::This),
            ("Bearer 0123456789abcde", Shown::Another),
            ("Bearer 0123456789abcdeg", Shown::Another),
            ("Bearer 0123456789abcdef0", Shown::Another),
            ("Bearer ", Shown::Another),
            ("Basic 0123456789abcdef", Shown::None),
            ("0123456789abcdef", Shown::None),
        ] {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
            assert_eq!(token.is_shown(&headers), shown, "{value}");
        }
        assert_eq!(token.is_shown(&HeaderMap::new()), Shown::None);
    }
}
