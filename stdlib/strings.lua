--- Texts. Lengths count characters, not bytes; nothing here is a pattern.
local strings = {}

--- The white space beyond ASCII, as Unicode has it.
local WIDE = {}
for _, code in { 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000 } do
  WIDE[utf8.char(code)] = true
end
for code = 0x2000, 0x200A do
  WIDE[utf8.char(code)] = true
end

local function length(text)
  return utf8.len(text) or #text
end

local function cut(text, count)
  return text:sub(1, (utf8.offset(text, count + 1) or #text + 1) - 1)
end

local function letters(text)
  local found = {}
  for _, code in utf8.codes(text) do
    found[#found + 1] = utf8.char(code)
  end
  return found
end

local function padding(text, count, mark)
  mark = mark or " "
  local missing = count - length(text)
  if missing <= 0 or mark == "" then
    return ""
  end
  return cut(mark:rep(math.ceil(missing / length(mark))), missing)
end

--- Returns a text without the white space at both ends, that of spreadsheets and web pages included.
function strings.trim(text)
  local from, to = 1, #text
  while from <= to do
    local char = text:match("^%s+", from) or text:match("^[\194-\244][\128-\191]+", from)
    if not char or not (char:find("^%s") or WIDE[char]) then
      break
    end
    from += #char
  end
  while from <= to do
    local start = to
    while start > from and text:byte(start) >= 128 and text:byte(start) < 192 do
      start -= 1
    end
    local char = text:sub(start, to)
    if not (char:find("^%s$") or WIDE[char]) then
      break
    end
    to = start - 1
  end
  return text:sub(from, to)
end

--- Tells whether a text is absent, empty or white space.
function strings.is_blank(text)
  return text == nil or strings.trim(text) == ""
end

--- Returns the parts of a text between a separator; with a limit at most so many, the last with all the rest.
function strings.split(text, separator, limit)
  local parts = separator == "" and letters(text) or text:split(separator)
  if limit and limit > 0 and #parts > limit then
    parts[limit] = table.concat(parts, separator, limit)
    for index = #parts, limit + 1, -1 do
      parts[index] = nil
    end
  end
  return parts
end

--- Returns the members of a list as one text, with a separator between them.
function strings.join(list, separator)
  local texts = {}
  for index, member in list do
    texts[index] = tostring(member)
  end
  return table.concat(texts, separator)
end

--- Tells whether a text begins with another.
function strings.starts_with(text, start)
  return text:sub(1, #start) == start
end

--- Tells whether a text ends with another.
function strings.ends_with(text, ending)
  return ending == "" or text:sub(-#ending) == ending
end

--- Tells whether a text has another within.
function strings.contains(text, part)
  return text:find(part, 1, true) ~= nil
end

--- Returns a text with all occurrences of a part replaced.
function strings.replace(text, part, by)
  if part == "" then
    return text
  end
  return table.concat(text:split(part), by)
end

--- Returns a text of at least so many characters: spaces, or what is given instead, go before it.
function strings.pad_left(text, count, mark)
  text = tostring(text)
  return padding(text, count, mark) .. text
end

--- Returns a text of at least so many characters: spaces, or what is given instead, go after it.
function strings.pad_right(text, count, mark)
  text = tostring(text)
  return text .. padding(text, count, mark)
end

--- Returns a text of at most so many characters; one that is cut ends with a mark, `…` when left out.
function strings.truncate(text, count, mark)
  if length(text) <= count then
    return text
  end
  mark = mark or "…"
  return cut(cut(text, math.max(count - length(mark), 0)) .. mark, count)
end

local function words(text)
  text = text:gsub("([%l%d])(%u)", "%1 %2"):gsub("(%u)(%u%l)", "%1 %2")
  local found = {}
  for word in text:gmatch("[%w\128-\255]+") do
    found[#found + 1] = word:lower()
  end
  return found
end

--- Returns a name as `order_line`; words begin at capital letters and after what is no letter.
function strings.snake(text)
  return table.concat(words(text), "_")
end

--- Returns a name as `orderLine`; words begin at capital letters and after what is no letter.
function strings.camel(text)
  local all = words(text)
  for index = 2, #all do
    all[index] = all[index]:sub(1, 1):upper() .. all[index]:sub(2)
  end
  return table.concat(all)
end

--- Returns a template with each `{name}` replaced by the value of that name; a missing one is an error.
function strings.fill(template, values)
  return (template:gsub("{([^{}]*)}", function(name)
    local value = values[name]
    if value == nil then
      error("strings.fill: there is no value for {" .. name .. "}", 0)
    end
    return tostring(value)
  end))
end

return strings
