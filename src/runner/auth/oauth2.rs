//! OAuth 2.0 client credentials.
//!
//! Source: RFC 6749, sections 2.3.1 and 4.4.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::canary::observation::HttpAnswer;
use crate::canary::secret::SecretText;
use crate::runner::probe::http::{HttpRequest, HttpRequestError, Sensitive};
use crate::time::Monotonic;

/// A token is renewed this long before it expires.
const RENEWED_BEFORE: Duration = Duration::from_secs(30);
/// How long a token without a lifetime is kept.
const LIFETIME_UNKNOWN: Duration = Duration::from_secs(300);
/// BOUND: tokens kept; the oldest ones go first.
const TOKENS_MAX: usize = 1000;

/// Who asks for which token. It has no `Debug`: it holds a secret.
pub(crate) struct TokenRequest {
    pub(crate) token_url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) scope: Option<String>,
    pub(crate) audience: Option<String>,
}

/// How the client says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientAuthentication {
    /// In a Basic header, which every server must take.
    Header,
    /// In the form, which some servers want instead.
    Form,
}

/// Why there is no token.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// The server said no.
    #[error("the token endpoint answered {status}{}", reason_text(.reason))]
    Refused {
        /// Its status.
        status: u16,
        /// Its `error`, a word of the standard.
        reason: Option<String>,
    },
    /// The server said yes, without a token.
    #[error("the token endpoint answered without an `access_token`")]
    NoToken,
}

impl TokenRequest {
    /// The request for a token.
    pub(crate) fn http(
        &self,
        authentication: ClientAuthentication,
    ) -> Result<HttpRequest, HttpRequestError> {
        let mut request = HttpRequest::new("POST", &self.token_url)?;
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        for (name, value) in [("scope", &self.scope), ("audience", &self.audience)] {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        match authentication {
            ClientAuthentication::Header => {
                let encoded = |text: &str| {
                    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let pair = format!("{}:{}", encoded(&self.client_id), encoded(&self.client_secret));
                let value = format!("Basic {}", STANDARD.encode(pair));
                request.header("authorization", &value, Sensitive::Yes)?;
            }
            ClientAuthentication::Form => {
                form.append_pair("client_id", &self.client_id);
                form.append_pair("client_secret", &self.client_secret);
            }
        }
        request.body = form.finish().into();
        let media_type = "application/x-www-form-urlencoded";
        request.header("content-type", media_type, Sensitive::No)?;
        request.header("accept", "application/json", Sensitive::No)?;
        // Following a redirect would hand the secret to whoever it names.
        request.redirects = crate::canary::action::RedirectPolicy::Stop;
        Ok(request)
    }

    fn key(&self) -> [u8; 32] {
        let parts = [
            Some(&self.token_url),
            Some(&self.client_id),
            Some(&self.client_secret),
            self.scope.as_ref(),
            self.audience.as_ref(),
        ];
        let mut hash = Sha256::new();
        for part in parts {
            let part = part.map_or("", String::as_str);
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

/// A token and how long it lives.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) value: SecretText,
    lifetime: Duration,
}

impl Token {
    /// Reads the answer of a token endpoint.
    pub(crate) fn of(answer: &HttpAnswer) -> Result<Self, TokenError> {
        #[derive(Deserialize)]
        struct Granted {
            access_token: Option<String>,
            expires_in: Option<u64>,
            error: Option<String>,
        }
        let granted: Option<Granted> = serde_json::from_slice(&answer.body).ok();
        if answer.status != 200 {
            let reason = granted.and_then(|granted| granted.error);
            return Err(TokenError::Refused { status: answer.status, reason });
        }
        let granted = granted.ok_or(TokenError::NoToken)?;
        let value = granted.access_token.ok_or(TokenError::NoToken)?;
        let lifetime = granted.expires_in.map_or(LIFETIME_UNKNOWN, Duration::from_secs);
        Ok(Self { value: SecretText::new(value), lifetime })
    }
}

/// Tokens of all runs, kept for their lifetime.
#[derive(Debug, Default)]
pub(crate) struct TokenCache {
    tokens: Mutex<BTreeMap<[u8; 32], (SecretText, Monotonic)>>,
}

impl TokenCache {
    /// A token that is still good.
    pub(crate) fn get(&self, request: &TokenRequest, now: Monotonic) -> Option<SecretText> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let (value, until) = tokens.get(&request.key())?;
        (*until > now).then(|| value.clone())
    }

    /// Keeps a token.
    pub(crate) fn put(&self, request: &TokenRequest, token: &Token, now: Monotonic) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, (_, until)| *until > now);
        if tokens.len() < TOKENS_MAX {
            let until = now.plus(token.lifetime.saturating_sub(RENEWED_BEFORE));
            tokens.insert(request.key(), (token.value.clone(), until));
        }
    }

    /// Forgets a token that its server no longer takes.
    pub(crate) fn forget(&self, request: &TokenRequest) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.remove(&request.key());
    }
}

fn reason_text(reason: &Option<String>) -> String {
    let word = reason.as_deref().filter(|reason| {
        // What is not a word of the standard may be anything, a token among them.
        reason.len() <= 40 && reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    });
    word.map_or_else(String::new, |word| format!(": {word}"))
}
