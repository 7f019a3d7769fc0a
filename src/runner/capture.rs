//! Takes values out of an answer for later steps.

use serde_json::Value;

use crate::canary::assertion::CertificateField;
use crate::canary::definition::{Capture, CaptureSource};
use crate::canary::observation::{Answer, CertificateObservation, HttpAnswer, Observation};

/// The value that a capture takes from `seen`.
///
/// Errors: why there is none, as a fragment after "cannot capture `x`: ".
pub(super) fn take(capture: &Capture, seen: &Observation) -> Result<Value, String> {
    if let CaptureSource::Certificate(field) = &capture.from {
        let certificate = seen.certificate.as_ref().ok_or("no certificate was shown")?;
        return Ok(certificate_field(certificate, *field));
    }
    match &seen.answer {
        Answer::Http(answer) => from_http(&capture.from, answer),
        _ => from_text(&capture.from, &text_of(&seen.answer)),
    }
}

fn from_http(source: &CaptureSource, answer: &HttpAnswer) -> Result<Value, String> {
    match source {
        CaptureSource::Header(name) => {
            let values: Vec<&str> = answer
                .headers
                .iter()
                .filter(|(header, _)| header.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str())
                .collect();
            if values.is_empty() {
                return Err(format!("the answer has no header `{name}`"));
            }
            Ok(values.join(", ").into())
        }
        CaptureSource::Cookie(name) => set_cookie(answer, name)
            .map(Value::from)
            .ok_or_else(|| format!("the answer sets no cookie `{name}`")),
        CaptureSource::Status => Ok(answer.status.into()),
        CaptureSource::Url => Ok(answer.url.clone().into()),
        other => from_text(other, &String::from_utf8_lossy(&answer.body)),
    }
}

fn set_cookie(answer: &HttpAnswer, name: &str) -> Option<String> {
    answer.headers.iter().filter(|(header, _)| header == "set-cookie").find_map(|(_, value)| {
        let (key, rest) = value.split_once('=')?;
        (key.trim() == name).then(|| rest.split(';').next().unwrap_or_default().trim().to_owned())
    })
}

fn from_text(source: &CaptureSource, text: &str) -> Result<Value, String> {
    match source {
        CaptureSource::Body => Ok(text.into()),
        CaptureSource::Json(path) => {
            let document: Value = serde_json::from_str(text)
                .map_err(|error| format!("the answer is not JSON: {error}"))?;
            let nodes = path.query(&document).all();
            match nodes.as_slice() {
                [] => Err(format!("`{path}` selects nothing")),
                [one] => Ok((*one).clone()),
                several => Ok(Value::Array(several.iter().map(|node| (*node).clone()).collect())),
            }
        }
        CaptureSource::Regex(regex) => {
            let found = regex.captures(text);
            let found = found.ok_or_else(|| format!("nothing matches /{regex}/"))?;
            let group = found.get(1).or_else(|| found.get(0));
            Ok(group.map_or("", |group| group.as_str()).into())
        }
        CaptureSource::Css { .. } => Err("this build does not select in markup yet".to_owned()),
        CaptureSource::Header(_)
        | CaptureSource::Cookie(_)
        | CaptureSource::Status
        | CaptureSource::Url
        | CaptureSource::Certificate(_) => Err("only HTTP answers have one".to_owned()),
    }
}

/// What an answer other than HTTP's says, as text.
fn text_of(answer: &Answer) -> String {
    match answer {
        Answer::Http(answer) => String::from_utf8_lossy(&answer.body).into_owned(),
        Answer::Dialogue { received } => {
            received.iter().map(|line| String::from_utf8_lossy(line)).collect()
        }
        Answer::Dns(answer) => {
            let records: Vec<&str> =
                answer.records.iter().map(|(record, _)| record.as_str()).collect();
            records.join("\n")
        }
        Answer::Grpc { body, message, .. } => {
            body.as_ref().map_or_else(|| message.clone(), ToString::to_string)
        }
        Answer::Tls { .. } | Answer::Icmp { .. } => String::new(),
    }
}

fn certificate_field(certificate: &CertificateObservation, field: CertificateField) -> Value {
    match field {
        CertificateField::Expires => certificate.not_after.to_rfc3339().into(),
        CertificateField::Subject => certificate.subject.clone().into(),
        CertificateField::Issuer => certificate.issuer.clone().into(),
        CertificateField::Names => certificate.names.clone().into(),
        CertificateField::Serial => certificate.serial.clone().into(),
        CertificateField::Sha256 => certificate.sha256.clone().into(),
        CertificateField::Trusted => certificate.distrust.is_none().into(),
    }
}
