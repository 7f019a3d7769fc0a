use std::borrow::Cow;
use std::cell::OnceCell;
use std::str::FromStr as _;
use std::time::Duration;

use scraper::{Html, Selector};
use serde_json::Value;
use serde_json_path::JsonPath;
use sha2::{Digest, Sha256};

use super::seen::{Node, Seen};
use super::vocabulary::Subject;
use crate::canary::observation::{Answer, DnsAnswer, HttpAnswer, Observation};
use crate::canary::xpath::{Document, Selected, XPath};

/// BOUND: of nodes that one selector yields; more are not looked at.
const NODES_MAX: usize = 10_000;

/// An observation, in which each document is parsed at most once however many look into it.
#[derive(Debug)]
pub struct Answers<'o> {
    observation: &'o Observation,
    text: OnceCell<Cow<'o, str>>,
    json: OnceCell<Result<Value, String>>,
    html: OnceCell<Html>,
    tree: OnceCell<Result<Document, String>>,
}

impl<'o> Answers<'o> {
    /// Nothing is parsed yet.
    pub const fn of(observation: &'o Observation) -> Self {
        Self {
            observation,
            text: OnceCell::new(),
            json: OnceCell::new(),
            html: OnceCell::new(),
            tree: OnceCell::new(),
        }
    }

    /// What `subject` yields.
    pub fn look(&self, subject: &Subject) -> Seen<'_> {
        match subject {
            Subject::Status => self.status(),
            Subject::Latency(phase) => match phase {
                None => Seen::latency(self.observation.elapsed),
                Some(phase) => match self.observation.timings.phase(*phase) {
                    Some(took) => Seen::latency(took),
                    None => Seen::Absent(format!("there was no phase `{}`", phase.as_str()).into()),
                },
            },
            Subject::Header(name) => self.header(name),
            Subject::Cookie(name) => self.cookie(name),
            Subject::Body => Seen::text(self.text()),
            Subject::Json(path) => self.json_nodes(path),
            Subject::Css(selector) => self.css_nodes(selector, None),
            Subject::XPath(path) => self.xpath(path),
            Subject::Bytes => Seen::number(self.bytes().len()),
            Subject::Sha256 => Seen::Text(hex::encode(Sha256::digest(self.bytes())).into()),
            Subject::Redirects => self.http(|answer| Seen::number(answer.redirects.len())),
            Subject::Url => self.http(|answer| Seen::text(&answer.url)),
            Subject::RemoteAddress => match self.observation.remote {
                Some(remote) => Seen::Text(remote.to_string().into()),
                None => Seen::Absent("no address was connected to".into()),
            },
            Subject::Version => match &self.observation.answer {
                Answer::Http(answer) => Seen::text(&answer.version),
                Answer::Tls { protocol, .. } => Seen::text(protocol),
                _ => Seen::Absent("this protocol has no version".into()),
            },
            Subject::Certificate(field) => {
                field.of(self.observation.certificate.as_ref(), self.observation.started)
            }
            Subject::Received(index) => self.received(*index),
            Subject::Records => self.dns(|answer| {
                let records = answer.records.iter().map(|(record, _)| record.as_str());
                Seen::Value(Cow::Owned(records.collect()))
            }),
            Subject::TimeToLive => self.dns(|answer| {
                let least = answer.records.iter().map(|(_, ttl)| *ttl).min();
                let least = least.map(|ttl| Seen::Time { seconds: f64::from(ttl), unit: 1.0 });
                least.unwrap_or(Seen::Absent("the answer has no records".into()))
            }),
            Subject::ResponseCode => self.dns(|answer| Seen::text(&answer.response_code)),
            Subject::Authoritative => self.dns(|answer| Seen::number(answer.authoritative)),
            Subject::Loss => self.loss(),
            Subject::Message => match &self.observation.answer {
                Answer::Grpc { message, .. } => Seen::text(message),
                _ => Seen::Absent("only gRPC answers have a message".into()),
            },
            Subject::Observed(name) => {
                Seen::Absent(format!("no page action observed `{name}`").into())
            }
        }
    }

    /// The answer as text: the body, or everything that was received.
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| match &self.observation.answer {
            Answer::Http(answer) => String::from_utf8_lossy(&answer.body),
            Answer::Dialogue { received } => {
                let parts = received.iter().map(|part| String::from_utf8_lossy(part));
                Cow::Owned(parts.collect())
            }
            Answer::Grpc { body: Some(body), .. } => Cow::Owned(body.to_string()),
            Answer::Grpc { message, .. } => Cow::Borrowed(message),
            Answer::Dns(answer) => {
                let records: Vec<&str> = answer.records.iter().map(|(r, _)| r.as_str()).collect();
                Cow::Owned(records.join("\n"))
            }
            Answer::Tls { .. } | Answer::Icmp { .. } => Cow::Borrowed(""),
        })
    }

    /// The nodes that a JSON path selects in the body.
    pub fn json_nodes(&self, path: &JsonPath) -> Seen<'_> {
        match self.json() {
            Err(problem) => Seen::Absent(problem.as_str().into()),
            Ok(document) => {
                let located = path.query_located(document);
                let nodes = located.iter().take(NODES_MAX).map(|node| Node {
                    place: node.location().to_string(),
                    value: Cow::Borrowed(node.node()),
                });
                Seen::Nodes(nodes.collect())
            }
        }
    }

    /// The texts, or one attribute, of what a CSS selector selects in the body.
    pub fn css_nodes(&self, selector: &str, attribute: Option<&str>) -> Seen<'_> {
        let Ok(compiled) = Selector::parse(selector) else {
            return Seen::Absent(format!("`{selector}` is no CSS selector").into());
        };
        let html = self.html.get_or_init(|| Html::parse_document(self.text()));
        let mut nodes = Vec::new();
        for (at, element) in html.select(&compiled).take(NODES_MAX).enumerate() {
            let text = match attribute {
                Some(attribute) => element.attr(attribute).map(str::to_owned),
                None => Some(squeezed(element.text())),
            };
            let place = format!("{selector} (match {})", at + 1);
            let value = text.map_or(Value::Null, Value::String);
            nodes.push(Node { place, value: Cow::Owned(value) });
        }
        Seen::Nodes(nodes)
    }

    /// What an XPath yields: from XML where the body is XML, else from HTML as browsers read it.
    pub fn xpath(&self, path: &XPath) -> Seen<'_> {
        let document = match self.tree.get_or_init(|| self.read_tree()) {
            Ok(document) => document,
            Err(reason) => return Seen::Absent(reason.as_str().into()),
        };
        match path.select(document, NODES_MAX) {
            Err(error) => Seen::Absent(error.to_string().into()),
            Ok(Selected::Nodes(nodes)) => {
                let nodes = nodes.into_iter().map(|node| {
                    let value = squeezed(std::iter::once(node.text.as_str()));
                    Node { place: node.place, value: Cow::Owned(Value::String(value)) }
                });
                Seen::Nodes(nodes.collect())
            }
            Ok(Selected::Text(text)) => Seen::Text(text.into()),
            Ok(Selected::Bool(is)) => Seen::Value(Cow::Owned(is.into())),
            Ok(Selected::Number(number)) => match i64::from_str(&number.to_string()) {
                Ok(whole) => Seen::number(whole),
                Err(_broken) => Seen::number(number),
            },
        }
    }

    fn read_tree(&self) -> Result<Document, String> {
        let text = self.text();
        let content_type = match self.header("content-type") {
            Seen::Text(text) => text.to_ascii_lowercase(),
            _ => String::new(),
        };
        let is_xml = (content_type.contains("xml") && !content_type.contains("html"))
            || text.trim_start_matches(['\u{feff}', ' ', '\n']).starts_with("<?xml");
        let read = match is_xml {
            true => Document::xml(text),
            false => Document::html(self.html.get_or_init(|| Html::parse_document(text))),
        };
        read.map_err(|error| error.to_string())
    }

    pub(super) fn observation(&self) -> &Observation {
        self.observation
    }

    fn json(&self) -> Result<&Value, &String> {
        self.json
            .get_or_init(|| {
                if let Answer::Grpc { body: Some(body), .. } = &self.observation.answer {
                    return Ok(body.clone());
                }
                let text = self.text();
                serde_json::from_str(text).map_err(|error| match text.trim() {
                    "" => "the body is empty, not JSON".to_owned(),
                    _ => format!("the body is not JSON: {error}"),
                })
            })
            .as_ref()
    }

    fn status(&self) -> Seen<'_> {
        match &self.observation.answer {
            Answer::Http(answer) => Seen::number(answer.status),
            Answer::Grpc { status, .. } => Seen::number(*status),
            _ => Seen::Absent("this protocol has no status".into()),
        }
    }

    /// Repeated headers are joined, but for `set-cookie`, whose values hold commas.
    fn header(&self, name: &str) -> Seen<'_> {
        self.http(|answer| {
            let mut values = answer
                .headers
                .iter()
                .filter(|(header, _)| header.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str());
            match (values.next(), values.next()) {
                (None, _) => Seen::Absent(format!("the response has no header `{name}`").into()),
                (Some(only), None) => Seen::text(only),
                (Some(first), Some(second)) => {
                    let all: Vec<&str> = [first, second].into_iter().chain(values).collect();
                    Seen::Text(all.join(", ").into())
                }
            }
        })
    }

    fn cookie(&self, name: &str) -> Seen<'_> {
        self.http(|answer| {
            let cookies = answer
                .headers
                .iter()
                .filter(|(header, _)| header.eq_ignore_ascii_case("set-cookie"));
            let mut found = cookies.filter_map(|(_, value)| {
                let pair = value.split(';').next()?;
                let (key, value) = pair.split_once('=')?;
                (key.trim() == name).then(|| value.trim())
            });
            // As in a browser, the last one wins.
            let absent = || format!("the response sets no cookie `{name}`").into();
            found.next_back().map_or_else(|| Seen::Absent(absent()), Seen::text)
        })
    }

    fn bytes(&self) -> &[u8] {
        match &self.observation.answer {
            Answer::Http(answer) => &answer.body,
            _ => self.text().as_bytes(),
        }
    }

    fn received(&self, index: Option<usize>) -> Seen<'_> {
        let Answer::Dialogue { received } = &self.observation.answer else {
            return Seen::Absent("only dialogues receive lines".into());
        };
        match index {
            None => Seen::text(self.text()),
            Some(index) => match received.get(index) {
                Some(bytes) => Seen::Text(String::from_utf8_lossy(bytes)),
                None => Seen::Absent(format!("only {} answers came", received.len()).into()),
            },
        }
    }

    fn loss(&self) -> Seen<'_> {
        let Answer::Icmp { sent, round_trips } = &self.observation.answer else {
            return Seen::Absent("only echo requests get lost".into());
        };
        let came = u32::try_from(round_trips.len()).unwrap_or(u32::MAX).min(*sent);
        let share = f64::from(sent - came) / f64::from((*sent).max(1));
        Seen::number(share * 100.0)
    }

    fn http<'a>(&'a self, look: impl FnOnce(&'a HttpAnswer) -> Seen<'a>) -> Seen<'a> {
        match &self.observation.answer {
            Answer::Http(answer) => look(answer),
            _ => Seen::Absent("only HTTP answers have one".into()),
        }
    }

    fn dns<'a>(&'a self, look: impl FnOnce(&'a DnsAnswer) -> Seen<'a>) -> Seen<'a> {
        match &self.observation.answer {
            Answer::Dns(answer) => look(answer),
            _ => Seen::Absent("only DNS answers have one".into()),
        }
    }
}

/// A text as people see it: one space wherever there is white space.
fn squeezed<'t>(parts: impl Iterator<Item = &'t str>) -> String {
    let joined: String = parts.collect();
    joined.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A duration as it is shown in reports: `1.24s`, `310ms`.
pub(super) fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s >= 172_800.0 => format!("{:.1}d", s / 86_400.0),
        s if s >= 7_200.0 => format!("{:.1}h", s / 3_600.0),
        s if s >= 120.0 => format!("{:.1}m", s / 60.0),
        s if s >= 1.0 => format!("{s:.2}s"),
        s if s >= 0.01 => format!("{:.0}ms", s * 1000.0),
        s => format!("{:.2}ms", s * 1000.0),
    }
}
