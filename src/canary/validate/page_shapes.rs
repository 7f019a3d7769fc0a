//! The keys of page actions.

use super::shape::Kind::{
    Boolean, Choice, Duration, Either, Integer, ListOf, MapOf, Number, OneOrMany, Predicate,
    Template, Text,
};
use super::shape::{Key, Kind, Shape};
use super::shapes::{CERTIFICATE, QUANTITY, shape};

const LOCATOR: Kind = Either(&[Template, Kind::Shape(&LOCATOR_SHAPE)]);

pub(super) static LOCATOR_SHAPE: Shape = Shape {
    name: "a locator",
    keys: &[
        Key::optional("css", Template, "a CSS selector"),
        Key::optional("xpath", Template, "an XPath"),
        Key::optional("text", Template, "visible text, whole or in part"),
        Key::optional("role", Text, "an ARIA role: button"),
        Key::optional("name", Template, "with `role`: the accessible name"),
        Key::optional("label", Template, "the text of a field's label"),
        Key::optional("placeholder", Template, "a placeholder"),
        Key::optional("test_id", Template, "a data-testid"),
        Key::optional("nth", Integer(0, 10_000), "the n-th match, from 0"),
    ],
    one_of: &["css", "xpath", "text", "role", "label", "placeholder", "test_id"],
};

/// What can be done with a page; exactly one of them.
pub(super) const PAGE_ACTIONS: &[&str] = &[
    "open",
    "click",
    "double_click",
    "hover",
    "fill",
    "select",
    "check",
    "uncheck",
    "upload",
    "press",
    "wait",
    "expect",
    "screenshot",
    "evaluate",
    "capture",
    "viewport",
    "dialog",
    "frame",
    "tab",
    "block",
    "headers",
    "cookie",
];

/// Page actions that are a word alone.
pub(super) const PAGE_WORDS: &[&str] = &["back", "forward", "reload"];

pub(super) static PAGE_ACTION: Shape = Shape {
    name: "a page action",
    keys: &[
        Key::optional("open", Template, "go to a URL"),
        Key::optional("click", LOCATOR, "click"),
        Key::optional("double_click", LOCATOR, "click twice"),
        Key::optional("hover", LOCATOR, "move the pointer over"),
        Key::optional("fill", MapOf(&Template), "locator to text: replace a field's content"),
        Key::optional("select", MapOf(&OneOrMany(&Template)), "locator to options of a list"),
        Key::optional("check", LOCATOR, "set a check box"),
        Key::optional("uncheck", LOCATOR, "clear a check box"),
        Key::optional("upload", MapOf(&OneOrMany(&Template)), "locator to files"),
        Key::optional(
            "press",
            Either(&[Template, MapOf(&Template)]),
            "a key or chord, or locator to key: Enter, Control+A",
        ),
        Key::optional(
            "wait",
            Either(&[Template, Kind::Shape(&WAIT)]),
            "wait for an element or a condition",
        ),
        Key::optional("expect", Kind::Shape(&PAGE_EXPECT), "assert on the page"),
        Key::optional(
            "screenshot",
            Either(&[Text, Kind::Shape(&SCREENSHOT)]),
            "take a picture and compare it with its baseline",
        ),
        Key::optional(
            "evaluate",
            Either(&[Template, Kind::Shape(&EVALUATE)]),
            "run a JavaScript function body in the page",
        ),
        Key::optional(
            "capture",
            MapOf(&Either(&[Choice(&["url", "title"]), Kind::Shape(&PAGE_CAPTURE)])),
            "keep something of the page",
        ),
        Key::optional("viewport", Text, "set the viewport: 1280x720"),
        Key::optional(
            "dialog",
            Either(&[Choice(&["accept", "dismiss"]), Kind::Shape(&DIALOG)]),
            "answer the next dialog",
        ),
        Key::optional("frame", LOCATOR, "work inside this frame; `main` leaves it"),
        Key::optional(
            "tab",
            Choice(&["newest", "first", "close"]),
            "work in the tab that a page opened last, or in the first again",
        ),
        Key::optional(
            "block",
            OneOrMany(&Template),
            "addresses that the tab does not ask for from here on, `*` is any text: */ads/*",
        ),
        Key::optional(
            "headers",
            MapOf(&Template),
            "headers of every request of the tab from here on",
        ),
        Key::optional("cookie", MapOf(&Template), "set cookies on the page's site"),
        Key::optional("timeout", Duration, "how long this action may wait"),
    ],
    one_of: PAGE_ACTIONS,
};

pub(super) static WAIT: Shape = Shape {
    name: "a wait",
    keys: &[
        Key::optional("visible", LOCATOR, "an element is visible"),
        Key::optional("hidden", LOCATOR, "no such element is visible"),
        Key::optional("url", Predicate, "the URL fulfils this"),
        Key::optional("title", Predicate, "the title fulfils this"),
        Key::optional("network", Choice(&["idle"]), "no request for half a second"),
        Key::optional("time", Duration, "a fixed time; better wait for something"),
    ],
    one_of: &["visible", "hidden", "url", "title", "network", "time"],
};

pub(super) static PAGE_EXPECT: Shape = shape(
    "an expectation of a page",
    &[
        Key::optional("text", MapOf(&Predicate), "locator to its visible text"),
        Key::optional("value", MapOf(&Predicate), "locator to a field's value"),
        Key::optional("attribute", MapOf(&MapOf(&Predicate)), "locator to attributes"),
        Key::optional("count", MapOf(&Predicate), "locator to how many match"),
        Key::optional("visible", OneOrMany(&LOCATOR), "elements that are visible"),
        Key::optional("hidden", OneOrMany(&LOCATOR), "elements that are not"),
        Key::optional("url", Predicate, "the page's URL"),
        Key::optional("title", Predicate, "the page's title"),
        Key::optional("console", Predicate, "console messages, each as `level: text`"),
        Key::optional("certificate", Kind::Shape(&CERTIFICATE), "fields of the certificate"),
    ],
);

pub(super) static SCREENSHOT: Shape = shape(
    "a screenshot",
    &[
        Key::required("name", Text, "its name, unique in the canary"),
        Key::optional("full_page", Boolean, "the whole page instead of the viewport"),
        Key::optional("element", LOCATOR, "one element instead of the viewport"),
        Key::optional("ignore", OneOrMany(&LOCATOR), "elements that are masked"),
        Key::optional(
            "ignore_rectangles",
            ListOf(&ListOf(&Integer(0, 100_000))),
            "masked rectangles: x, y, width, height in CSS pixels",
        ),
        Key::optional(
            "sensitivity",
            Choice(&["strict", "normal", "layout"]),
            "how much of a difference is a difference",
        ),
        Key::optional("max_diff", QUANTITY, "share of pixels that may differ: 0.1%"),
        Key::optional("ssim", Number, "least structural similarity, 0 to 1"),
        Key::optional("hybrid", Number, "least hybrid score, 0 to 1"),
    ],
);

pub(super) static EVALUATE: Shape = shape(
    "a script of a page",
    &[
        Key::required("script", Template, "a JavaScript function body"),
        Key::optional("capture", Text, "the variable that keeps its result"),
    ],
);

pub(super) static PAGE_CAPTURE: Shape = Shape {
    name: "a capture of a page",
    keys: &[
        Key::optional("text", LOCATOR, "the visible text of an element"),
        Key::optional("value", LOCATOR, "the value of a field"),
        Key::optional("count", LOCATOR, "how many elements match"),
        Key::optional("attribute", Text, "with `of`: an attribute's name"),
        Key::optional("of", LOCATOR, "with `attribute`: the element"),
    ],
    one_of: &["text", "value", "count", "attribute"],
};

pub(super) static DIALOG: Shape =
    shape("an answer to a dialog", &[Key::required("accept", Template, "the text for a prompt")]);
