-- What a call may leave for the next one, or for another service. All are called twice.

--! global [twice] => KL-S101
mark = (mark or 0) + 1
--! global-by-name [twice] => KL-S101
_G["mark"] = 1
--! field-of-ctx [twice] => KL-S101
ctx.mark = "left"
--! table-of-ctx [twice] => "nil"
ctx.response.payload.r = tostring(rawget(ctx, "mark"))
rawset(ctx, "mark", "left")
--! input [twice] => "nil"
ctx.response.payload.r = tostring(ctx.request.input.mark)
ctx.request.input.mark = "left"
--! headers [twice] => "nil"
ctx.response.payload.r = tostring(ctx.request.headers["x-mark"])
pcall(rawset, ctx.request.headers, "x-mark", "left")
--! module [twice] [file] => KL-S101
local state = require("shared.state")
return service { name = "@NAME@", handle = function(ctx) state.mark = "left" end }
--! module-in-a-call [twice] => KL-S103
require("shared.state").mark = "left"
--! table-in-a-module [twice] [file] => KL-S101
local state = require("shared.state")
return service { name = "@NAME@", handle = function(ctx)
  ctx.response.payload.r = state.nested.deep.value .. #state.list
  state.nested.deep.value = "left"
end }
--! state-of-a-module [twice] [file] => 1
local state = require("shared.state")
return service { name = "@NAME@", handle = function(ctx)
  -- Its own calls share a module, as documented; those of `peek` have their own.
  for i = 1, 100 do state.count() end
  ctx.response.payload.r = ctx:invoke("peek").count > 50 and "shared" or 1
end }
--! random-seed [twice] => KL-S101
math.randomseed(42)
--! settings [twice] => "7 clean"
ctx.response.payload.r = `{ctx.config.rates.limit} {ctx.config.rates.deep.value}`
ctx.config.rates.limit = 99
ctx.config.rates.deep.value = "left"
--! null [twice] => KL-S101
json.null.mark = "left"
--! metatable-of-empty-lists [twice] => KL-S101
local list = json.parse("[]")
getmetatable(list).__index = { mark = "left" }
--! kept-ctx [twice] [file] => "nothing of the other"
local kept
return service { name = "@NAME@", handle = function(ctx)
  local first = kept == nil
  kept = kept or ctx
  rawset(kept.response, "mark", kept == ctx)
  local same = kept.cid == ctx.cid
  ctx.response.payload.r = (first or same) and "nothing of the other" or "another's cid"
end }
--! payload-of-another [twice] => "clean"
local sent = { value = "clean" }
local got = ctx:invoke("peek", sent).input
got.value = "left"
ctx.response.payload.r = sent.value
