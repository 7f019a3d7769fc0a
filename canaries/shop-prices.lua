-- A shopkeeper in a hurry: every product has a name, a price, and a page of its own.
local base = canary.env("BASE_URL", "http://127.0.0.1:8600")
canary.schedule "rate(5 minutes)"

local products

step("the shelves are full", function()
  local answer = http.get(base .. "/api/products")
  expect(answer.status):equals(200)
  products = answer:json().products
  expect(#products):equals(6)
  metric("ShelfSize", #products, "Count")
end)

step("every product can be bought", function()
  for _, product in products do
    local answer = http.get(base .. "/api/products/" .. product.id)
    expect(answer.status):equals(200)
    expect(answer:json().name):equals(product.name)
    expect(answer:json().price):over(1)
  end
end)
