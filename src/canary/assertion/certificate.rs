use std::borrow::Cow;

use super::seen::Seen;
use super::vocabulary::CertificateField;
use crate::canary::observation::CertificateObservation;
use crate::time::Timestamp;

impl CertificateField {
    /// Every field.
    pub const ALL: [Self; 7] = [
        Self::Expires,
        Self::Subject,
        Self::Issuer,
        Self::Names,
        Self::Serial,
        Self::Sha256,
        Self::Trusted,
    ];

    /// The field's name in files and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expires => "expires",
            Self::Subject => "subject",
            Self::Issuer => "issuer",
            Self::Names => "names",
            Self::Serial => "serial",
            Self::Sha256 => "sha256",
            Self::Trusted => "trusted",
        }
    }

    /// The field of `certificate`; time left is counted from `now`.
    pub fn of(self, certificate: Option<&CertificateObservation>, now: Timestamp) -> Seen<'_> {
        let Some(certificate) = certificate else {
            return Seen::Absent("no certificate was shown".into());
        };
        match self {
            Self::Expires => {
                let millis = certificate.not_after.millis_since(now);
                Seen::Time { seconds: Timestamp::from_millis(millis).as_secs_f64(), unit: 1.0 }
            }
            Self::Subject => Seen::text(&certificate.subject),
            Self::Issuer => Seen::text(&certificate.issuer),
            Self::Names => Seen::Value(Cow::Owned(certificate.names.clone().into())),
            Self::Serial => Seen::text(&certificate.serial),
            Self::Sha256 => Seen::text(&certificate.sha256),
            Self::Trusted => Seen::number(certificate.distrust.is_none()),
        }
    }
}
