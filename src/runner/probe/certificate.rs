//! What a certificate says, for people and assertions.

use std::net::{Ipv4Addr, Ipv6Addr};

use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use crate::canary::observation::CertificateObservation;
use crate::time::Timestamp;

/// Reads what matters of a leaf certificate; `None` when it is not even a certificate.
pub(super) fn observe(der: &[u8], distrust: Option<String>) -> Option<CertificateObservation> {
    let (_rest, certificate) = X509Certificate::from_der(der).ok()?;
    let validity = certificate.validity();
    Some(CertificateObservation {
        subject: distinguished_name(certificate.subject()),
        issuer: distinguished_name(certificate.issuer()),
        names: names(&certificate),
        not_before: Timestamp::from_secs(validity.not_before.timestamp()),
        not_after: Timestamp::from_secs(validity.not_after.timestamp()),
        serial: hex::encode(certificate.raw_serial()),
        sha256: hex::encode(Sha256::digest(der)),
        distrust,
    })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(four) => Some(Ipv4Addr::from(four).to_string()),
            Err(_not_v4) => {
                <[u8; 16]>::try_from(*bytes).ok().map(|six| Ipv6Addr::from(six).to_string())
            }
        },
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

/// A distinguished name as text, most specific part first.
///
/// Source: RFC 4514.
fn distinguished_name(name: &X509Name<'_>) -> String {
    let mut parts = Vec::new();
    for set in name.iter_rdn() {
        let attributes: Vec<String> = set
            .iter()
            .map(|attribute| {
                let oid = attribute.attr_type();
                let kind = oid2abbrev(oid, oid_registry())
                    .map_or_else(|_unknown| oid.to_id_string(), str::to_owned);
                format!("{kind}={}", escape(attribute.as_str().unwrap_or("?")))
            })
            .collect();
        parts.push(attributes.join("+"));
    }
    parts.reverse();
    parts.join(",")
}

fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for (at, character) in value.char_indices() {
        let is_edge_space =
            character == ' ' && (at == 0 || at + character.len_utf8() == value.len());
        let is_leading_hash = character == '#' && at == 0;
        if matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
            || is_edge_space
            || is_leading_hash
        {
            text.push('\\');
        }
        text.push(character);
    }
    text
}
