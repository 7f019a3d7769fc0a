//! Runs as one HTML file that needs nothing else: what failed and why, what was asked and how long
//! each part took, pictures with their baselines, and enough to approve them.
//!
//! Main type: [`HtmlReporter`]. Everything a target said is text in it, never markup; the page's
//! policy lets nothing be loaded and one script run. Without scripts all of it is readable.

mod evidence;
mod page;
mod waterfall;

pub(super) use page::HtmlReporter;
