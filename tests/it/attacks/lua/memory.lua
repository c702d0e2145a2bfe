-- Ways to take more memory than a VM may, at once or bit by bit.

--! repeat => KL-S101
ctx.response.payload.r = string.rep("x", 1000000000)
--! repeat-often => KL-S303 or KL-S301
local all = {}
while true do all[#all + 1] = string.rep("x", 30000000) end
--! doubling => KL-S303
local s = "x"
while true do s = s .. s end
--! create => KL-S101
ctx.response.payload.r = #table.create(1000000000, 0)
--! create-often => KL-S303
local all = {}
while true do all[#all + 1] = table.create(1000000, 0) end
--! buffer => KL-S303 or KL-S101
ctx.response.payload.r = buffer.len(buffer.create(1000000000))
--! concat => KL-S303
local part = table.create(1000, string.rep("x", 1000000))
ctx.response.payload.r = table.concat(part)
--! closures => KL-S303 or KL-S301
local all = {}
while true do local n = #all all[n + 1] = function() return n end end
--! substitution => KL-S303 or KL-S301
ctx.response.payload.r = string.rep("a", 1000000):gsub("a", string.rep("b", 1000000))
--! split => KL-S303 or KL-S301
ctx.response.payload.r = #string.split(string.rep("a", 30000000), "")
--! caught => KL-S303 or KL-S301
local all = {}
while true do pcall(function() all[#all + 1] = string.rep("x", 1000000 + #all) end) end
--! metatables => KL-S303 or KL-S301
local t = {}
while true do t = setmetatable({}, { __index = t, __name = tostring(t) }) end
--! parsed => KL-S102 or KL-S303
ctx.response.payload.r = #json.parse("[" .. string.rep("[],", 3000000) .. "0]")
--! encoded => KL-S304 or KL-S303
local row = table.create(1000, string.rep("x", 100000))
ctx.response.payload.r = #json.encode(row)
--! document => KL-S102
local doc = "<a>" .. string.rep("<b/>", 4000000) .. "</a>"
local all = {}
while true do all[#all + 1] = xml.parse(doc) end
--! documents-kept => KL-S303 or KL-S301 or KL-S304
local doc = "<a>" .. string.rep("<b c='d'/>", 20000) .. "</a>"
local all = {}
while true do all[#all + 1] = xml.parse(doc) end
--! base64 => KL-S303 or KL-S304 or KL-S301
local text = string.rep("x", 30000000)
local all = {}
while true do all[#all + 1] = base64.encode(text) end
--! regex-matches => KL-S303 or KL-S301
ctx.response.payload.r = #regex.find_all(string.rep("a", 10000000), "(a)")
--! regex-replacement => KL-S303
ctx.response.payload.r = #regex.replace(string.rep("a", 1000000), "a", string.rep("b", 1000000))
--! regex-of-itself => KL-S303
ctx.response.payload.r = #regex.replace(string.rep("a", 1000000), "a*", string.rep("$0", 30000))
--! regex-parts => KL-S303 or KL-S301
ctx.response.payload.r = #regex.split(string.rep("a", 10000000), "")
--! regex-program => KL-S102
ctx.response.payload.r = regex.test("x", "((a{1,100}){1,100}){1,100}")
--! regex-groups => KL-S102
ctx.response.payload.r = regex.test("x", string.rep("(a)?", 400) .. "\\w{9}")
--! regex-programs-kept [cpu 0.5s] => KL-S301
local n = 0
while true do n += 1 regex.test("a" .. n, "[ab]*a[ab]{900}" .. n) end
--! parallel-hogs => KL-S303 or KL-S301
local hog = function() local s = "x" while true do s = s .. s end end
local all = {}
for i = 1, 100 do all[i] = hog end
parallel(all)
--! top-level [deploy] => KL-S303 or KL-S301 or KL-S101
local all = {}
while true do all[#all + 1] = string.rep("x", 1000000 + #all) end
return service { name = "@NAME@", handle = function() end }
