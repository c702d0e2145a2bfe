-- Ways to keep a core busy for ever, or for long where nothing could interrupt it.

--! loop => KL-S301
while true do end
--! pcall => KL-S301
while true do pcall(function() while true do end end) end
--! handler => KL-S301
xpcall(error, function() while true do end end, "x")
--! metamethod => KL-S301
local t = setmetatable({}, { __index = function() while true do end end })
ctx.response.payload.r = t.x
--! tostring-of-an-error => KL-S301 or KL-S101
error(setmetatable({}, { __tostring = function() while true do end end }))
--! comparator => KL-S301
table.sort({ 1, 2, 3 }, function() while true do end end)
--! sort-without-order => KL-S301
local list = table.create(200000, 0)
for i = 1, #list do list[i] = (i * 7919) % 100003 end
while true do table.sort(list, function(a, b) return a < b end) list[1] = 5 table.sort(list, function(a, b) return a > b end) end
--! callback => KL-S301
ctx.response.payload.r = string.gsub("x", ".", function() while true do end end)
--! pattern => KL-S301
ctx.response.payload.r = string.rep("a", 100000):match(".-.-.-.-b$")
--! plain-search => KL-S301 or null
local hay, needle = string.rep("a", 30000000), string.rep("a", 100000) .. "b"
for i = 1, 1000 do hay:find(needle, 1, true) end
--! iterator => KL-S301
for _ in setmetatable({}, { __iter = function() return function() return 1 end end }) do end
--! long-library-calls => KL-S301 or KL-S303
local text = string.rep("aB", 16000000)
while true do text:upper() end
--! insert-at-front => KL-S301
local list = table.create(1000000, 0)
while true do table.insert(list, 1, 0) table.remove(list, 1) end
--! move => KL-S301
local list = table.create(1000000, 0)
while true do table.move(list, 1, 999999, 2) end
--! host-function-in-a-loop => KL-S301
local text = string.rep("[1,2,3],", 50000)
while true do pcall(json.parse, "[" .. text .. "1]") end
--! hashing => KL-S301
local text = string.rep("x", 30000000)
while true do ctx.crypto.sha256(text) end
--! regex-catastrophe => false
ctx.response.payload.r = regex.test(string.rep("a", 1000000), "(a+)+(a|aa)*[^a]$")
--! regex-many-states => KL-S102 or false
ctx.response.payload.r = regex.test(string.rep("ab", 500000), "[ab]*a[ab]{2000}c")
--! regex-on-a-long-text [cpu 1s] => false or KL-S301
-- A debug build reads slowly.
ctx.response.payload.r = regex.test(string.rep("aB", 8000000), "[a-z][0-9]")
--! regex-on-too-long-a-text => KL-S102
ctx.response.payload.r = regex.test(string.rep("aB", 10000000), "[0-9]")
--! regex-to-the-end-for-each-match => KL-S301
ctx.response.payload.r = #regex.find_all(string.rep("A", 1000000), ".*[^A-Z]|[A-Z]")
--! regex-words-beyond-ascii [cpu 2s] => KL-S301 or false
-- As much as one search may walk, which takes a debug build long.
ctx.response.payload.r = regex.test(string.rep("ł", 400000), "\\b\\w+\\d\\b")
--! regex-more-words => KL-S102
ctx.response.payload.r = regex.test(string.rep("ł", 4000000), "\\b\\w+\\d\\b")
--! regex-flood [cpu 0.5s] => KL-S301
-- One large pattern may take a while to compile in a debug build.
local n = 0
while true do n += 1 regex.test("x", "\\w{20}" .. n) end
--! regex-large-classes [cpu 2s] => KL-S301 or false
-- A debug build reads them slowly.
ctx.response.payload.r = regex.test("x", "(?i)" .. string.rep("[Ā-\u{ffff}]", 32))
--! regex-many-classes => KL-S102
ctx.response.payload.r = regex.test("x", "(?i)[Ā-\u{ffff}" .. string.rep("&&Ā-\u{ffff}", 150) .. "]")
--! regex-many-properties => KL-S102
ctx.response.payload.r = regex.test("x", "(?i)" .. string.rep("\\pL", 500))
--! xpath [cpu 0.5s] => KL-S102
-- The steps of a query are counted, not timed; a debug build takes long for them.
local node = xml.parse("<a>" .. string.rep("<b><c/></b>", 2000) .. "</a>")
while true do node:all("//*[count(//*[count(//*) > 1]) > 1]") end
--! csv-of-many-columns => KL-S102 or KL-S301
-- Each row gets the columns of all.
local rows = {}
for i = 1, 10000 do rows[i] = { ["c" .. i] = 1 } end
csv.encode(rows)
--! csv-of-a-wide-row => true or KL-S301
local row, columns = {}, {}
for i = 1, 10000 do row["c" .. i] = "d" .. i; columns[i] = "c" .. i end
ctx.response.payload.r = #csv.encode({ row }, { columns = columns, names = row }) > 0
--! csv-with-many-names => KL-S102 or KL-S301
local names, columns = {}, {}
for i = 1, 10000 do names["c" .. i] = "d" .. i; columns[i] = "c" .. i end
local header = table.concat(columns, ",")
csv.parse(header .. "\n" .. header, { columns = columns, names = names })
--! headers-of-many-names => KL-S304 or KL-S301
for i = 1, 50000 do ctx.response.headers["x-" .. i] = "1" end
--! store-in-a-loop => KL-S301
while true do ctx.kvdb:get("x") end
--! parallel-loops => KL-S301
local loop = function() while true do end end
parallel { loop, loop, loop, loop, loop, loop }
--! top-level [deploy] => KL-S301
while true do end
return service { name = "@NAME@", handle = function() end }
--! long-source [deploy] => deployed or KL-S100 or KL-S301
local t = { @60000*{},@ }
return service { name = "@NAME@", handle = function() end }
--! many-locals [deploy] => KL-S100
local function f() @250*local a = print() @ return a end
return service { name = "@NAME@", handle = function() end }
