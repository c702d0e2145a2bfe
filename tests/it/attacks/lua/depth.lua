-- Recursion, of the script and of what the server does with its values.

--! plain => KL-S101
local function f() return 1 + f() end
f()
--! tail => KL-S101 or KL-S301
local function f() return f() end
f()
--! pcall => KL-S101 or KL-S301 or null
local function f() return pcall(f) end
f()
--! callback => KL-S101
local function f() return (string.gsub("x", ".", f)) end
f()
--! index => KL-S101
local t = {}
setmetatable(t, { __index = function(own, key) return own[key .. "x"] end })
ctx.response.payload.r = t.x
--! chain-of-indexes => KL-S101 or "nil"
local t = {}
for i = 1, 100000 do t = setmetatable({}, { __index = t }) end
ctx.response.payload.r = tostring(t.x)
--! tostring => KL-S101
local t = setmetatable({}, { __tostring = function(own) return tostring(own) end })
ctx.response.payload.r = tostring(t)
--! comparator => KL-S101
local function less() table.sort({ 1, 2 }, less) return true end
less()
--! error-in-handler => KL-S101 or null
local function f() xpcall(error, f, "x") error("y") end
xpcall(f, f)
--! parallel => KL-S101 or KL-S303 or KL-S301 or KL-S102
local function f() parallel { f, f } end
f()
--! encoded => KL-S304
local t = {}
for i = 1, 100000 do t = { t } end
ctx.response.payload.r = json.encode(t)
--! parsed => KL-S102
ctx.response.payload.r = #json.parse(string.rep("[", 1000000))
--! document => KL-S102
ctx.response.payload.r = xml.parse(string.rep("<a>", 100000)):name()
--! xpath => KL-S101 or KL-S102
ctx.response.payload.r = xml.parse("<a/>"):text(string.rep("(", 100000) .. "1")
--! captures => KL-S101
ctx.response.payload.r = ("x"):match(string.rep("(", 1000) .. "x")
--! built => KL-S304
local t = "x"
for i = 1, 1000 do t = { a = t } end
ctx.response.payload.r = xml.build("root", t)
--! collected => "done"
-- A list of a million links: to collect it must take no stack.
local t
for i = 1, 300000 do t = { t } end
t = nil
ctx.response.payload.r = "done"
--! parentheses [deploy] => KL-S100
local x = @100000*(@1
return service { name = "@NAME@", handle = function() end }
--! negations [deploy] => KL-S100
local x = @60000*not @1
return service { name = "@NAME@", handle = function() end }
--! concatenations [deploy] => KL-S100 or deployed
local x = "a"@50000*.."a"@
return service { name = "@NAME@", handle = function() end }
--! tables [deploy] => KL-S100
local x = @100000*{@
return service { name = "@NAME@", handle = function() end }
--! blocks [deploy] => KL-S100
@20000*do @@20000*end @
return service { name = "@NAME@", handle = function() end }
--! functions [deploy] => KL-S100
local x = @10000*function() return @1
return service { name = "@NAME@", handle = function() end }
