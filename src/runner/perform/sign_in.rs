//! How an HTTP request signs in: what can be said at once, and what takes an exchange first.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::rendering::Rendering;
use crate::canary::action::HttpAuth;
use crate::canary::observation::HttpAnswer;
use crate::canary::report::Failure;
use crate::canary::template::Text;
use crate::runner::auth::digest::{self, Challenge, Credentials, Target};
use crate::runner::auth::oauth2::TokenRequest;
use crate::runner::auth::sigv4::{self, Signed, SigningKey};
use crate::runner::probe::http::{HttpRequest, Sensitive};
use crate::time::Timestamp;

/// What is left to do after the request was made.
pub(super) enum SignIn {
    /// Nothing.
    Done,
    /// Answer the challenge that the first answer brings.
    Digest(DigestLogin),
    /// Get a token first.
    OAuth2(TokenRequest),
}

/// Credentials that wait for a challenge. It has no `Debug`: it holds a password.
pub(super) struct DigestLogin {
    user: String,
    password: String,
}

/// Adds what can be said at once.
pub(super) fn begin(
    request: &mut HttpRequest,
    auth: &HttpAuth,
    rendering: &mut Rendering<'_>,
    at: Timestamp,
) -> Result<SignIn, Box<Failure>> {
    let (header, value, source) = match auth {
        HttpAuth::Basic { user, password } => {
            let pair = format!("{}:{}", rendering.plain(user)?, rendering.plain(password)?);
            ("authorization", format!("Basic {}", STANDARD.encode(pair)), user)
        }
        HttpAuth::Bearer(token) => {
            ("authorization", format!("Bearer {}", rendering.plain(token)?), token)
        }
        HttpAuth::ApiKey { header, key } => (&**header, rendering.plain(key)?, key),
        HttpAuth::Digest { user, password } => {
            let user = rendering.plain(user)?;
            return Ok(SignIn::Digest(DigestLogin { user, password: rendering.plain(password)? }));
        }
        HttpAuth::SigV4 { .. } => return sign(request, auth, rendering, at),
        HttpAuth::OAuth2 { .. } => return Ok(SignIn::Done),
    };
    add(request, header, &value, (rendering, source))?;
    Ok(SignIn::Done)
}

/// The token request of an OAuth 2 login. It is rendered apart: its secrets go to the token
/// endpoint, not to the target.
pub(super) fn token_request(
    auth: &HttpAuth,
    rendering: &mut Rendering<'_>,
) -> Result<Option<TokenRequest>, Box<Failure>> {
    let HttpAuth::OAuth2 { token_url, client_id, client_secret, scope, audience } = auth else {
        return Ok(None);
    };
    let optional = |text: &Option<Text>, rendering: &mut Rendering<'_>| {
        text.as_ref().map(|text| rendering.plain(text)).transpose()
    };
    Ok(Some(TokenRequest {
        token_url: rendering.url(token_url)?,
        client_id: rendering.plain(client_id)?,
        client_secret: rendering.plain(client_secret)?,
        scope: optional(scope, rendering)?,
        audience: optional(audience, rendering)?,
    }))
}

fn sign(
    request: &mut HttpRequest,
    auth: &HttpAuth,
    rendering: &mut Rendering<'_>,
    at: Timestamp,
) -> Result<SignIn, Box<Failure>> {
    let HttpAuth::SigV4 { access_key_id, secret_access_key, session_token, region, service } = auth
    else {
        return Ok(SignIn::Done);
    };
    let session_token = session_token.as_ref().map(|text| rendering.plain(text)).transpose()?;
    let key = SigningKey {
        access_key_id: &rendering.plain(access_key_id)?,
        secret_access_key: &rendering.plain(secret_access_key)?,
        session_token: session_token.as_deref(),
        region: &rendering.plain(region)?,
        service: &rendering.plain(service)?,
    };
    let content_type = request.headers.get("content-type").and_then(|value| value.to_str().ok());
    let signed = Signed {
        method: request.method.as_str(),
        url: &request.url,
        content_type,
        body: &request.body,
    };
    for (name, value) in sigv4::sign(signed, &key, at) {
        add(request, name, &value, (rendering, region))?;
    }
    Ok(SignIn::Done)
}

fn add(
    request: &mut HttpRequest,
    name: &str,
    value: &str,
    (rendering, source): (&Rendering<'_>, &Text),
) -> Result<(), Box<Failure>> {
    let added = request.header(name, value, Sensitive::Yes);
    added.map_err(|error| rendering.broken(error.to_string(), source.span()))
}

impl DigestLogin {
    /// The request that answers the challenge in `answer`, if there is one it may answer.
    ///
    /// A challenge that comes after a redirect to elsewhere is not answered: the password was
    /// meant for the first host.
    pub(super) fn respond(
        &self,
        request: &HttpRequest,
        answer: &HttpAnswer,
    ) -> Option<HttpRequest> {
        let stayed = url::Url::parse(&answer.url)
            .is_ok_and(|url| url.origin() == request.url.origin() && answer.redirects.is_empty());
        if answer.status != 401 || !stayed {
            return None;
        }
        let headers = answer.headers.iter().filter(|(name, _)| name == "www-authenticate");
        let challenge = Challenge::strongest(headers.map(|(_, value)| value.as_str()))?;
        let credentials = Credentials { user: &self.user, password: &self.password };
        let uri = &request.url[url::Position::BeforePath..url::Position::AfterQuery];
        let target = Target { method: request.method.as_str(), uri };
        let client_nonce = format!("{:032x}", fastrand::u128(..));
        let value = digest::answer(&challenge, credentials, target, &client_nonce);
        let mut signed = request.clone();
        // A user name with a line break is refused here and leaves the 401 as the answer.
        signed.header("authorization", &value, Sensitive::Yes).ok()?;
        Some(signed)
    }
}
