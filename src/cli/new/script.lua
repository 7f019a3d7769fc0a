-- Run it once:     coalmine run canaries/@NAME@.lua
-- On a schedule:   coalmine serve --canaries canaries
local base = canary.env("BASE_URL", "@URL@")
canary.schedule "rate(1 minute)"

step("the front page answers", function()
  local answer = http.get(base .. "/")
  expect(answer.status):equals(200)
  expect(answer.timings.total):under "1s"
end)
