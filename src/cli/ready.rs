use std::net::SocketAddr;

use anstyle::AnsiColor;
use serde_json::{Map, Value, json};

use super::screen::Screen;

/// What a server says once it answers.
pub(super) struct Ready {
    /// `the demo shop`
    pub(super) what: &'static str,
    pub(super) address: SocketAddr,
    /// Further ports and places, by name.
    pub(super) extra: Map<String, Value>,
}

impl Ready {
    /// The address a visitor can use, also when the server listens everywhere.
    pub(super) fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            let loopback = if address.is_ipv4() { "127.0.0.1" } else { "::1" };
            if let Ok(ip) = loopback.parse() {
                address.set_ip(ip);
            }
        }
        format!("http://{address}")
    }

    /// Tells a person in a sentence, a program in one JSON object on the first line.
    pub(super) fn announce(&self, screen: &Screen) {
        let url = self.url();
        if screen.is_terminal() {
            let green = screen.paint(AnsiColor::Green);
            return screen.line(&format!("{green}ready{green:#} {} is at {url}", self.what));
        }
        let mut object = Map::new();
        object.insert("ready".to_owned(), json!(true));
        object.insert("url".to_owned(), json!(url));
        object.insert("port".to_owned(), json!(self.address.port()));
        object.extend(self.extra.clone());
        screen.line(&Value::Object(object).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_names_an_address_that_can_be_visited() {
        let url = |address: &str| {
            let address = address.parse().unwrap();
            Ready { what: "it", address, extra: Map::new() }.url()
        };
        assert_eq!(url("0.0.0.0:80"), "http://127.0.0.1:80");
        assert_eq!(url("[::]:80"), "http://[::1]:80");
        assert_eq!(url("10.0.0.1:80"), "http://10.0.0.1:80");
    }
}
