-- Ways out of the sandbox: code, files, processes, other environments, the server's own tables.

--! loadstring => KL-S101
return loadstring("return 1")()
--! bytecode => KL-S101
ctx.response.payload.r = string.dump(function() end)
--! io => KL-S101
ctx.response.payload.r = io.open("@CANARY@"):read("*a")
--! os => KL-S101
os.execute("touch @CANARY@.owned")
--! environment-variable => KL-S101
ctx.response.payload.r = os.getenv("HOME")
--! require-absolute => KL-S103
ctx.response.payload.r = require("@CANARY@")
--! require-climbs => KL-S103
ctx.response.payload.r = require("../../../../../../etc/passwd")
--! require-self => KL-S103
ctx.response.payload.r = require("@self/../neighbour")
--! getfenv => KL-S101
getfenv(0).print = nil
--! setfenv => KL-S101
setfenv(1, {})
--! metatable-of-texts => KL-S101
getmetatable("").__index = { upper = function() return "owned" end }
--! index-of-texts => KL-S101
getmetatable("").__index.upper = function() return "owned" end
--! rawset-library => KL-S101
rawset(string, "upper", function() return "owned" end)
--! rawset-globals => KL-S101
rawset(_G, "math", { max = function() return 0 end })
--! metatable-of-globals => KL-S101
setmetatable(_G, { __index = function() return "owned" end })
--! newproxy => KL-S101
getmetatable(newproxy(true)).__gc = function() end
--! debug => KL-S101
ctx.response.payload.r = debug.info(1, "f")
--! coroutine => KL-S101
coroutine.yield()
--! host-function => KL-S101
ctx.kvdb.get = function() return "owned" end
--! host-function-raw => KL-S101
rawset(ctx.kvdb, "get", function() return "owned" end)
--! metatable-of-ctx => "false"
ctx.response.payload.r = tostring(getmetatable(ctx))
--! metatable-of-objects => "false false"
local node = xml.parse("<a/>")
local ok = pcall(setmetatable, node, {})
ctx.response.payload.r = `{getmetatable(json.null) and getmetatable(json.null).__gc} {ok}`
--! clone-of-library => "ABC owned"
local own = table.clone(string)
own.upper = function() return "owned" end
ctx.response.payload.r = ("abc"):upper() .. " " .. own.upper("abc")
--! buffer-beyond-its-end => KL-S101
local b = buffer.create(8)
ctx.response.payload.r = buffer.readi32(b, -4) + buffer.readi32(b, 1000000)
--! unpack-beyond-its-end => KL-S101
ctx.response.payload.r = string.unpack("s4", "\255\255\255\127")
--! connection-to-elsewhere => KL-O404
ctx.outgoing.http["http://127.0.0.1:@PORT@/"]:get()
