-- What a service leaves as its answer, or as its error.

--! cycle => KL-S102
local t = {}
t.t = t
ctx.response.payload.r = t
--! many-keys => KL-S304 or KL-S303 or KL-S301
local t = {}
for i = 1, 10000000 do t["k" .. i] = i end
ctx.response.payload.r = t
--! million-members => KL-S304 or KL-S303
ctx.response.payload.r = table.create(1100000, 1)
--! not-a-number => KL-S110
ctx.response.payload.r = 0 / 0
--! infinite => KL-S110
ctx.response.payload.r = { a = { math.huge } }
--! holes => KL-S102
ctx.response.payload.r = { 1, 2, nil, nil, 5 }
--! mixed => KL-S102
ctx.response.payload.r = { 1, 2, a = 3 }
--! metamethods => {"a":1}
local loop = function() while true do end end
ctx.response.payload.r = setmetatable({ a = 1 }, { __index = loop, __iter = loop, __len = loop, __tostring = loop, __eq = loop })
--! function => KL-S102
ctx.response.payload.r = print
--! returned => KL-S110
return { answer = 42 }
--! large => KL-S304 or KL-S303
local part = string.rep("x", 1000000)
ctx.response.payload.r = table.create(100, part)
--! large-text => KL-S304 or KL-S303
ctx.response.content_type = "text/plain"
ctx.response.payload = string.rep("x", 20000000)
--! million-headers => KL-S304 or KL-S110 or KL-S303 or KL-S301
for i = 1, 1000000 do ctx.response.headers["x-" .. i] = "1" end
--! many-headers => KL-S304
for i = 1, 65 do ctx.response.headers["x-" .. i] = "1" end
--! large-header => KL-S304 or KL-S110
ctx.response.headers["x-large"] = string.rep("x", 1000000)
--! header-with-a-line => KL-S110
ctx.response.headers["x-a"] = "1\r\nset-cookie: owned=1"
--! header-name-with-a-line => KL-S110
ctx.response.headers["x-a: 1\r\nx-b"] = "1"
--! framing-header => KL-S110
ctx.response.headers["content-length"] = "0"
--! media-type-with-a-line => KL-S110
ctx.response.content_type = "text/plain\r\nx-owned: 1"
ctx.response.payload = "x"
--! status => KL-S110
ctx.response.status = 99999
--! status-that-is-none => KL-S110
ctx.response.status = 0 / 0
--! error-table => KL-S101
error({ a = 1 })
--! error-nil => KL-S101
error(nil)
--! error-large => KL-S101 or KL-S303
error(string.rep("x", 30000000))
--! error-cycle => KL-S101
local t = {}
t.t = t
error(t)
--! error-with-metamethods => KL-S101
local evil = function() error("again") end
error(setmetatable({}, { __index = evil, __tostring = evil, __concat = evil, __metatable = "x" }))
--! fail-large => KL-S200
ctx.fail { message = string.rep("x", 30000000) }
--! fail-with-lines => AX-Owned:1
ctx.fail { code = "A\r\nX-Owned: 1", message = "x" }
--! name-that-is-no-text => KL-S102
ctx.response.payload.r = { ["\255\254"] = 1 }
