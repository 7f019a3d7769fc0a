-- A customer with a browser: log in, put a lamp into the cart, pay.
local base = canary.env("BASE_URL", "http://127.0.0.1:8600")
canary.schedule "rate(5 minutes)"

local page

step("log in", function()
  page = browser.open(base .. "/login")
  page:fill("#user", "ann")
  page:fill("#password", secret "SHOP_PASSWORD")
  page:click("#log-in")
  page:wait { visible = ".shelf" }
end)

step("put a lamp into the cart", function()
  page:click "[data-testid=add-floor-lamp]"
  page:wait { visible = "#cart" }
  expect(page:text(".total")):equals("€ 129.00")
  page:screenshot("cart", { max_diff = 0.001, ignore = { ".clock" } })
end)

step("pay", function()
  page:click "#pay"
  page:wait { visible = ".confirmation" }
  expect(page:text("h1")):equals("Thank you, ann")
end)
