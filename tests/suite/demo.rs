//! The demo shop, asked over real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use coalmine::demo::{DemoSettings, Fault, PASSWORD, USER, serve};
use coalmine::task::{Shutdown, TaskGroup};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A running shop.
struct Shop {
    address: SocketAddr,
    tasks: TaskGroup,
}

/// What came back: nothing at all, when the connection just closed.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Shop {
    async fn open(faults: Vec<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let settings =
            DemoSettings { faults, slow_by: Duration::from_millis(300), ..Default::default() };
        let tasks = TaskGroup::new();
        tasks.spawn("shop", |stop| serve(listener, settings, stop));
        Self { address, tasks }
    }

    async fn ask(&self, method: &str, path: &str, (headers, body): (&str, &str)) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\
             content-length: {length}\r\n{headers}\r\n{body}"
        );
        let mut stream = TcpStream::connect(self.address).await.expect("the shop listens");
        stream.write_all(request.as_bytes()).await.expect("the shop reads");
        let mut bytes = Vec::new();
        // A reset is what a dropped connection may look like; what came before it counts.
        drop(stream.read_to_end(&mut bytes).await);
        let text = String::from_utf8(bytes).expect("the shop answers in UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, ("", "")).await
    }

    async fn post_json(&self, path: &str, token: &str, body: Value) -> Answer {
        let headers =
            format!("content-type: application/json\r\nauthorization: Bearer {token}\r\n");
        self.ask("POST", path, (&headers, &body.to_string())).await
    }

    async fn post_form(&self, path: &str, cookie: &str, body: &str) -> Answer {
        let headers =
            format!("content-type: application/x-www-form-urlencoded\r\ncookie: {cookie}\r\n");
        self.ask("POST", path, (&headers, body)).await
    }

    async fn token(&self) -> String {
        let answer =
            self.post_json("/api/login", "", json!({"user": USER, "password": PASSWORD})).await;
        answer
            .json()
            .get("token")
            .and_then(Value::as_str)
            .expect("a login gives a token")
            .to_owned()
    }

    async fn cookie(&self) -> String {
        let body = format!("user={USER}&password={PASSWORD}");
        let answer = self.post_form("/login", "", &body).await;
        let set = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = set.and_then(|set| set.split(';').next()).expect("a login sets a cookie");
        cookie.to_owned()
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the answer is JSON")
    }
}

#[tokio::test]
async fn a_customer_buys_two_lamps_through_the_api() {
    let shop = Shop::open(vec![]).await;
    assert_eq!(shop.get("/api/health").await.json()["status"], "ok");
    assert_eq!(shop.get("/api/products?q=lamp").await.json()["count"], 3);
    let token = shop.token().await;
    let wish = json!({"product": "desk-lamp", "quantity": 2});
    let cart = shop.post_json("/api/cart", &token, wish).await;
    assert_eq!((cart.status, &cart.json()["total"]), (201, &json!(78.0)));
    let receipt = shop.post_json("/api/checkout", &token, json!({})).await;
    assert_eq!((receipt.status, &receipt.json()["total"]), (201, &json!(78.0)));
    let again = shop.post_json("/api/checkout", &token, json!({})).await;
    assert_eq!((again.status, &again.json()["error"]), (409, &json!("the cart is empty")));
}

#[tokio::test]
async fn a_customer_buys_a_lamp_on_the_pages() {
    let shop = Shop::open(vec![]).await;
    let cookie = shop.cookie().await;
    let put = shop.post_form("/cart", &cookie, "product=floor-lamp").await;
    assert_eq!(put.status, 303);
    let cart = shop.ask("GET", "/cart", (&format!("cookie: {cookie}\r\n"), "")).await;
    assert!(cart.body.contains("<td class=\"total\">€ 129.00</td>"), "{}", cart.body);
    let receipt = shop.post_form("/checkout", &cookie, "").await;
    assert!(receipt.body.contains("Thank you, ann"), "{}", receipt.body);
}

#[tokio::test]
async fn strangers_and_wrong_passwords_are_refused_in_the_form_they_asked_in() {
    let shop = Shop::open(vec![]).await;
    let wrong = json!({"user": USER, "password": "x"});
    assert_eq!(shop.post_json("/api/login", "", wrong).await.status, 401);
    assert_eq!(shop.post_json("/api/cart", "x", json!({"product": "desk-lamp"})).await.status, 401);
    assert_eq!(shop.post_json("/api/login", "", json!([])).await.json()["token"], Value::Null);
    assert_eq!(shop.post_form("/login", "", "user=ann&password=x").await.status, 401);
    assert!(shop.get("/cart").await.head.contains("location: /login"));
    assert_eq!(shop.get("/nowhere").await.status, 404);
    assert_eq!(shop.get("/api/nowhere").await.json()["error"], "no such call");
}

#[tokio::test]
async fn two_requests_differ_in_nothing_but_the_clock() {
    let shop = Shop::open(vec![]).await;
    for path in ["/", "/search?q=lamp", "/login", "/_faults"] {
        let (first, second) = (shop.get(path).await.body, shop.get(path).await.body);
        assert_ne!(first, second, "{path}");
        let without_clock = |page: &str| -> String {
            page.lines().filter(|line| !line.contains("class=\"clock\"")).collect()
        };
        assert_eq!(without_clock(&first), without_clock(&second), "{path}");
    }
}

#[tokio::test]
async fn faults_are_switched_while_the_shop_is_open_and_all_at_once() {
    let shop = Shop::open(vec![Fault::Slow]).await;
    let set = shop.post_json("/_faults", "", json!({"faults": ["500", "wrong-text"]})).await;
    assert_eq!(set.json()["faults"], json!(["500", "wrong-text"]));
    assert_eq!(shop.get("/api/health").await.status, 500);
    assert!(shop.get("/search?q=lamp").await.body.contains("for “undefined”"));
    assert!(shop.get("/_faults").await.body.contains("value=\"500\" checked"));
    assert_eq!(shop.post_form("/_faults", "", "").await.status, 303);
    assert_eq!(shop.get("/api/health").await.status, 200);
    let unknown = shop.post_form("/_faults", "", "fault=fire").await;
    assert_eq!((unknown.status, &unknown.json()["asked"]), (400, &json!(["fire"])));
}

#[tokio::test]
async fn an_expired_session_makes_every_customer_a_stranger() {
    let shop = Shop::open(vec![Fault::ExpiredSession]).await;
    let (token, cookie) = (shop.token().await, shop.cookie().await);
    assert_eq!(shop.post_json("/api/checkout", &token, json!({})).await.status, 401);
    let cart = shop.ask("GET", "/cart", (&format!("cookie: {cookie}\r\n"), "")).await;
    assert!(cart.head.contains("location: /login?expired=1"), "{}", cart.head);
}

#[tokio::test]
async fn looks_break_by_class_only() {
    let shop = Shop::open(vec![]).await;
    assert!(!shop.get("/").await.body.contains("class=\"red\""));
    shop.post_form("/_faults", "", "fault=changed-colour&fault=moved-button").await;
    let page = shop.get("/").await.body;
    assert!(page.contains("<html lang=\"en\" class=\"red\">") && page.contains("card moved"));
}

#[tokio::test]
async fn a_dropped_connection_gives_no_byte_and_health_still_answers() {
    let shop = Shop::open(vec![Fault::DroppedConnection]).await;
    assert_eq!(shop.get("/").await.head, "");
    assert_eq!(shop.get("/healthz").await.body, "ok\n");
}

#[tokio::test]
async fn a_slow_shop_answers_late() {
    let shop = Shop::open(vec![Fault::Slow]).await;
    let start = tokio::time::Instant::now();
    assert_eq!(shop.get("/api/health").await.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_closing_shop_lets_nobody_wait() {
    let shop = Shop::open(vec![]).await;
    let idle = TcpStream::connect(shop.address).await.expect("the shop listens");
    assert_eq!(shop.tasks.shutdown(Duration::from_secs(5)).await, Shutdown::Complete);
    assert!(TcpStream::connect(shop.address).await.is_err());
    drop(idle);
}
