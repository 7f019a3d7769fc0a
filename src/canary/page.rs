//! What can be done with a page, and how its elements are found.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::assertion::{CertificateField, Predicate};
use super::template::Text;
use crate::diagnostic::Span;

/// One page action with its place and its time limit.
#[derive(Clone, Debug)]
pub struct BrowserStep {
    /// What is done.
    pub action: BrowserAction,
    /// Where it stands.
    pub span: Span,
    /// How long it may wait; the default is the browser's own.
    pub timeout: Option<Duration>,
}

/// What can be done with a page. Every action waits until it can be done.
#[derive(Clone, Debug)]
pub enum BrowserAction {
    /// Go to a URL.
    Open(Text),
    /// Go back, forward or load again.
    History(HistoryMove),
    /// Click.
    Click(Locator),
    /// Click twice.
    DoubleClick(Locator),
    /// Move the pointer over.
    Hover(Locator),
    /// Replace the content of a field.
    Fill(Locator, Text),
    /// Choose options of a `select`, by value or by text.
    Select(Locator, Vec<Text>),
    /// Set a check box.
    Check(Locator, bool),
    /// Choose files, relative to the canary's folder.
    Upload(Locator, Vec<Text>),
    /// Press a key or a chord, on the focused element or a given one: `Enter`, `Control+A`.
    Press(Option<Locator>, Text),
    /// Wait until a condition holds.
    Wait(WaitCondition),
    /// Assert on the page.
    Expect(Vec<PageAssertion>),
    /// Take a picture and compare it with its baseline.
    Screenshot(ScreenshotAction),
    /// Run a function body in the page; its result is kept under a name, if one is given.
    Evaluate {
        /// JavaScript, a function body.
        script: Text,
        /// Variable that keeps the result.
        capture: Option<Arc<str>>,
    },
    /// Keep something of the page for later steps.
    Capture(Arc<str>, PageSubject),
    /// Set the viewport.
    Viewport {
        /// CSS pixels.
        width: u32,
        /// CSS pixels.
        height: u32,
    },
    /// Answer the next dialog.
    Dialog {
        /// Accept or dismiss.
        accept: bool,
        /// Text for a prompt.
        text: Option<Text>,
    },
    /// Work inside a frame from here on; `None` leaves it.
    Frame(Option<Locator>),
    /// Work in another tab.
    Tab(TabMove),
    /// Refuse the tab's requests to addresses that these describe, `*` for any text.
    Block(Vec<Text>),
    /// Send headers with every request of the tab.
    Headers(Vec<(Arc<str>, Text)>),
    /// Set a cookie on the current page's site.
    Cookie {
        /// Its name.
        name: Text,
        /// Its value.
        value: Text,
    },
}

/// A move between the tabs of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TabMove {
    /// To the one that a page opened last; waits for it.
    Newest,
    /// To the one that the run began with.
    First,
    /// Closes this one and goes to the first.
    Close,
}

/// A move in the session's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the browser's own words")]
pub enum HistoryMove {
    Back,
    Forward,
    Reload,
}

/// How an element is found. Strict: two matches are a fault that shows both.
#[derive(Clone, Debug, PartialEq)]
pub struct Locator {
    /// By what.
    pub by: LocateBy,
    /// Take the n-th match (0-based) instead of insisting on one.
    pub nth: Option<usize>,
    /// Where it stands.
    pub span: Span,
}

/// By what an element is found.
#[derive(Clone, Debug, PartialEq)]
pub enum LocateBy {
    /// A CSS selector.
    Css(Text),
    /// An XPath.
    XPath(Text),
    /// Its visible text, whole or in part.
    Text(Text),
    /// Its ARIA role and, if given, its accessible name.
    Role {
        /// `button`.
        role: Arc<str>,
        /// Accessible name.
        name: Option<Text>,
    },
    /// The text of its label.
    Label(Text),
    /// Its placeholder.
    Placeholder(Text),
    /// Its `data-testid`.
    TestId(Text),
}

/// What a wait waits for.
#[derive(Clone, Debug)]
pub enum WaitCondition {
    /// An element is visible.
    Visible(Locator),
    /// No such element is visible.
    Hidden(Locator),
    /// The URL fulfils a predicate.
    Url(Predicate),
    /// The title fulfils a predicate.
    Title(Predicate),
    /// No request has been under way for half a second.
    NetworkIdle,
    /// A fixed time. Validation warns about it.
    Time(Duration),
}

/// One predicate over something of a page. It is tried again until it holds or time is up.
#[derive(Clone, Debug)]
pub struct PageAssertion {
    /// What is looked at.
    pub subject: PageSubject,
    /// What must hold.
    pub predicate: Predicate,
    /// Where it stands.
    pub span: Span,
}

/// What can be looked at in a page.
#[derive(Clone, Debug)]
pub enum PageSubject {
    /// The visible text of an element.
    Text(Locator),
    /// The value of a field.
    Value(Locator),
    /// An attribute of an element.
    Attribute(Locator, Arc<str>),
    /// How many elements match.
    Count(Locator),
    /// Whether an element is visible.
    Visible(Locator),
    /// The page's URL.
    Url,
    /// The page's title.
    Title,
    /// Messages of the console, errors of scripts among them, each as `level: text`.
    Console,
    /// The certificate of the page.
    Certificate(CertificateField),
}

/// A picture to take and compare.
#[derive(Clone, Debug)]
pub struct ScreenshotAction {
    /// Its name, unique in the canary; part of the baseline's path.
    pub name: Arc<str>,
    /// What is in it.
    pub extent: ScreenshotExtent,
    /// Elements that are masked.
    pub ignore: Vec<Locator>,
    /// Rectangles that are masked, in CSS pixels: x, y, width, height.
    pub ignore_rectangles: Vec<[u32; 4]>,
    /// How differences are judged.
    pub comparison: PictureComparison,
}

/// What is in a picture.
#[derive(Clone, Debug, Default)]
pub enum ScreenshotExtent {
    /// What the window shows.
    #[default]
    Viewport,
    /// The whole page.
    FullPage,
    /// One element.
    Element(Locator),
}

/// How a picture is compared with its baseline.
#[derive(Clone, Debug, PartialEq)]
pub enum PictureComparison {
    /// By perception; see `visual`.
    Perceptual(PictureSensitivity),
    /// At most this share of pixels may differ, in percent: AWS's variance threshold.
    MaxDiff(f64),
    /// Mean structural similarity must be at least this, from 0 to 1.
    Ssim(f64),
    /// Hybrid score of `image-compare` must be at least this, from 0 to 1.
    Hybrid(f64),
}

impl Default for PictureComparison {
    fn default() -> Self {
        Self::Perceptual(PictureSensitivity::Normal)
    }
}

/// How much of a difference is a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PictureSensitivity {
    /// Any perceptible difference.
    Strict,
    /// Rendering noise is tolerated.
    #[default]
    Normal,
    /// Only structure counts: moved and missing things.
    Layout,
}
