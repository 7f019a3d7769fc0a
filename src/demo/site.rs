use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::fault::{Fault, FaultSet};
use super::goods::{GOODS, product, search};
use super::page;
use super::shop::{Cart, Refusal, Shop, Token};

const SESSION_COOKIE: &str = "shop_session";

/// The pages that faults can break.
pub(super) fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/", get(home))
        .route("/search", get(results))
        .route("/login", get(login_form).post(log_in))
        .route("/cart", get(show_cart).post(put_into_cart))
        .route("/checkout", post(check_out))
        .fallback(not_found)
}

/// The page of the switches and what every page needs; nothing breaks these.
pub(super) fn unbreakable_routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/_faults", get(show_faults).post(set_faults))
        .route("/shop.css", get(stylesheet))
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
}

/// One request to a page: the shop and who asks.
struct Visit {
    shop: Arc<Shop>,
    token: Option<Token>,
    cart: Option<Cart>,
}

impl Visit {
    fn new(shop: Arc<Shop>, headers: &HeaderMap) -> Self {
        let token = session(headers);
        let cart = token.as_ref().and_then(|token| shop.cart(token));
        Self { shop, token, cart }
    }

    fn page(&self, title: &str, main: &str) -> Response {
        let frame = page::Frame {
            title,
            clock: &self.shop.clock_face(),
            faults: &self.shop.faults(),
            cart: self.cart.as_ref(),
        };
        ([(CACHE_CONTROL, "no-store")], Html(frame.around(main))).into_response()
    }

    /// Whoever has no session, or no longer, is sent to the login page.
    fn to_login(&self) -> Response {
        let expired = if self.token.is_some() { "?expired=1" } else { "" };
        Redirect::to(&format!("/login{expired}")).into_response()
    }
}

fn session(headers: &HeaderMap) -> Option<Token> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == SESSION_COOKIE).then(|| Token::new(value))
    })
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
}

#[derive(Deserialize)]
struct LoginQuery {
    expired: Option<String>,
}

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
struct Wish {
    product: String,
}

async fn home(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    let visit = Visit::new(shop, &headers);
    let shelf: Vec<_> = GOODS.iter().collect();
    visit.page("Light for every corner", &page::home(&shelf, &visit.shop.faults()))
}

async fn results(
    State(shop): State<Arc<Shop>>,
    Query(query): Query<Search>,
    headers: HeaderMap,
) -> Response {
    let visit = Visit::new(shop, &headers);
    let main = page::results(&query.q, &search(&query.q), &visit.shop.faults());
    visit.page("Search", &main)
}

async fn login_form(
    State(shop): State<Arc<Shop>>,
    Query(query): Query<LoginQuery>,
    headers: HeaderMap,
) -> Response {
    let notice = query.expired.map(|_| "Your session has expired. Please log in again.");
    Visit::new(shop, &headers).page("Log in", &page::login(notice))
}

async fn log_in(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    Form(login): Form<Login>,
) -> Response {
    let Some(token) = shop.log_in(&login.user, &login.password) else {
        let main = page::login(Some("Wrong name or password."));
        let page = Visit::new(shop, &headers).page("Log in", &main);
        return (StatusCode::UNAUTHORIZED, page).into_response();
    };
    let cookie = format!("{SESSION_COOKIE}={}; Path=/; HttpOnly; SameSite=Lax", token.as_str());
    ([(SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}

async fn show_cart(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    let visit = Visit::new(shop, &headers);
    match &visit.cart {
        Some(cart) => visit.page("Your cart", &page::cart(cart)),
        None => visit.to_login(),
    }
}

async fn put_into_cart(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    Form(wish): Form<Wish>,
) -> Response {
    let visit = Visit::new(shop, &headers);
    let Some(product) = product(&wish.product) else {
        return not_found(State(visit.shop), headers).await;
    };
    match visit.token.as_ref().and_then(|token| visit.shop.put(token, product, 1)) {
        Some(_) => Redirect::to("/cart").into_response(),
        None => visit.to_login(),
    }
}

async fn check_out(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    let visit = Visit::new(Arc::clone(&shop), &headers);
    let Some(token) = &visit.token else { return visit.to_login() };
    match shop.check_out(token) {
        // The cart was emptied just now: the header shall not show the old count.
        Ok(order) => Visit::new(shop, &headers).page("Thank you", &page::receipt(&order)),
        Err(Refusal::Stranger) => visit.to_login(),
        Err(Refusal::EmptyCart) => Redirect::to("/cart").into_response(),
    }
}

async fn not_found(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    let page = Visit::new(shop, &headers).page("Not found", page::NOT_FOUND);
    (StatusCode::NOT_FOUND, page).into_response()
}

async fn stylesheet() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("shop.css"))
}

async fn show_faults(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    let wants_json = headers.get(ACCEPT).is_some_and(|value| value == "application/json");
    if wants_json {
        return Json(json!({ "faults": shop.faults() })).into_response();
    }
    let visit = Visit::new(shop, &headers);
    visit.page("Faults", &page::faults(&visit.shop.faults()))
}

/// Switches on exactly the faults that the body names: a form (`fault=slow&fault=500`) or JSON
/// (`{"faults": ["slow"]}`). An empty body repairs the shop.
async fn set_faults(State(shop): State<Arc<Shop>>, headers: HeaderMap, body: String) -> Response {
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"));
    let named = if is_json { named_in_json(&body) } else { named_in_form(&body) };
    let parsed: Result<FaultSet, _> = named.iter().map(|name| name.parse::<Fault>()).collect();
    match parsed {
        Ok(faults) => shop.set_faults(faults),
        Err(unknown) => {
            let fault = json!({ "error": unknown.to_string(), "asked": named });
            return (StatusCode::BAD_REQUEST, Json(fault)).into_response();
        }
    }
    if is_json {
        return Json(json!({ "faults": shop.faults() })).into_response();
    }
    Redirect::to("/_faults").into_response()
}

fn named_in_form(body: &str) -> Vec<String> {
    let pairs = url::form_urlencoded::parse(body.as_bytes());
    pairs.filter(|(key, _)| key == "fault").map(|(_, value)| value.into_owned()).collect()
}

fn named_in_json(body: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Body {
        faults: Vec<String>,
    }
    serde_json::from_str::<Body>(body).map_or_else(|_| vec![body.to_owned()], |body| body.faults)
}
