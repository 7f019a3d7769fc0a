use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Reads `ADDR:PORT`, `:PORT` or `PORT`; without an address loopback is meant.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let port = text.strip_prefix("localhost").unwrap_or(text);
    let port = port.strip_prefix(':').unwrap_or(port);
    port.parse::<u16>().map(|port| SocketAddr::new(LOOPBACK, port)).map_err(|_| {
        "expected ADDR:PORT or PORT, such as 127.0.0.1:8600; port 0 takes any free one".to_owned()
    })
}

/// Reads `250ms`, `3s`, `1.5m`, `2h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "expected a number and a unit, such as 250ms, 3s, 1.5m or 2h";
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| EXPECTED.to_owned())?;
    let seconds = match unit.trim() {
        "ms" => number / 1000.0,
        "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(EXPECTED.to_owned()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| EXPECTED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_as_short_as_its_port() {
        for text in ["127.0.0.1:8600", ":8600", "8600", "localhost:8600"] {
            assert_eq!(listen_address(text).unwrap().to_string(), "127.0.0.1:8600", "{text}");
        }
        assert_eq!(listen_address("[::1]:0").unwrap().to_string(), "[::1]:0");
        for text in ["", "shop:80", "1.2.3.4", "70000"] {
            assert!(listen_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_has_a_number_and_a_unit() {
        for (text, millis) in [("250ms", 250), ("3s", 3000), ("1.5m", 90_000), ("2h", 7_200_000)] {
            assert_eq!(duration(text).map(|d| d.as_millis()), Ok(millis), "{text}");
        }
        for text in ["", "3", "s", "-1s", "1e400s", "three s", "1d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
