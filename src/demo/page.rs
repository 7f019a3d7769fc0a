use super::fault::{Fault, FaultSet};
use super::goods::Product;
use super::server::{PASSWORD, USER};
use super::shop::{Cart, CartLine, Order};

/// What stands around every page.
pub(super) struct Frame<'a> {
    pub(super) title: &'a str,
    pub(super) clock: &'a str,
    pub(super) faults: &'a FaultSet,
    /// The cart of who is logged in.
    pub(super) cart: Option<&'a Cart>,
}

impl Frame<'_> {
    /// The whole page around its `main` part.
    pub(super) fn around(&self, main: &str) -> String {
        let title = self.title;
        let clock = self.clock;
        let who = match self.cart {
            Some(cart) => format!(
                "<a href=\"/cart\">Cart <b class=\"count\">{}</b></a><span class=\"who\">{USER}\
                 </span>",
                cart.count()
            ),
            None => "<a href=\"/login\">Log in</a>".to_owned(),
        };
        let theme = if self.faults.contains(&Fault::ChangedColour) { " class=\"red\"" } else { "" };
        format!(
            r##"<!doctype html>
<html lang="en"{theme}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Lantern &amp; Co.</title>
<link rel="stylesheet" href="/shop.css">
</head>
<body>
<header>
<a class="brand" href="/"><svg viewBox="0 0 24 24" width="28" height="28" aria-hidden="true">
<circle cx="12" cy="12" r="11" fill="#fde68a"/><path d="M12 5v14M8 19h8" stroke="#134e4a"
stroke-width="2"/><path d="M8 5h8l3 6H5z" fill="#134e4a"/></svg>Lantern &amp; Co.</a>
<form class="search" role="search" action="/search">
<input id="q" name="q" type="search" aria-label="Search" placeholder="Search the shelves">
<button>Search</button>
</form>
<nav>{who}</nav>
</header>
<main>
{main}
</main>
<footer><a href="/_faults">Break this shop</a> · served at
<span class="clock">{clock}</span></footer>
</body>
</html>
"##
        )
    }
}

/// The page for addresses that lead nowhere.
pub(super) const NOT_FOUND: &str = "<h1>Not found</h1>\n<p>There is nothing on this shelf.</p>";

/// The front page.
pub(super) fn home(shelf: &[&Product], faults: &FaultSet) -> String {
    let word = if faults.contains(&Fault::WrongText) { "undefined" } else { "corner" };
    let cards = cards(shelf, faults);
    format!(
        "<section class=\"hero\">\n<h1>Light for every {word}</h1>\n<p>Six things that glow, \
         sent today.</p>\n</section>\n<section class=\"shelf\">\n{cards}</section>"
    )
}

/// The page of a search.
pub(super) fn results(word: &str, found: &[&Product], faults: &FaultSet) -> String {
    let word = if faults.contains(&Fault::WrongText) { "undefined" } else { word };
    let noun = if found.len() == 1 { "result" } else { "results" };
    let (count, word, cards) = (found.len(), escaped(word), cards(found, faults));
    format!(
        "<section class=\"results\">\n<h2>{count} {noun} for “{word}”</h2>\n\
         <div class=\"shelf\">\n{cards}</div>\n</section>"
    )
}

fn cards(shelf: &[&Product], faults: &FaultSet) -> String {
    shelf.iter().map(|product| card(product, faults.contains(&Fault::MovedButton))).collect()
}

fn card(product: &Product, moved: bool) -> String {
    let Product { id, name, about, price, drawing } = product;
    let class = if moved { "card moved" } else { "card" };
    format!(
        "<article class=\"{class}\" data-product=\"{id}\">\n\
         <svg viewBox=\"0 0 120 90\" aria-hidden=\"true\">{drawing}</svg>\n\
         <h3>{name}</h3>\n<p>{about}</p>\n<p class=\"price\">{price}</p>\n\
         <form method=\"post\" action=\"/cart\"><input type=\"hidden\" name=\"product\" \
         value=\"{id}\"><button data-testid=\"add-{id}\">Add to cart</button></form>\n\
         </article>\n"
    )
}

/// The login page, with what went wrong before.
pub(super) fn login(notice: Option<&str>) -> String {
    let notice = notice.map_or_else(String::new, |text| {
        format!("<p class=\"notice\" role=\"alert\">{text}</p>\n")
    });
    format!(
        "<section class=\"narrow\">\n<h1>Log in</h1>\n{notice}\
         <form method=\"post\" action=\"/login\" class=\"stacked\">\n\
         <label for=\"user\">Name</label><input id=\"user\" name=\"user\" \
         autocomplete=\"username\">\n\
         <label for=\"password\">Password</label><input id=\"password\" name=\"password\" \
         type=\"password\" autocomplete=\"current-password\">\n\
         <button id=\"log-in\">Log in</button>\n</form>\n\
         <p class=\"hint\">There is one customer: {USER}, password {PASSWORD}.</p>\n</section>"
    )
}

/// The cart.
pub(super) fn cart(cart: &Cart) -> String {
    if cart.count() == 0 {
        return "<section class=\"narrow\">\n<h1>Your cart</h1>\n<p class=\"empty\">Nothing in it \
                yet.</p>\n</section>"
            .to_owned();
    }
    let row = |line: CartLine| {
        let (name, price) = (line.product.name, line.product.price.times(line.quantity));
        format!("<tr><td>{name}</td><td>{}</td><td>{price}</td></tr>\n", line.quantity)
    };
    let (rows, total): (String, _) = (cart.lines().map(row).collect(), cart.total());
    format!(
        "<section class=\"narrow\">\n<h1>Your cart</h1>\n<table id=\"cart\">\n\
         <thead><tr><th>Item</th><th>Quantity</th><th>Price</th></tr></thead>\n\
         <tbody>\n{rows}</tbody>\n\
         <tfoot><tr><th colspan=\"2\">Total</th><td class=\"total\">{total}</td></tr></tfoot>\n\
         </table>\n<form method=\"post\" action=\"/checkout\"><button id=\"pay\">Pay now</button>\
         </form>\n</section>"
    )
}

/// The page after paying.
pub(super) fn receipt(order: &Order) -> String {
    let Order { number, total } = order;
    format!(
        "<section class=\"narrow confirmation\">\n<h1>Thank you, {USER}</h1>\n\
         <p>We have sent {total} worth of light. Your order is \
         <b class=\"order\">{number}</b>.</p>\n</section>"
    )
}

/// The page of the switches.
pub(super) fn faults(on: &FaultSet) -> String {
    let row = |fault: Fault| {
        let (name, effect) = (fault.name(), fault.effect());
        let checked = if on.contains(&fault) { " checked" } else { "" };
        format!(
            "<label class=\"switch\"><input type=\"checkbox\" name=\"fault\" value=\"{name}\"\
             {checked}> <b>{name}</b> {effect}</label>\n"
        )
    };
    let rows: String = Fault::ALL.into_iter().map(row).collect();
    format!(
        "<section class=\"narrow\">\n<h1>Break this shop</h1>\n\
         <p>What is checked is broken, for everybody, at once.</p>\n\
         <form method=\"post\" action=\"/_faults\" class=\"stacked\">\n{rows}\
         <button>Apply</button>\n</form>\n\
         <pre>curl -d fault=slow …/_faults     # break\ncurl -d '' …/_faults             \
         # repair</pre>\n</section>"
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_word_cannot_become_markup() {
        let page = results("<script>\"&", &[], &FaultSet::new());
        assert!(page.contains("0 results for “&lt;script&gt;&quot;&amp;”"), "{page}");
    }
}
