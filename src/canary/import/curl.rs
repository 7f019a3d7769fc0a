//! curl commands, as people keep them in notes and browsers copy them.
//!
//! Main function: [`draft`]. Differs: redirects are followed with or without `-L`, as a visitor's
//! browser does; options that change what is sent and cannot be taken over are refused by name.

use url::Url;

use super::assemble::{STEPS_MAX, assemble};
use super::draft::Draft;
use super::recorded::{Recorded, RecordedBody, RecordedPart, RecordedSignIn, media_type};
use super::shell;
use super::{ImportError, ImportOptions};

/// Makes a draft of the curl commands in a text, a step each.
///
/// Errors: no command is there, or one says what cannot be taken over.
/// Source: curl(1).
pub fn draft(text: &str, options: &ImportOptions) -> Result<Draft, ImportError> {
    let not_a = |reason: String| ImportError::NotA { what: "text of curl commands", reason };
    let mut recorded = Vec::new();
    for words in shell::commands(text).map_err(not_a)? {
        match words.split_first() {
            Some((program, words)) if program == "curl" || program.ends_with("/curl") => {
                recorded.extend(Command::read(words)?.requests()?);
            }
            Some((program, _)) => {
                return Err(not_a(format!("`{program}` is not curl")));
            }
            None => {}
        }
    }
    if recorded.len() > STEPS_MAX {
        return Err(not_a(format!("a canary has at most {STEPS_MAX} steps")));
    }
    let first = recorded.first().ok_or_else(|| not_a("there is no command".to_owned()))?;
    let base = Url::parse(&first.url).map_err(|error| not_a(error.to_string()))?;
    let mut draft = assemble(&recorded, &base, base.host_str().unwrap_or("curl"), options);
    draft.notes.push("From curl commands.".to_owned());
    Ok(draft)
}

/// Options without a value that say nothing about what is sent.
const SILENT: &[&str] = &[
    "-s",
    "--silent",
    "-S",
    "--show-error",
    "-f",
    "--fail",
    "--fail-with-body",
    "-i",
    "--include",
    "-v",
    "--verbose",
    "--compressed",
    "-L",
    "--location",
    "-#",
    "--progress-bar",
    "-N",
    "--no-buffer",
    "-O",
    "--remote-name",
    "-g",
    "--globoff",
    "--no-progress-meter",
    "-q",
    "--tcp-nodelay",
    "--path-as-is",
    "-4",
    "-6",
    "--http1.1",
    "--http2",
    "-J",
];

/// Options whose value says nothing about what is sent.
const SILENT_WITH_VALUE: &[&str] = &[
    "-o",
    "--output",
    "-m",
    "--max-time",
    "--connect-timeout",
    "-w",
    "--write-out",
    "--retry",
    "--retry-delay",
    "-D",
    "--dump-header",
    "-c",
    "--cookie-jar",
    "--max-redirs",
    "--stderr",
];

/// Options of one letter that take a value.
const LETTERS_WITH_VALUE: &str = "XHdFubAeomwDcT";

/// One command, understood.
#[derive(Debug, Default)]
struct Command {
    urls: Vec<String>,
    method: Option<String>,
    headers: Vec<(String, String)>,
    data: Vec<String>,
    file: Option<String>,
    parts: Vec<(String, RecordedPart)>,
    user: Option<(String, String)>,
    is_digest: bool,
    is_json: bool,
    data_in_query: bool,
    is_head: bool,
    insecure: bool,
}

impl Command {
    fn read(words: &[String]) -> Result<Self, ImportError> {
        let mut command = Self::default();
        let mut words = split(words).into_iter();
        while let Some(word) = words.next() {
            if !word.starts_with('-') || word == "-" {
                command.urls.push(word);
                continue;
            }
            if SILENT.contains(&word.as_str()) || command.flag(&word) {
                continue;
            }
            let value = words.next().ok_or_else(|| unsupported(&word))?;
            if !SILENT_WITH_VALUE.contains(&word.as_str()) {
                command.option(&word, &value)?;
            }
        }
        Ok(command)
    }

    fn flag(&mut self, word: &str) -> bool {
        match word {
            "-k" | "--insecure" => self.insecure = true,
            "-G" | "--get" => self.data_in_query = true,
            "-I" | "--head" => self.is_head = true,
            "--digest" => self.is_digest = true,
            "--basic" => self.is_digest = false,
            _ => return false,
        }
        true
    }

    fn option(&mut self, word: &str, value: &str) -> Result<(), ImportError> {
        match word {
            "-X" | "--request" => self.method = Some(value.to_owned()),
            "--url" => self.urls.push(value.to_owned()),
            "-H" | "--header" => {
                let (name, value) = value.split_once(':').ok_or_else(|| unsupported(word))?;
                self.headers.push((name.trim().to_owned(), value.trim().to_owned()));
            }
            "-A" | "--user-agent" => self.header("user-agent", value),
            "-e" | "--referer" => self.header("referer", value),
            "-u" | "--user" => {
                let (user, password) = value.split_once(':').unwrap_or((value, ""));
                self.user = Some((user.to_owned(), password.to_owned()));
            }
            "--oauth2-bearer" => self.header("authorization", &format!("Bearer {value}")),
            "-d" | "--data" | "--data-ascii" | "--data-binary" => self.data(value)?,
            "--data-raw" => self.data.push(value.to_owned()),
            "--data-urlencode" => self.data.push(urlencoded(value)?),
            "--json" => {
                self.is_json = true;
                self.data(value)?;
            }
            "-F" | "--form" => self.parts.push(part(value)?),
            "--form-string" => {
                let (name, text) = value.split_once('=').ok_or_else(|| unsupported(word))?;
                self.parts.push((name.to_owned(), RecordedPart::Text(text.to_owned())));
            }
            "-b" | "--cookie" if value.contains('=') => self.header("x-cookie", value),
            _ => return Err(unsupported(word)),
        }
        Ok(())
    }

    fn header(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    fn data(&mut self, value: &str) -> Result<(), ImportError> {
        match value.strip_prefix('@') {
            None => self.data.push(value.to_owned()),
            Some("-") => return Err(unsupported("-d @-")),
            Some(file) => self.file = Some(file.to_owned()),
        }
        Ok(())
    }

    fn requests(self) -> Result<Vec<Recorded>, ImportError> {
        if self.urls.is_empty() {
            let reason = "a curl command names no URL".to_owned();
            return Err(ImportError::NotA { what: "text of curl commands", reason });
        }
        if self.file.is_some() && !self.data.is_empty() {
            return Err(unsupported("-d of a file and of a text at once"));
        }
        self.urls.iter().map(|url| self.request(url)).collect()
    }

    fn request(&self, url: &str) -> Result<Recorded, ImportError> {
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let mut url = Url::parse(&url).map_err(|error| ImportError::NotA {
            what: "text of curl commands",
            reason: format!("`{url}` is no URL: {error}"),
        })?;
        let mut user = self.user.clone();
        if !url.username().is_empty() {
            let password = url.password().unwrap_or_default().to_owned();
            user = user.or_else(|| Some((url.username().to_owned(), password)));
            // They fail for URLs without a host, which have no user either.
            let _both = (url.set_username(""), url.set_password(None));
        }
        let content_type =
            self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let content_type = content_type.map(|(_, value)| media_type(value));
        let data = self.data.join("&");
        if self.data_in_query && !data.is_empty() {
            let query = url.query().map_or_else(|| data.clone(), |query| format!("{query}&{data}"));
            url.set_query(Some(&query));
        }
        let body = self.body(&data, content_type.as_deref());
        let method = self.method.clone().unwrap_or_else(|| match body {
            _ if self.is_head => "HEAD".to_owned(),
            RecordedBody::Empty => "GET".to_owned(),
            _ => "POST".to_owned(),
        });
        let headers = self.headers.iter().map(|(name, value)| match name.as_str() {
            "x-cookie" => ("Cookie".to_owned(), value.clone()),
            _ => (name.clone(), value.clone()),
        });
        let sign_in = user.map(|(user, password)| match self.is_digest {
            true => RecordedSignIn::Digest { user, password },
            false => RecordedSignIn::Basic { user, password },
        });
        Ok(Recorded {
            method,
            url: url.into(),
            headers: headers.collect(),
            body,
            sign_in,
            insecure: self.insecure,
            ..Recorded::default()
        })
    }

    fn body(&self, data: &str, content_type: Option<&str>) -> RecordedBody {
        if !self.parts.is_empty() {
            return RecordedBody::Multipart(self.parts.clone());
        }
        if let Some(file) = &self.file {
            return RecordedBody::File(file.clone());
        }
        if self.data_in_query || self.data.is_empty() {
            return RecordedBody::Empty;
        }
        let default = if self.is_json { "application/json" } else { FORM };
        match RecordedBody::of(data, content_type.unwrap_or(default)) {
            // curl says that whatever it sends is a form; a text that is none is sent as it is.
            RecordedBody::Form(_) if !data.contains('=') => RecordedBody::Text(data.to_owned()),
            body => body,
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn unsupported(word: &str) -> ImportError {
    ImportError::Unsupported { what: format!("`{word}` of curl") }
}

/// `-XPOST`, `-sSL` and `--header=..` taken apart.
fn split(words: &[String]) -> Vec<String> {
    let mut apart = Vec::new();
    let mut takes_value = false;
    for word in words {
        if std::mem::take(&mut takes_value) {
            apart.push(word.clone());
            continue;
        }
        let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
            apart.push(word.clone());
            continue;
        };
        if letters.starts_with('-') {
            apart.push(word.clone());
            let is_silent = SILENT.contains(&word.as_str());
            let is_flag =
                matches!(word.as_str(), "--insecure" | "--get" | "--head" | "--digest" | "--basic");
            takes_value = !is_silent && !is_flag;
            continue;
        }
        for (at, letter) in letters.char_indices() {
            apart.push(format!("-{letter}"));
            if LETTERS_WITH_VALUE.contains(letter) {
                let rest = letters.get(at + letter.len_utf8()..).unwrap_or("");
                takes_value = rest.is_empty();
                if !takes_value {
                    apart.push(rest.to_owned());
                }
                break;
            }
        }
    }
    apart
}

/// `name=value` with the value encoded, or a text encoded as a whole.
fn urlencoded(value: &str) -> Result<String, ImportError> {
    let encode =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    match value.split_once('=') {
        Some(("", text)) => Ok(encode(text)),
        Some((name, text)) => Ok(format!("{name}={}", encode(text))),
        None if value.contains('@') => Err(unsupported("--data-urlencode of a file")),
        None => Ok(encode(value)),
    }
}

/// `name=text` or `name=@file;type=..`.
fn part(value: &str) -> Result<(String, RecordedPart), ImportError> {
    let (name, content) = value.split_once('=').ok_or_else(|| unsupported("-F without a name"))?;
    let part = match content.strip_prefix('@') {
        Some(file) => RecordedPart::File(file.split(';').next().unwrap_or("").to_owned()),
        None if content.starts_with('<') => return Err(unsupported("-F name=<file")),
        None => RecordedPart::Text(content.to_owned()),
    };
    Ok((name.to_owned(), part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn http(text: &str) -> Value {
        draft(text, &ImportOptions::default()).unwrap().steps.remove(0).action.1
    }

    #[test]
    fn what_curl_would_send_is_what_the_step_sends() {
        for (text, expected) in [
            ("curl example.com", json!({ "get": "{{ base }}/" })),
            ("curl -sSLX DELETE 'http://h/a?b=1'", json!({ "delete": "{{ base }}/a?b=1" })),
            (
                "curl http://h/ -H 'Accept: a/b' -H 'Authorization: Bearer abc' --compressed",
                json!({
                    "get": "{{ base }}/", "headers": { "accept": "a/b" },
                    "auth": { "bearer": "{{ secret.API_TOKEN }}" },
                }),
            ),
            (
                "curl -d a=1 -d 'b=x y' http://h/",
                json!({ "post": "{{ base }}/", "form": { "a": "1", "b": "x y" } }),
            ),
            (
                "curl http://h/ --json '{\"a\": [1]}'",
                json!({ "post": "{{ base }}/", "json": { "a": [1] } }),
            ),
            (
                "curl -u ann:lamp --digest -k https://h/x",
                json!({
                    "get": "{{ base }}/x", "insecure": true,
                    "auth": { "digest": { "user": "ann", "password": "{{ secret.PASSWORD }}" } },
                }),
            ),
            (
                "curl -F name=ann -F 'f=@a.png;type=image/png' http://h/",
                json!({
                    "post": "{{ base }}/",
                    "multipart": { "name": "ann", "f": { "file": "a.png" } },
                }),
            ),
            ("curl -G -d q=lamp http://h/s", json!({ "get": "{{ base }}/s?q=lamp" })),
            (
                "curl -XPUT --data-binary @body.bin http://h/",
                json!({ "put": "{{ base }}/", "file": "body.bin" }),
            ),
        ] {
            assert_eq!(http(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_taken_over_is_refused_by_name() {
        for (text, said) in [
            ("curl --socks5 h:1 http://h/", "`--socks5` of curl is not supported"),
            ("curl -T file http://h/", "`-T` of curl is not supported"),
            ("wget http://h/", "this is no text of curl commands: `wget` is not curl"),
            ("curl -s", "this is no text of curl commands: a curl command names no URL"),
            ("", "this is no text of curl commands: there is no command"),
        ] {
            let error = draft(text, &ImportOptions::default()).unwrap_err();
            assert_eq!(error.to_string(), said, "{text}");
        }
    }
}
