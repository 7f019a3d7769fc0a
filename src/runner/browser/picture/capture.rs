//! Taking the picture: hold still, shoot until two are the same, let go.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::shot::{Shot, ShotExtent, ShotRequest};
use super::tiles;
use crate::canary::report::Verdict;
use crate::runner::browser::page::{ActionLimit, BrowserSession, PageFault, Selector};
use crate::runner::browser::protocol::{Command, ElementId};
use crate::time::Deadline;
use crate::visual::{Environment, Rect, Size, Theme};

/// How long a picture may take unless told otherwise.
const SHOT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long fonts and images of a page are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pictures that are tried for two equal ones in a row.
const TRIES_MAX: usize = 8;
/// Device pixels that Chromium draws in one piece.
///
/// Source: puppeteer/puppeteer#359; longer pictures come out white below.
const DRAWN_PIXELS_MAX: f64 = 16_384.0;
/// Height of a tile, in device pixels.
const TILE_PIXELS: f64 = 8_192.0;
/// Pages longer than this are cut off, in CSS pixels.
const PAGE_LENGTH_MAX: f64 = 60_000.0;

const STILL: &str = concat!(
    include_str!("../page/script/locate.js"),
    include_str!("still.js"),
    include_str!("sidecar.js"),
    "const request = arguments[0];\n",
    "switch (request.op) {\n",
    "  case 'still': return still(request);\n",
    "  case 'unroll': return unroll(request);\n",
    "  case 'release': return release();\n",
    "  case 'geometry': return geometry(request);\n",
    "  case 'moving': return moving();\n",
    "  case 'words': return { fonts: fonts(), ...sidecar() };\n",
    "}\n",
);

/// A rectangle in CSS pixels of the document.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Area {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Area {
    fn from_result(value: &Value) -> Option<Self> {
        let number = |at: usize| value.get(at)?.as_f64();
        Some(Self { x: number(0)?, y: number(1)?, width: number(2)?, height: number(3)? })
    }

    /// Grown to whole pixels, so that the same element at another fraction gives the same size.
    fn whole(self) -> Self {
        let (x, y) = (self.x.floor(), self.y.floor());
        let width = (self.x + self.width).ceil() - x;
        Self { x, y, width, height: (self.y + self.height).ceil() - y }
    }
}

/// What is shot: how, and where its pixels lie in the document.
#[derive(Debug)]
struct Aim {
    area: Area,
    element: Option<ElementId>,
    /// The window shows exactly this.
    is_window: bool,
    ignored: Vec<Area>,
}

impl BrowserSession {
    /// Takes a picture that comes out the same when the page is the same.
    ///
    /// Errors: as for an action on the element, where one is asked for. A page that does not hold
    /// still is no error; [`Shot::unsteady`] says what moved.
    pub async fn shot(
        &mut self,
        request: &ShotRequest,
        limit: ActionLimit,
    ) -> Result<Shot, PageFault> {
        let deadline = self.action_deadline(limit.timeout, SHOT_TIMEOUT, limit.step);
        let taken = self.shot_held(request, limit, deadline).await;
        // The page goes on, also after a picture that failed; but not one that is lost.
        if !matches!(taken, Err(PageFault::Lost { .. } | PageFault::Unresponsive { .. })) {
            let released = self.still_script(json!({ "op": "release" }), deadline).await;
            if taken.is_ok() {
                released?;
            }
        }
        taken
    }

    async fn shot_held(
        &mut self,
        request: &ShotRequest,
        limit: ActionLimit,
        deadline: Deadline,
    ) -> Result<Shot, PageFault> {
        let element = match &request.extent {
            ShotExtent::Element(selector) => Some(self.visible(selector, limit).await?),
            ShotExtent::Viewport | ShotExtent::FullPage => None,
        };
        let patience = deadline.left(self.clock()).min(PATIENCE);
        if matches!(request.extent, ShotExtent::FullPage) {
            let unroll = json!({ "op": "unroll", "limit": PAGE_LENGTH_MAX });
            self.still_script(unroll, deadline).await?;
        }
        let still = json!({ "op": "still", "patience": patience.as_millis().min(60_000) });
        self.still_script(still, deadline).await?;
        let aim = self.aim(request, element, deadline).await?;
        let (png, is_steady) = self.steady(&aim, deadline).await?;
        let unsteady = match is_steady {
            true => Vec::new(),
            false => self.what_moves(deadline).await?,
        };
        let words = self.still_script(json!({ "op": "words" }), deadline).await?;
        let scale = self.page_settings().scale;
        let mut ignore: Vec<Rect> =
            aim.ignored.iter().filter_map(|area| pixels(*area, aim.area, scale)).collect();
        let origin = Area { x: 0.0, y: 0.0, ..aim.area };
        for [x, y, width, height] in &request.ignore_rectangles {
            let [x, y, width, height] = [x, y, width, height].map(|side| f64::from(*side));
            ignore.extend(pixels(Area { x, y, width, height }, origin, scale));
        }
        Ok(Shot {
            png,
            ignore,
            viewport: Size {
                width: self.page_settings().width,
                height: self.page_settings().height,
            },
            environment: self.environment(&words),
            sidecar: sidecar(words, aim.area),
            unsteady,
        })
    }

    /// A picture of the window as it is now, for a failure; `None` when even that cannot be had.
    pub async fn failure_shot(&mut self, deadline: Deadline) -> Option<Bytes> {
        // Secrets are covered in this one, too.
        let cover = json!({ "op": "still", "patience": 0 });
        self.still_script(cover, deadline).await.ok()?;
        let aim = Aim {
            area: Area { x: 0.0, y: 0.0, width: 0.0, height: 0.0 },
            element: None,
            is_window: true,
            ignored: Vec::new(),
        };
        let picture = self.capture(&aim, deadline).await.ok()?;
        STANDARD.decode(picture).ok().map(Bytes::from)
    }

    async fn still_script(
        &mut self,
        request: Value,
        deadline: Deadline,
    ) -> Result<Value, PageFault> {
        let hard = self.hard(deadline);
        self.script(STILL, &request, hard).await.map_err(Self::fault)
    }

    async fn aim(
        &mut self,
        request: &ShotRequest,
        element: Option<ElementId>,
        deadline: Deadline,
    ) -> Result<Aim, PageFault> {
        let ignore: Vec<Value> = request
            .ignore
            .iter()
            // Every match is masked.
            .map(|selector| Selector { nth: None, ..selector.clone() }.to_argument())
            .collect();
        let ask = json!({
            "op": "geometry", "ignore": ignore,
            "element": element.as_ref().map(ElementId::as_argument),
        });
        let found = self.still_script(ask, deadline).await?;
        if let Some(reason) = found.get("invalid").and_then(Value::as_str) {
            let locators: Vec<String> = request.ignore.iter().map(ToString::to_string).collect();
            return Err(PageFault::BadLocator {
                locator: locators.join(", "),
                reason: reason.to_owned(),
            });
        }
        let pair = |name: &str| {
            let pair = found.get(name)?;
            Some((pair.get(0)?.as_f64()?, pair.get(1)?.as_f64()?))
        };
        let settings = self.page_settings();
        let window = (f64::from(settings.width), f64::from(settings.height));
        let (x, y) = pair("scroll").unwrap_or_default();
        let seen = Area { x, y, width: window.0, height: window.1 };
        let area = match &request.extent {
            ShotExtent::Viewport => seen,
            ShotExtent::FullPage => {
                let (width, height) = pair("page").unwrap_or(window);
                let height = height.min(PAGE_LENGTH_MAX).max(window.1);
                Area { x: 0.0, y: 0.0, width: width.max(window.0), height }
            }
            ShotExtent::Element(_) => {
                found.get("element").and_then(Area::from_result).unwrap_or(seen).whole()
            }
        };
        let ignored = found.get("ignored").and_then(Value::as_array).into_iter().flatten();
        Ok(Aim {
            area,
            element,
            is_window: area == seen,
            ignored: ignored.filter_map(Area::from_result).map(Area::whole).collect(),
        })
    }

    /// Shoots until two pictures in a row are the same, or tries or time are over.
    async fn steady(&mut self, aim: &Aim, deadline: Deadline) -> Result<(Bytes, bool), PageFault> {
        let scale = self.page_settings().scale;
        if aim.area.height * scale > DRAWN_PIXELS_MAX {
            return self.tiled(aim, deadline).await;
        }
        let mut last = self.capture(aim, deadline).await?;
        for _try in 1..TRIES_MAX {
            let next = self.capture(aim, deadline).await?;
            // Equal texts are equal bytes: nothing needs to be decoded to know it.
            if next == last {
                return Ok((decoded(&last)?, true));
            }
            last = next;
            if deadline.has_passed(self.clock()) {
                break;
            }
        }
        Ok((decoded(&last)?, false))
    }

    async fn tiled(&mut self, aim: &Aim, deadline: Deadline) -> Result<(Bytes, bool), PageFault> {
        let step = (TILE_PIXELS / self.page_settings().scale).floor();
        let mut tiles = Vec::new();
        let mut is_steady = true;
        let mut top = 0.0;
        while top < aim.area.height {
            let height = step.min(aim.area.height - top);
            let area = Area { y: aim.area.y + top, height, ..aim.area };
            let tile = Aim { area, element: None, is_window: false, ignored: Vec::new() };
            let (picture, steady) = Box::pin(self.steady(&tile, deadline)).await?;
            tiles.push(picture.to_vec());
            is_steady &= steady;
            top += height;
        }
        let joined = tokio::task::spawn_blocking(move || tiles::stack(&tiles)).await;
        match joined {
            Ok(Ok(whole)) => Ok((whole.into(), is_steady)),
            Ok(Err(fault)) => Err(PageFault::unfit(fault.to_string(), Verdict::Runner)),
            Err(fault) => Err(PageFault::unfit(fault.to_string(), Verdict::Runner)),
        }
    }

    /// One picture, as base64.
    async fn capture(&mut self, aim: &Aim, deadline: Deadline) -> Result<String, PageFault> {
        let hard = self.hard(deadline);
        let answer = if self.speaks_devtools {
            let shoot = || Command::devtools("Page.captureScreenshot", capture_parameters(aim));
            let answer = self.issue(shoot, hard).await.map_err(Self::fault)?;
            answer.get("data").and_then(Value::as_str).map(str::to_owned)
        } else {
            let path = match &aim.element {
                Some(element) => element.path("screenshot"),
                None if aim.is_window => "screenshot".to_owned(),
                None => {
                    let problem = "this browser takes no pictures of whole pages";
                    return Err(PageFault::unfit(problem, Verdict::Canary));
                }
            };
            let answer = self.issue(|| Command::get(path.as_str()), hard).await;
            answer.map_err(Self::fault)?.as_str().map(str::to_owned)
        };
        answer.ok_or_else(|| PageFault::unfit("the browser gave no picture", Verdict::Runner))
    }

    async fn what_moves(&mut self, deadline: Deadline) -> Result<Vec<String>, PageFault> {
        let found = self.still_script(json!({ "op": "moving" }), deadline).await?;
        let found = found.as_array().cloned().unwrap_or_default();
        let mut moving: Vec<String> =
            found.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect();
        if moving.is_empty() {
            // Boxes stand still, so it is what is drawn inside one.
            moving.push("pixels inside a canvas, picture or video".to_owned());
        }
        Ok(moving)
    }

    fn environment(&self, words: &Value) -> Environment {
        let settings = self.page_settings();
        let text = |name: &str| {
            let found = self.lease.session().capability(name).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        let version = text("browserVersion");
        let major = version.split('.').next().and_then(|major| major.parse().ok());
        let fonts = words.get("fonts").map(Value::to_string).unwrap_or_default();
        let fonts = blake3::hash(fonts.as_bytes()).to_hex();
        let platform = match self.lease.window() {
            Some(_) => format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
            None => text("platformName"),
        };
        Environment {
            browser: match text("browserName").as_str() {
                // The driver's word for every browser of its kind.
                "chrome" => "chromium".to_owned(),
                other => other.to_owned(),
            },
            browser_major: major.unwrap_or(0),
            platform,
            fonts: fonts.get(..16).unwrap_or_default().to_owned(),
            scale_percent: whole((settings.scale * 100.0).round()),
            theme: if settings.dark { Theme::Dark } else { Theme::Light },
            capture: if self.speaks_devtools { "cdp-fast" } else { "webdriver" }.to_owned(),
        }
    }
}

fn capture_parameters(aim: &Aim) -> Value {
    let Area { x, y, width, height } = aim.area;
    let mut parameters = json!({ "format": "png", "optimizeForSpeed": true });
    if let (false, Some(parameters)) = (aim.is_window, parameters.as_object_mut()) {
        let clip = json!({ "x": x, "y": y, "width": width, "height": height, "scale": 1 });
        parameters.insert("clip".to_owned(), clip);
        parameters.insert("captureBeyondViewport".to_owned(), Value::Bool(true));
    }
    parameters
}

fn decoded(picture: &str) -> Result<Bytes, PageFault> {
    let bytes = STANDARD.decode(picture);
    bytes.map(Bytes::from).map_err(|_| {
        PageFault::unfit("the browser gave a picture that is not base64", Verdict::Runner)
    })
}

/// An area of the document in pixels of the picture; `None` when it lies outside.
fn pixels(area: Area, picture: Area, scale: f64) -> Option<Rect> {
    let clip = |from: f64, length: f64, start: f64, end: f64| {
        let left = ((from - start) * scale).floor().max(0.0);
        let right = ((from + length - start) * scale).ceil().min((end * scale).ceil());
        (left < right).then_some((whole(left), whole(right - left)))
    };
    let (x, width) = clip(area.x, area.width, picture.x, picture.width)?;
    let (y, height) = clip(area.y, area.height, picture.y, picture.height)?;
    Some(Rect { x, y, width, height })
}

#[expect(clippy::cast_possible_truncation, reason = "float to int casts saturate")]
#[expect(clippy::cast_sign_loss, reason = "the value was clipped at zero")]
fn whole(length: f64) -> u32 {
    length as u32
}

/// The words of a page with their places moved to the picture's own origin.
fn sidecar(mut words: Value, picture: Area) -> Bytes {
    for list in ["texts", "boxes"] {
        let entries = words.get_mut(list).and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten() {
            let place = entry.get("box").and_then(Area::from_result);
            if let (Some(place), Some(entry)) = (place, entry.as_object_mut()) {
                let moved = [place.x - picture.x, place.y - picture.y, place.width, place.height];
                entry.insert("box".to_owned(), json!(moved));
            }
        }
    }
    if let Some(words) = words.as_object_mut() {
        words.remove("fonts");
        words.insert("version".to_owned(), json!(1));
        words.insert("size".to_owned(), json!([picture.width, picture.height]));
    }
    words.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_grown_to_whole_pixels_and_clipped_to_the_picture() {
        let picture = Area { x: 0.0, y: 100.0, width: 200.0, height: 50.0 };
        let area = |x, y, width, height| Area { x, y, width, height };
        let rect = |x, y, width, height| Some(Rect { x, y, width, height });
        for (mask, scale, expected) in [
            (area(10.0, 110.0, 5.0, 5.0), 1.0, rect(10, 10, 5, 5)),
            (area(10.5, 110.0, 5.0, 5.0), 1.0, rect(10, 10, 6, 5)),
            (area(10.0, 110.0, 5.0, 5.0), 2.0, rect(20, 20, 10, 10)),
            (area(190.0, 90.0, 50.0, 20.0), 1.0, rect(190, 0, 10, 10)),
            (area(0.0, 0.0, 200.0, 50.0), 1.0, None),
        ] {
            assert_eq!(pixels(mask, picture, scale), expected, "{mask:?} at {scale}");
        }
    }

    #[test]
    fn an_element_between_pixels_is_shot_whole() {
        let area = Area { x: 10.4, y: 20.6, width: 30.0, height: 10.0 };
        assert_eq!(area.whole(), Area { x: 10.0, y: 20.0, width: 31.0, height: 11.0 });
    }
}
