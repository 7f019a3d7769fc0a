use serde_json::Value;

/// A request as another program sent it, or would, and what came back where that is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorded {
    /// A name for its step; made of method and path unless given.
    pub(super) name: Option<String>,
    pub(super) method: String,
    /// As it was, with its query.
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: RecordedBody,
    pub(super) sign_in: Option<RecordedSignIn>,
    /// Certificates that do not verify were accepted.
    pub(super) insecure: bool,
    pub(super) answer: Option<RecordedAnswer>,
}

/// What was sent.
#[derive(Clone, Debug, Default)]
pub(super) enum RecordedBody {
    #[default]
    Empty,
    Text(String),
    Json(Value),
    Form(Vec<(String, String)>),
    Multipart(Vec<(String, RecordedPart)>),
    /// A file of the canary's folder.
    File(String),
}

/// One part of a multipart form.
#[derive(Clone, Debug)]
pub(super) enum RecordedPart {
    Text(String),
    File(String),
}

/// Credentials that stand apart from the headers.
#[derive(Clone, Debug)]
pub(super) enum RecordedSignIn {
    Basic { user: String, password: String },
    Digest { user: String, password: String },
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordedAnswer {
    pub(super) status: u16,
    /// Without parameters, in lower case; empty where there was none.
    pub(super) media_type: String,
    pub(super) json: Option<Value>,
}

impl RecordedBody {
    /// A body of this content type, in the form that reads best.
    pub(super) fn of(text: &str, content_type: &str) -> Self {
        let media_type = media_type(content_type);
        if text.is_empty() {
            return Self::Empty;
        }
        if media_type.ends_with("json")
            && let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text)
        {
            return Self::Json(value);
        }
        if media_type == "application/x-www-form-urlencoded" {
            let pairs = url::form_urlencoded::parse(text.as_bytes()).into_owned();
            let pairs: Vec<(String, String)> = pairs.collect();
            let names: std::collections::BTreeSet<&str> =
                pairs.iter().map(|(name, _)| name.as_str()).collect();
            // A map holds a name once.
            if names.len() == pairs.len() && !names.contains("") {
                return Self::Form(pairs);
            }
        }
        Self::Text(text.to_owned())
    }
}

/// `application/json` of `Application/JSON; charset=utf-8`.
pub(super) fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}
