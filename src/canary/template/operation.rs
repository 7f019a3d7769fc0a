//! The names that templates can call: filters after `|`, functions in front.

macro_rules! operations {
    ($(#[$meta:meta])* $kind:ident {
        $($variant:ident = $name:literal ($least:literal, $most:literal) $doc:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $kind { $(#[doc = $doc] $variant,)+ }

        impl $kind {
            pub(super) const NAMES: &[&str] = &[$($name),+];

            /// Each name with what it gives, for the reference.
            pub(super) const TOLD: &[(&str, &str)] = &[$(($name, $doc)),+];

            pub(super) fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }

            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The fewest and the most arguments it takes.
            pub(super) const fn arity(self) -> (usize, usize) {
                match self { $(Self::$variant => ($least, $most),)+ }
            }
        }
    };
}

operations! {
    /// What can follow a `|`.
    Filter {
        Default = "default" (1, 1) "The argument, when the input is undefined or null.",
        Host = "host" (0, 0) "The host of a URL.",
        Port = "port" (0, 0) "The port of a URL, the scheme's own unless it names one.",
        Path = "path" (0, 0) "The path of a URL.",
        Origin = "origin" (0, 0) "Scheme, host and port of a URL.",
        Upper = "upper" (0, 0) "In upper case.",
        Lower = "lower" (0, 0) "In lower case.",
        Trim = "trim" (0, 0) "Without white space at either end.",
        Replace = "replace" (2, 2) "Each occurrence of the first argument replaced by the second.",
        Split = "split" (1, 1) "A list: the text cut at the argument.",
        Join = "join" (0, 1) "A text: the items of a list with the argument between them.",
        First = "first" (0, 0) "The first item or character.",
        Last = "last" (0, 0) "The last item or character.",
        Length = "length" (0, 0) "How many characters, items or members.",
        Url = "url" (0, 0) "Percent-encoded for any part of a URL.",
        UrlDecode = "url_decode" (0, 0) "Percent-decoded.",
        Raw = "raw" (0, 0) "Put into a URL as it is.",
        Base64 = "base64" (0, 1) "Base64; the argument 'url' chooses the URL-safe alphabet.",
        Base64Decode = "base64_decode" (0, 0) "Base64 (either alphabet) decoded to text.",
        Hex = "hex" (0, 0) "The bytes as hex digits.",
        HexDecode = "hex_decode" (0, 0) "Hex digits decoded to text.",
        Json = "json" (0, 0) "As JSON text.",
        FromJson = "from_json" (0, 0) "JSON text as a value.",
        Md5 = "md5" (0, 0) "MD5, hex.",
        Sha1 = "sha1" (0, 0) "SHA-1, hex.",
        Sha256 = "sha256" (0, 0) "SHA-256, hex.",
        Sha512 = "sha512" (0, 0) "SHA-512, hex.",
        Hmac = "hmac" (1, 3) "HMAC: key, then 'sha256' | 'sha1' | 'sha512', then 'hex' | 'base64'.",
        Date = "date" (0, 1) "An instant as text, in a strftime form or RFC 3339.",
        Epoch = "epoch" (0, 0) "An instant as whole seconds since 1970.",
        EpochMillis = "epoch_ms" (0, 0) "An instant as milliseconds since 1970.",
        Int = "int" (0, 0) "A whole number, rounded towards zero.",
        Float = "float" (0, 0) "A number.",
        Round = "round" (0, 1) "A number rounded to that many digits, 0 unless given.",
        String = "string" (0, 0) "As text.",
    }
}

operations! {
    /// What can stand where a value stands.
    Function {
        Now = "now" (0, 0) "The instant of the rendering.",
        Uuid = "uuid" (0, 0) "A random UUID.",
        Random = "random" (0, 2) "A whole number between two, ends included; 0 to 2^31-1 without.",
    }
}
