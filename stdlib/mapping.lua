--- Tables into other tables, by rules. A rule stands under the path of its target (see `collections`) and is the path of its source, a function of the whole value, or a table.
local mapping = {}

local collections = require "collections"

local NAMES = { "bool", "date", "datetime", "decimal", "float", "int", "text", "uuid" }

local BOOLS = { ["true"] = true, ["1"] = true, ["false"] = false, ["0"] = false }

local CONVERT = {
  text = function(value)
    if type(value) == "table" then
      error("no text", 0)
    end
    return tostring(value)
  end,
  int = function(value)
    local number = decimal.of(value)
    if decimal.cmp(number, decimal.round(number)) ~= 0 then
      error("no int", 0)
    end
    return json.parse(decimal.format(number, { places = 0 }))
  end,
  float = function(value)
    return tonumber(tostring(decimal.of(value)))
  end,
  decimal = function(value)
    return decimal.of(value)
  end,
  bool = function(value)
    local found = BOOLS[tostring(value)]
    if found == nil then
      error("no bool", 0)
    end
    return found
  end,
  date = function(value)
    local moment = date.parse(value)
    if moment.hour then
      error("no date", 0)
    end
    return moment.text
  end,
  datetime = function(value)
    local moment = date.parse(value)
    if not moment.offset then
      error("no datetime", 0)
    end
    return moment.text
  end,
  uuid = function(value)
    return uuid.parse(value)
  end,
}

--- Returns a value as a type: `text int float decimal bool date datetime uuid`; one that is none is an error.
function mapping.convert(value, kind)
  local convert = CONVERT[kind]
  if not convert then
    error(("mapping: there is no type '%s'; types are %s"):format(tostring(kind), table.concat(NAMES, ", ")), 0)
  end
  local ok, converted = pcall(convert, value)
  if not ok then
    local shown = if type(value) == "table" then "a table" else `'{value}'`
    error(("mapping: %s is no %s"):format(shown, kind), 0)
  end
  return converted
end

local function put(result, target, value)
  local steps = if target:sub(1, 1) == "/" then target:sub(2):split("/") else { target }
  for index = 1, #steps - 1 do
    local step = steps[index]
    result[step] = result[step] or {}
    result = result[step]
  end
  result[steps[#steps]] = value
end

local function read(whole, target, rule)
  if type(rule) == "function" then
    return rule(whole)
  elseif type(rule) == "string" then
    return collections.get(whole, rule)
  end
  local value = whole
  if rule.from then
    value = collections.get(whole, rule.from)
  elseif rule.value ~= nil then
    value = rule.value
  end
  if value == nil then
    value = rule.fallback
  end
  if value == nil then
    if rule.required then
      error(("mapping: '%s' needs '%s', which is missing"):format(target, tostring(rule.from)), 0)
    end
    return nil
  end
  if rule.each then
    local list = setmetatable({}, getmetatable(json.parse("[]")))
    local single = type(value) ~= "table" or (#value == 0 and next(value) ~= nil)
    for index, member in if single then { value } else value do
      list[index] = mapping.apply(member, rule.each)
    end
    return list
  end
  if rule.using then
    value = rule.using(value, whole)
  end
  if rule.type then
    value = mapping.convert(value, rule.type)
  end
  return value
end

--- Returns the table that rules make of a value. What has no source is left out.
function mapping.apply(value, rules)
  local result = {}
  for _, target in collections.keys(rules) do
    local made = read(value, target, rules[target])
    if made ~= nil then
      put(result, target, made)
    end
  end
  return result
end

return mapping
