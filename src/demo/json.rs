use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::Fault;
use super::goods::{GOODS, Product, product, search};
use super::server::USER;
use super::shop::{Cart, Refusal, Shop, Token};

/// The calls under `/api`.
pub(super) fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/health", get(health))
        .route("/login", post(log_in))
        .route("/products", get(products))
        .route("/products/{id}", get(one_product))
        .route("/cart", get(show_cart).post(put_into_cart))
        .route("/checkout", post(check_out))
        .fallback(|| async { fault(StatusCode::NOT_FOUND, "no such call") })
}

/// The answer under [`Fault::ServerError`].
pub(super) fn broken() -> Response {
    fault(StatusCode::INTERNAL_SERVER_ERROR, "the shop is on fire")
}

#[derive(Deserialize)]
struct Login {
    user: String,
    password: String,
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
}

#[derive(Deserialize)]
struct Wish {
    product: String,
    #[serde(default = "one")]
    quantity: u32,
}

fn one() -> u32 {
    1
}

fn fault(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

fn stranger() -> Response {
    fault(StatusCode::UNAUTHORIZED, "log in first: the token is missing, wrong or expired")
}

/// The token of `Authorization: Bearer ..`.
fn bearer(headers: &HeaderMap) -> Option<Token> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    text.strip_prefix("Bearer ").map(|token| Token::new(token.trim()))
}

fn described(shop: &Shop, product: &Product) -> Value {
    let name = if shop.has(Fault::WrongText) { "undefined" } else { product.name };
    json!({
        "id": product.id,
        "name": name,
        "about": product.about,
        "price": product.price,
        "currency": "EUR",
    })
}

fn described_cart(cart: &Cart) -> Value {
    let line = |line: super::shop::CartLine| {
        json!({
            "product": line.product.id,
            "quantity": line.quantity,
            "price": line.product.price.times(line.quantity),
        })
    };
    json!({
        "items": cart.lines().map(line).collect::<Vec<_>>(),
        "count": cart.count(),
        "total": cart.total(),
        "currency": "EUR",
    })
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "products": GOODS.len() }))
}

async fn log_in(
    State(shop): State<Arc<Shop>>,
    body: Result<Json<Login>, JsonRejection>,
) -> Response {
    let login = match body {
        Ok(Json(login)) => login,
        Err(rejection) => return fault(rejection.status(), &rejection.body_text()),
    };
    match shop.log_in(&login.user, &login.password) {
        Some(token) => Json(json!({ "token": token.as_str(), "user": USER })).into_response(),
        None => fault(StatusCode::UNAUTHORIZED, "wrong name or password"),
    }
}

async fn products(State(shop): State<Arc<Shop>>, Query(query): Query<Search>) -> Json<Value> {
    let found = search(&query.q);
    let listed: Vec<Value> = found.iter().map(|product| described(&shop, product)).collect();
    Json(json!({ "count": found.len(), "products": listed }))
}

async fn one_product(State(shop): State<Arc<Shop>>, Path(id): Path<String>) -> Response {
    match product(&id) {
        Some(product) => Json(described(&shop, product)).into_response(),
        None => fault(StatusCode::NOT_FOUND, "no such product"),
    }
}

async fn show_cart(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    match bearer(&headers).and_then(|token| shop.cart(&token)) {
        Some(cart) => Json(described_cart(&cart)).into_response(),
        None => stranger(),
    }
}

async fn put_into_cart(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    body: Result<Json<Wish>, JsonRejection>,
) -> Response {
    let wish = match body {
        Ok(Json(wish)) => wish,
        Err(rejection) => return fault(rejection.status(), &rejection.body_text()),
    };
    let Some(product) = product(&wish.product) else {
        return fault(StatusCode::NOT_FOUND, "no such product");
    };
    match bearer(&headers).and_then(|token| shop.put(&token, product, wish.quantity)) {
        Some(cart) => (StatusCode::CREATED, Json(described_cart(&cart))).into_response(),
        None => stranger(),
    }
}

async fn check_out(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    let Some(token) = bearer(&headers) else { return stranger() };
    match shop.check_out(&token) {
        Ok(order) => {
            let receipt = json!({ "order": order.number, "total": order.total, "currency": "EUR" });
            (StatusCode::CREATED, Json(receipt)).into_response()
        }
        Err(Refusal::Stranger) => stranger(),
        Err(Refusal::EmptyCart) => fault(StatusCode::CONFLICT, "the cart is empty"),
    }
}
