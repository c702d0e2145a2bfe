-- Our own API, used against us.

--! invoke-itself => KL-S305
ctx:invoke("lua.api.invoke-itself")
--! invoke-often => KL-S301 or KL-S302 or "done"
for i = 1, 1000 do ctx:invoke("peek") end
ctx.response.payload.r = "done"
--! invoke-tree [wait 2s] => KL-S302 or null
-- Each call has a budget of its own, so a tree of them would have any.
pcall(function() ctx:invoke("lua.api.invoke-tree") end)
pcall(function() ctx:invoke("lua.api.invoke-tree") end)
pcall(function() ctx:invoke("lua.api.invoke-tree") end)
--! invoke-forest [wait 2s] => KL-S302 or KL-S305
local one = function() return ctx:invoke("lua.api.invoke-forest") end
parallel { one, one, one, one, one, one }
--! invoke-jungle [wait 2s] => KL-S302 or KL-S303 or null
local one = function() pcall(function() ctx:invoke("lua.api.invoke-jungle") end) end
parallel { one, one, one, one, one, one }
--! parallel-many => KL-S102
local all = {}
for i = 1, 10000 do all[i] = function() end end
parallel(all)
--! outgoing-many => KL-S306
for i = 1, 10000 do ctx.outgoing.http["partner"]:get() end
--! silent-peer [wait 2s] => KL-S302
ctx.outgoing.http["partner"]:get { path = "/silent" }
--! silent-peer-caught [wait 2s] => KL-S302 or KL-S306
while true do pcall(function() ctx.outgoing.http["partner"]:get { path = "/silent" } end) end
--! absolute-path => KL-O103 or "pong"
ctx.response.payload.r = ctx.outgoing.http["partner"]:get { path = "http://127.0.0.1:@PORT@/" }.text
--! host-in-path => KL-O103 or "pong"
ctx.response.payload.r = ctx.outgoing.http["partner"]:get { path = "//127.0.0.1:@PORT@/" }.text
--! user-in-path => KL-O103 or "pong"
ctx.response.payload.r = ctx.outgoing.http["partner"]:get { path = "@127.0.0.1:@PORT@/" }.text
--! climbing-path => KL-O103
ctx.response.payload.r = ctx.outgoing.http["partner"]:get { path = "/{p}", params = { p = ".." } }.text
--! line-in-header => KL-O103
ctx.outgoing.http["partner"]:get { headers = { ["x-a"] = "1\r\nx-owned: 1" } }
--! many-headers-of-a-request => KL-O103
local headers = {}
for i = 1, 300 do headers["x-" .. i] = "1" end
ctx.outgoing.http["partner"]:get { headers = headers }
--! other-host => KL-O103
ctx.outgoing.http["partner"]:get { headers = { Host = "127.0.0.1:@PORT@" } }
--! settings-climb => KL-S101
ctx.response.payload.r = ctx.config["../../@CANARY@"]
--! server-settings => KL-S101
ctx.response.payload.r = ctx.config["../server"]
--! key-large => KL-K102
ctx.kvdb:set(string.rep("k", 1000000), "x")
--! value-large => KL-K102
ctx.kvdb:set("attack:large", string.rep("x", 30000000))
--! key-with-lines => null
ctx.response.payload.r = ctx.kvdb:get("a\r\nSET victim:secret owned\r\n")
--! counter-overflow => KL-K100 or KL-K101 or KL-S102
ctx.kvdb:set("attack:lua:n", "9223372036854775807")
ctx.kvdb:incr("attack:lua:n")
--! wrong-receiver => KL-S102
xml.parse("<a/>").text(ctx.outgoing.http["partner"])
--! server-operation => KL-S404
ctx:invoke("kladka.object.list")
--! date-overflow => KL-S102
date.add("2013-01-31", 9007199254740991, "years")
--! format-unknown => KL-S102
ctx.response.payload.r = date.format(ctx.time.now(), "%Q %!")
--! decimal-overflow => KL-S101
local d = decimal.of("79228162514264337593543950335")
ctx.response.payload.r = d * d
--! random-large => KL-S102
ctx.response.payload.r = ctx.crypto.random(1000000000)
--! markup-in-a-name => KL-S102
ctx.response.payload.r = xml.build("a><owned/><a", { x = 1 })
--! endless-log => KL-S301
while true do ctx.log:info("noise") end
--! forged-log => "done"
ctx.log:info("x\r\n2026-01-01T00:00:00Z ERROR forged lua line \27[31m\0")
ctx.response.payload.r = "done"
--! log-of-a-cycle => "done" or KL-S102
local t = {}
t.t = t
ctx.log:info("%s", t)
ctx.response.payload.r = "done"
