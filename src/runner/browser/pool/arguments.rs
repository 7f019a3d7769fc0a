//! What browsers are started with, and what every page is set to.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::runner::browser::error::BrowserError;
use crate::runner::browser::process::find_program;
use crate::runner::browser::settings::BrowserSettings;

/// Programs that are browsers, best first. Debian's wrapper adds flags of its own (a different
/// rasterizer among them), so what it wraps comes before it.
const BROWSERS: [&str; 5] = [
    "/usr/lib/chromium/chromium",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
];

/// Metadata services of AWS, Azure, Google and Alibaba.
///
/// Differs: only these names and literal addresses are shut; a name of another kind that resolves
/// to one of them is the business of an egress proxy.
const METADATA: [&str; 8] = [
    "169.254.169.254",
    "169.254.170.2",
    "[fd00:ec2::254]",
    "168.63.129.16",
    "100.100.100.200",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data.ec2.internal",
];

fn unresolved(host: &str) -> String {
    format!("MAP {host} ^NOTFOUND")
}

/// What a visitor's window is like. The same settings on the same browser give the same picture.
#[derive(Clone, Debug, PartialEq)]
pub struct PageSettings {
    /// Width of the viewport, in CSS pixels.
    pub width: u32,
    /// Height of the viewport, in CSS pixels.
    pub height: u32,
    /// Device pixels per CSS pixel.
    pub scale: f64,
    /// `en-US`.
    pub locale: String,
    /// IANA name.
    pub timezone: String,
    /// Whether pages are told that the visitor prefers dark.
    pub dark: bool,
}

impl Default for PageSettings {
    fn default() -> Self {
        Self {
            width: 1280,
            height: 720,
            scale: 1.0,
            locale: "en-US".to_owned(),
            timezone: "UTC".to_owned(),
            dark: false,
        }
    }
}

/// Whether a browser is started with Chromium's sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sandbox {
    On,
    Off,
}

/// What to ask a driver for that is to start a browser of ours.
pub(super) fn capabilities(
    settings: &BrowserSettings,
    sandbox: Sandbox,
    proxy: Option<SocketAddr>,
) -> Result<Map<String, Value>, BrowserError> {
    let mut arguments = arguments(settings, proxy);
    if sandbox == Sandbox::Off {
        arguments.push("--no-sandbox".to_owned());
    }
    let mut capabilities = session_capabilities();
    capabilities.insert("webSocketUrl".to_owned(), Value::Bool(true));
    capabilities.insert(
        "goog:chromeOptions".to_owned(),
        json!({ "binary": find_browser(settings)?, "args": arguments }),
    );
    Ok(capabilities)
}

/// What to ask a driver for that is to attach a further session to a running browser.
pub(super) fn attaching_capabilities(debugger: &str) -> Map<String, Value> {
    let mut capabilities = session_capabilities();
    capabilities.insert("goog:chromeOptions".to_owned(), json!({ "debuggerAddress": debugger }));
    capabilities
}

/// What to ask a remote end for. It has browsers of its own; ours is to say how they behave.
pub(super) fn remote_capabilities(settings: &BrowserSettings) -> Map<String, Value> {
    let mut capabilities = session_capabilities();
    capabilities.insert("webSocketUrl".to_owned(), Value::Bool(true));
    capabilities
        .insert("goog:chromeOptions".to_owned(), json!({ "args": arguments(settings, None) }));
    capabilities
}

fn session_capabilities() -> Map<String, Value> {
    let capabilities = json!({
        "browserName": "chrome",
        "pageLoadStrategy": "normal",
        // A dialog is answered by the canary, or by us with a note; never behind our back.
        "unhandledPromptBehavior": "ignore",
        "timeouts": { "implicit": 0, "pageLoad": 300_000, "script": 300_000 },
    });
    match capabilities {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn find_browser(settings: &BrowserSettings) -> Result<PathBuf, BrowserError> {
    let names: Vec<PathBuf> = match &settings.browser {
        Some(browser) => vec![browser.clone()],
        None => BROWSERS.iter().map(PathBuf::from).collect(),
    };
    names
        .iter()
        .find_map(|name| find_program(name, &settings.search_path))
        .ok_or_else(|| BrowserError::NoBrowser { names, search_path: settings.search_path.clone() })
}

fn arguments(settings: &BrowserSettings, proxy: Option<SocketAddr>) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "--headless=new",
        // The same picture every time.
        "--hide-scrollbars",
        "--force-color-profile=srgb",
        "--force-device-scale-factor=1",
        "--font-render-hinting=none",
        "--disable-lcd-text",
        "--disable-gpu",
        "--lang=en-US",
        // No traffic and no state but the page's own.
        "--no-first-run",
        "--no-default-browser-check",
        "--no-pings",
        "--disable-background-networking",
        "--disable-breakpad",
        "--disable-client-side-phishing-detection",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-domain-reliability",
        "--disable-extensions",
        "--disable-quic",
        "--disable-sync",
        "--mute-audio",
        "--password-store=basic",
        "--use-mock-keychain",
        // Parts of the window that nobody sees, each with a renderer of its own.
        "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,\
         Translate,MediaRouter,OptimizationHints,AutofillServerCommunication,GlobalMediaControls,\
         SpareRendererForSitePerProcess",
        // One run a browser: what crashes takes only that run along, and less memory is used.
        "--in-process-gpu",
        "--enable-features=NetworkServiceInProcess2",
    ]
    .map(str::to_owned)
    .into();
    if !shared_memory_suffices() {
        arguments.push("--disable-dev-shm-usage".to_owned());
    }
    // Addresses that hand out the machine's own credentials; a page has no business there.
    arguments.push(format!("--host-resolver-rules={}", METADATA.map(unresolved).join(",")));
    if let Some(proxy) = proxy {
        arguments.push(format!("--proxy-server={proxy}"));
        // Loopback too: an egress policy that can be walked around is none.
        arguments.push("--proxy-bypass-list=<-loopback>".to_owned());
        arguments.push("--webrtc-ip-handling-policy=disable_non_proxied_udp".to_owned());
    }
    arguments.extend(settings.arguments.iter().cloned());
    arguments
}

/// Containers have 64 MiB of shared memory unless told otherwise, on which Chromium crashes.
fn shared_memory_suffices() -> bool {
    const NEEDED: u64 = 512 * 1024 * 1024;
    rustix::fs::statvfs(Path::new("/dev/shm"))
        .is_ok_and(|space| space.f_bavail.saturating_mul(space.f_frsize) >= NEEDED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_is_on_unless_it_is_turned_off() {
        let settings =
            BrowserSettings { browser: Some("/bin/sh".into()), ..BrowserSettings::default() };
        let text =
            |sandbox| Value::Object(capabilities(&settings, sandbox, None).unwrap()).to_string();
        assert!(!text(Sandbox::On).contains("--no-sandbox"));
        assert!(text(Sandbox::Off).contains("--no-sandbox"));
    }

    #[test]
    fn a_proxy_is_not_bypassed_for_loopback() {
        let proxy = Some(SocketAddr::from(([127, 0, 0, 1], 1)));
        let arguments = arguments(&BrowserSettings::default(), proxy);
        assert!(arguments.contains(&"--proxy-bypass-list=<-loopback>".to_owned()));
    }

    #[test]
    fn a_missing_browser_is_named_with_where_it_was_looked_for() {
        let settings = BrowserSettings {
            browser: Some("netscape".into()),
            search_path: "/nowhere".to_owned(),
            ..BrowserSettings::default()
        };
        let fault = capabilities(&settings, Sandbox::On, None).unwrap_err();
        assert_eq!(fault.to_string(), "no browser: looked for netscape in /nowhere");
    }
}
