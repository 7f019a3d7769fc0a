//! The keys of canary files.

use super::page_shapes;
use super::shape::Kind::{
    Boolean, Choice, Duration, Either, Integer, ListOf, MapOf, Number, OneOrMany, Predicate,
    Template, Text, Value,
};
use super::shape::{Key, Kind, Shape};

pub(super) const fn shape(name: &'static str, keys: &'static [Key]) -> Shape {
    Shape { name, keys, one_of: &[] }
}

pub(in crate::canary) static CANARY: Shape = shape(
    "a canary",
    &[
        Key::required("canary", Text, "its name: lower-case letters, digits, `-` and `_`"),
        Key::optional("description", Text, "one line for people"),
        Key::optional(
            "schedule",
            Either(&[Text, Kind::Shape(&SCHEDULE)]),
            "when it runs: rate(1 minute), cron(0/5 8-18 ? * MON-FRI *)",
        ),
        Key::optional("timeout", Duration, "how long one attempt may take; 60s unless given"),
        Key::optional(
            "retry",
            Either(&[Integer(0, 10), Kind::Shape(&RETRY)]),
            "whether a failed attempt is repeated",
        ),
        Key::optional(
            "overlap",
            Either(&[Choice(&["skip", "queue", "cancel"]), Kind::Shape(&OVERLAP)]),
            "what happens when a run is due and the last one still runs",
        ),
        Key::optional("tags", OneOrMany(&Text), "words to select canaries by"),
        Key::optional("vars", MapOf(&Value), "variables; a null has to be given by the caller"),
        Key::optional(
            "secrets",
            ListOf(&Either(&[Text, Kind::Shape(&SECRET)])),
            "names of the secrets it may use",
        ),
        Key::optional("use", OneOrMany(&USE), "files whose steps and variables are taken in"),
        Key::optional("matrix", MapOf(&ListOf(&Value)), "one run for each combination"),
        Key::optional("rows", Text, "a CSV or JSON file: one run for each row"),
        Key::optional("connections", Choice(&["fresh", "keep"]), "reuse of connections in a run"),
        Key::optional("browser", Kind::Shape(&BROWSER), "what its browser pretends to be"),
        Key::optional("setup", ListOf(&STEP_OR_USE), "steps before all others"),
        Key::optional("steps", ListOf(&STEP_OR_USE), "what it does"),
        Key::optional("teardown", ListOf(&STEP_OR_USE), "steps that run whatever happened"),
        Key::optional("alarms", ListOf(&Kind::Shape(&ALARM)), "alarms on its own metrics"),
        Key::optional(
            "silence",
            Choice(&["alarm", "ignore"]),
            "what it means when no run is recorded for three periods; alarm unless given",
        ),
        Key::optional(
            "maintenance",
            ListOf(&Kind::Shape(&MAINTENANCE)),
            "windows in which no run starts and its alarms rest",
        ),
    ],
);

/// A file that others use.
pub(in crate::canary) static FRAGMENT: Shape = shape(
    "a shared file",
    &[
        Key::optional("description", Text, "one line for people"),
        Key::optional("vars", MapOf(&Value), "variables; a null has to be given by `with`"),
        Key::optional(
            "secrets",
            ListOf(&Either(&[Text, Kind::Shape(&SECRET)])),
            "names of the secrets it may use",
        ),
        Key::optional("steps", ListOf(&STEP), "its steps"),
        Key::optional("teardown", ListOf(&STEP), "steps that run whatever happened"),
    ],
);

const STEP: Kind = Kind::Shape(&STEP_SHAPE);
const STEP_OR_USE: Kind = Either(&[STEP, Kind::Shape(&USE_SHAPE)]);
const USE: Kind = Either(&[Text, Kind::Shape(&USE_FILE)]);

pub(super) static SCHEDULE: Shape = shape(
    "a schedule",
    &[
        Key::required("expression", Text, "rate(..) or cron(..)"),
        Key::optional("timezone", Text, "IANA name; UTC unless given"),
    ],
);

pub(super) static RETRY: Shape = shape(
    "a retry",
    &[
        Key::required("attempts", Integer(1, 100), "attempts in all"),
        Key::optional("delay", Duration, "wait before the next attempt"),
        Key::optional(
            "on",
            OneOrMany(&Choice(&["target", "no-answer", "visual", "runner"])),
            "only failures of these kinds are repeated",
        ),
    ],
);

pub(super) static OVERLAP: Shape =
    shape("an overlap", &[Key::required("allow", Integer(1, 100), "how many run side by side")]);

pub(super) static SECRET: Shape = shape(
    "a secret",
    &[
        Key::required("name", Text, "its name"),
        Key::optional("hosts", OneOrMany(&Text), "hosts it may be sent to; any unless given"),
    ],
);

pub(super) static USE_FILE: Shape = shape(
    "a use of a file",
    &[
        Key::required("file", Text, "the file, relative to the canary's folder"),
        Key::optional("with", MapOf(&Value), "values of its variables"),
    ],
);

pub(super) static USE_SHAPE: Shape = shape(
    "a use of a file",
    &[
        Key::required("use", Text, "the file, relative to the canary's folder"),
        Key::optional("with", MapOf(&Value), "values of its variables"),
    ],
);

pub(super) static BROWSER: Shape = shape(
    "the browser settings",
    &[
        Key::optional("viewport", Text, "width and height in CSS pixels: 1280x720"),
        Key::optional("scale", Number, "device pixels a CSS pixel, 0.5 to 4"),
        Key::optional("locale", Text, "language and region: en-US"),
        Key::optional("timezone", Text, "IANA name of the time zone that pages see"),
        Key::optional("colour_scheme", Choice(&["light", "dark"]), "what pages are told"),
    ],
);

pub(super) static ALARM: Shape = shape(
    "an alarm",
    &[
        Key::required("when", Text, "SuccessPercent < 100 for 2 of 3 periods of 1m"),
        Key::optional("name", Text, "its name"),
        Key::optional(
            "missing",
            Choice(&["missing", "ignore", "breaching", "notBreaching"]),
            "how periods without data count",
        ),
        Key::optional("notify", OneOrMany(&Text), "names of notification channels"),
        Key::optional("dwell", Duration, "least time between two messages; what flaps is held"),
        Key::optional("remind", Duration, "while it stands, people are reminded this often"),
    ],
);

pub(super) static MAINTENANCE: Shape = shape(
    "a maintenance window",
    &[
        Key::required("starts", Text, "cron(..), as a schedule"),
        Key::required("lasts", Duration, "how long it is open"),
        Key::optional("timezone", Text, "IANA name; UTC unless given"),
    ],
);

/// What a step can do; exactly one of them.
pub(super) const ACTIONS: &[&str] =
    &["http", "tcp", "tls", "dns", "icmp", "websocket", "grpc", "browser"];

pub(super) static STEP_SHAPE: Shape = Shape {
    name: "a step",
    keys: &[
        Key::required("step", Text, "its name, unique in the canary"),
        Key::optional("http", Either(&[Template, Kind::Shape(&HTTP)]), "one HTTP request"),
        Key::optional("tcp", Either(&[Template, Kind::Shape(&TCP)]), "a TCP dialogue"),
        Key::optional("tls", Either(&[Template, Kind::Shape(&TLS)]), "a TLS handshake"),
        Key::optional("dns", Either(&[Template, Kind::Shape(&DNS)]), "a name look-up"),
        Key::optional("icmp", Either(&[Template, Kind::Shape(&ICMP)]), "echo requests"),
        Key::optional(
            "websocket",
            Either(&[Template, Kind::Shape(&WEBSOCKET)]),
            "a WebSocket dialogue",
        ),
        Key::optional(
            "grpc",
            Either(&[Template, Kind::Shape(&GRPC)]),
            "a gRPC call or health check",
        ),
        Key::optional(
            "browser",
            ListOf(&Either(&[Text, Kind::Shape(&page_shapes::PAGE_ACTION)])),
            "a list of page actions",
        ),
        Key::optional("expect", OneOrMany(&Kind::Shape(&EXPECT)), "what must hold of the answer"),
        Key::optional(
            "capture",
            MapOf(&Either(&[Text, Kind::Shape(&CAPTURE)])),
            "what is kept for later steps",
        ),
        Key::optional("emit", Kind::Shape(&EMIT), "metrics, log lines and annotations"),
        Key::optional("timeout", Duration, "how long it may take"),
        Key::optional(
            "retry",
            Either(&[Integer(0, 10), Kind::Shape(&RETRY)]),
            "whether the step alone is tried again",
        ),
        Key::optional("always", Boolean, "runs although an earlier step failed"),
        Key::optional(
            "reuse",
            Duration,
            "for how long other runs take over its captures: one login for all of them",
        ),
    ],
    one_of: ACTIONS,
};

/// The methods that are keys of their own.
pub(super) const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options"];

pub(super) static HTTP: Shape = Shape {
    name: "an HTTP request",
    keys: &[
        Key::optional("get", Template, "the URL to GET"),
        Key::optional("post", Template, "the URL to POST to"),
        Key::optional("put", Template, "the URL to PUT to"),
        Key::optional("patch", Template, "the URL to PATCH"),
        Key::optional("delete", Template, "the URL to DELETE"),
        Key::optional("head", Template, "the URL to ask for its HEAD"),
        Key::optional("options", Template, "the URL to ask for its OPTIONS"),
        Key::optional("url", Template, "the URL, with `method`"),
        Key::optional("method", Text, "the method, with `url`; GET unless given"),
        Key::optional("query", MapOf(&Template), "query parameters, encoded"),
        Key::optional("headers", MapOf(&Template), "headers"),
        Key::optional("body", Template, "a body as it is"),
        Key::optional("json", Value, "a JSON body"),
        Key::optional("form", MapOf(&Template), "a URL-encoded form"),
        Key::optional("file", Template, "a body from a file"),
        Key::optional(
            "multipart",
            MapOf(&Either(&[Template, Kind::Shape(&MULTIPART_FILE)])),
            "a multipart form",
        ),
        Key::optional("auth", Kind::Shape(&AUTH), "how to sign in"),
        Key::optional(
            "redirects",
            Either(&[Boolean, Integer(0, 20)]),
            "whether redirects are followed, and how many; 10 unless given",
        ),
        Key::optional("insecure", Boolean, "certificates that do not verify are accepted"),
        Key::optional("certificate", Kind::Shape(&CLIENT_CERTIFICATE), "a client certificate"),
        Key::optional("version", Choice(&["1.1", "2"]), "the HTTP version to insist on"),
        Key::optional("proxy", Template, "the URL of a proxy"),
    ],
    one_of: &["get", "post", "put", "patch", "delete", "head", "options", "url"],
};

/// The keys that are a body; at most one of them.
pub(super) const BODIES: &[&str] = &["body", "json", "form", "file", "multipart"];

pub(super) static MULTIPART_FILE: Shape =
    shape("a file of a form", &[Key::required("file", Template, "the file to send")]);

pub(super) static CLIENT_CERTIFICATE: Shape = shape(
    "a client certificate",
    &[
        Key::required("cert", Template, "the certificate chain, a PEM file"),
        Key::required("key", Template, "the private key, a PEM file"),
    ],
);

pub(super) static AUTH: Shape = Shape {
    name: "an auth",
    keys: &[
        Key::optional("basic", Kind::Shape(&USER_PASSWORD), "RFC 7617"),
        Key::optional("digest", Kind::Shape(&USER_PASSWORD), "RFC 7616"),
        Key::optional("bearer", Template, "a token"),
        Key::optional("api_key", Kind::Shape(&API_KEY), "a key in a header"),
        Key::optional("oauth2", Kind::Shape(&OAUTH2), "OAuth 2.0 client credentials"),
        Key::optional("sigv4", Kind::Shape(&SIGV4), "AWS Signature Version 4"),
    ],
    one_of: &["basic", "digest", "bearer", "api_key", "oauth2", "sigv4"],
};

pub(super) static USER_PASSWORD: Shape = shape(
    "a user and password",
    &[
        Key::required("user", Template, "the user's name"),
        Key::required("password", Template, "the password"),
    ],
);

pub(super) static API_KEY: Shape = shape(
    "an API key",
    &[
        Key::required("header", Text, "the header's name"),
        Key::required("key", Template, "the key"),
    ],
);

pub(super) static OAUTH2: Shape = shape(
    "an OAuth 2.0 client",
    &[
        Key::required("token_url", Template, "the token endpoint"),
        Key::required("client_id", Template, "the client's id"),
        Key::required("client_secret", Template, "the client's secret"),
        Key::optional("scope", Template, "scopes, separated by spaces"),
        Key::optional("audience", Template, "the audience, where the server wants one"),
    ],
);

pub(super) static SIGV4: Shape = shape(
    "a SigV4 signer",
    &[
        Key::required("access_key_id", Template, "the access key id"),
        Key::required("secret_access_key", Template, "the secret access key"),
        Key::optional("session_token", Template, "the session token"),
        Key::required("region", Template, "the region: eu-central-1"),
        Key::required("service", Template, "the service: execute-api"),
    ],
);

const DIALOGUE: Kind = ListOf(&Either(&[Text, Kind::Shape(&DIALOGUE_LINE)]));

pub(super) static DIALOGUE_LINE: Shape = Shape {
    name: "a line of a dialogue",
    keys: &[
        Key::optional("send", Template, "a text to send; in double quotes \\r\\n is a line end"),
        Key::optional("expect", Predicate, "then read until this holds of what came"),
    ],
    one_of: &[],
};

pub(super) static TCP: Shape = shape(
    "a TCP dialogue",
    &[
        Key::required("host", Template, "host name or address"),
        Key::required("port", Template, "port"),
        Key::optional("tls", Boolean, "speak TLS from the start"),
        Key::optional("dialogue", DIALOGUE, "what is said: send, expect, starttls"),
    ],
);

pub(super) static TLS: Shape = shape(
    "a TLS handshake",
    &[
        Key::required("host", Template, "host name or address"),
        Key::optional("port", Template, "port; 443 unless given"),
        Key::optional("server_name", Template, "name for SNI and verification"),
        Key::optional("insecure", Boolean, "certificates that do not verify are observed"),
    ],
);

/// The record types that can be asked for.
pub(super) const RECORD_TYPES: &[&str] =
    &["A", "AAAA", "CNAME", "MX", "TXT", "NS", "SRV", "CAA", "PTR", "SOA"];

pub(super) static DNS: Shape = shape(
    "a name look-up",
    &[
        Key::required("name", Template, "the name"),
        Key::optional("type", Choice(RECORD_TYPES), "the record type; A unless given"),
        Key::optional("resolver", Template, "address[:port] of the resolver to ask"),
        Key::optional("tcp", Boolean, "ask over TCP"),
    ],
);

pub(super) static ICMP: Shape = shape(
    "a ping",
    &[
        Key::required("host", Template, "host name or address"),
        Key::optional("count", Integer(1, 20), "how many requests; 3 unless given"),
    ],
);

pub(super) static WEBSOCKET: Shape = shape(
    "a WebSocket dialogue",
    &[
        Key::required("url", Template, "ws: or wss: URL"),
        Key::optional("headers", MapOf(&Template), "headers of the handshake"),
        Key::optional("dialogue", DIALOGUE, "what is said: send, expect"),
    ],
);

pub(super) static GRPC: Shape = shape(
    "a gRPC call",
    &[
        Key::required("url", Template, "http: or https: URL"),
        Key::optional("health", Template, "the service asked about; the whole server unless given"),
        Key::optional("call", Text, "a unary method to call: shop.v1.Catalogue/Find"),
        Key::optional("message", Value, "with `call`: the message, in the JSON of protobuf"),
        Key::optional(
            "descriptors",
            Template,
            "with `call`: a file of compiled descriptors; server reflection unless given",
        ),
        Key::optional("metadata", MapOf(&Template), "metadata"),
    ],
);

pub(in crate::canary) static PREDICATE: Shape = shape(
    "a predicate",
    &[
        Key::optional("equals", Value, "it is this value"),
        Key::optional("not", Predicate, "this does not hold"),
        Key::optional("contains", Value, "a text holds this text, a list this value"),
        Key::optional("starts_with", Template, "a text starts with this"),
        Key::optional("ends_with", Template, "a text ends with this"),
        Key::optional("matches", Text, "a text matches this regex"),
        Key::optional("under", QUANTITY, "it is smaller"),
        Key::optional("over", QUANTITY, "it is larger"),
        Key::optional("between", ListOf(&QUANTITY), "it lies between the two, ends included"),
        Key::optional("one_of", ListOf(&Value), "it is one of these"),
        Key::optional("exists", Boolean, "it is there, or it is not"),
        Key::optional(
            "is",
            Choice(&["null", "boolean", "number", "string", "list", "object"]),
            "it is of this type",
        ),
        Key::optional("length", Predicate, "its length fulfils this"),
        Key::optional("count", Predicate, "how many were selected fulfils this"),
        Key::optional("schema", Value, "it is valid under this JSON Schema"),
    ],
);

pub(super) const QUANTITY: Kind = Either(&[Number, Text]);

pub(super) static EXPECT: Shape = shape(
    "an expectation",
    &[
        Key::optional("status", Predicate, "the status code: 200, 2xx"),
        Key::optional(
            "latency",
            Either(&[Text, Kind::Shape(&LATENCY), Kind::Shape(&PREDICATE)]),
            "from start to end: under 300ms; or by phase",
        ),
        Key::optional("header", MapOf(&Predicate), "response headers"),
        Key::optional("cookie", MapOf(&Predicate), "cookies set by the response"),
        Key::optional("body", Predicate, "the body as text"),
        Key::optional("json", MapOf(&Predicate), "JSON paths into the body"),
        Key::optional("css", MapOf(&Predicate), "CSS selectors into an HTML body"),
        Key::optional("xpath", MapOf(&Predicate), "XPaths into an XML or HTML body"),
        Key::optional("bytes", Predicate, "the length of the body"),
        Key::optional("sha256", Predicate, "the SHA-256 of the body"),
        Key::optional("redirects", Predicate, "how many redirects were followed"),
        Key::optional("url", Predicate, "the URL that answered in the end"),
        Key::optional("remote_address", Predicate, "the address connected to"),
        Key::optional("version", Predicate, "HTTP/1.1, TLSv1.3"),
        Key::optional("expires", Predicate, "time left of the certificate: over 30d"),
        Key::optional("certificate", Kind::Shape(&CERTIFICATE), "fields of the certificate"),
        Key::optional("received", Predicate, "everything received in a dialogue"),
        Key::optional("records", Predicate, "records of a DNS answer"),
        Key::optional("ttl", Predicate, "the smallest time to live of a DNS answer, in seconds"),
        Key::optional("response_code", Predicate, "the DNS response code: NOERROR"),
        Key::optional("authoritative", Predicate, "whether the DNS answer is authoritative"),
        Key::optional("loss", Predicate, "share of echo requests without a reply, in percent"),
        Key::optional("message", Predicate, "the gRPC status message"),
    ],
);

pub(super) static LATENCY: Shape = shape(
    "a latency by phase",
    &[
        Key::optional("total", Predicate, "from start to end"),
        Key::optional("resolve", Predicate, "name to addresses"),
        Key::optional("connect", Predicate, "address to connection"),
        Key::optional("tls", Predicate, "the TLS handshake"),
        Key::optional("send", Predicate, "the request leaves"),
        Key::optional("wait", Predicate, "until the first byte of the answer"),
        Key::optional("receive", Predicate, "the answer arrives"),
    ],
);

pub(super) static CERTIFICATE: Shape = shape(
    "a certificate",
    &[
        Key::optional("expires", Predicate, "time left: over 30d"),
        Key::optional("subject", Predicate, "the subject"),
        Key::optional("issuer", Predicate, "the issuer"),
        Key::optional("names", Predicate, "the names it is good for"),
        Key::optional("serial", Predicate, "the serial number, hex"),
        Key::optional("sha256", Predicate, "the fingerprint, hex"),
        Key::optional("trusted", Predicate, "whether chain and name were trusted"),
    ],
);

/// The fields of a certificate that can be captured.
pub(super) const CERTIFICATE_FIELDS: &[&str] =
    &["expires", "subject", "issuer", "names", "serial", "sha256", "trusted"];

pub(super) static CAPTURE: Shape = Shape {
    name: "a capture",
    keys: &[
        Key::optional("json", Text, "a JSON path into the body"),
        Key::optional("css", Text, "a CSS selector into an HTML body"),
        Key::optional("xpath", Text, "an XPath into an XML or HTML body"),
        Key::optional("attribute", Text, "with `css`: this attribute instead of the text"),
        Key::optional("regex", Text, "the first group of a regex over the body"),
        Key::optional("header", Text, "a response header"),
        Key::optional("cookie", Text, "a cookie set by the response"),
        Key::optional("certificate", Choice(CERTIFICATE_FIELDS), "a field of the certificate"),
        Key::optional("status", Boolean, "the status code: `status: true`"),
        Key::optional("body", Boolean, "the whole body: `body: true`"),
        Key::optional("url", Boolean, "the URL that answered: `url: true`"),
        Key::optional("secret", Boolean, "it is a secret from now on"),
    ],
    one_of: &[
        "json",
        "css",
        "xpath",
        "regex",
        "header",
        "cookie",
        "certificate",
        "status",
        "body",
        "url",
    ],
};

pub(super) static EMIT: Shape = shape(
    "an emit",
    &[
        Key::optional(
            "metrics",
            MapOf(&Either(&[Template, Kind::Shape(&EMIT_METRIC)])),
            "metrics: name to value",
        ),
        Key::optional("log", OneOrMany(&Template), "log lines"),
        Key::optional("annotations", MapOf(&Template), "annotations of the trace"),
    ],
);

pub(super) static EMIT_METRIC: Shape = shape(
    "a metric",
    &[
        Key::required("value", Template, "its value, a number once rendered"),
        Key::optional("unit", Text, "its unit: Count, Milliseconds, Bytes"),
    ],
);
