--- Values against rules, all problems at once. Rules stand under paths (see `collections`); a rule is a type, `uuid`, an optional one, `uuid?`, or a table.
local validation = {}

local collections = require "collections"
local mapping = require "mapping"

local function pointer(base, path)
  if path:sub(1, 1) == "/" then
    return base .. path
  end
  return base .. "/" .. path:gsub("~", "~0"):gsub("/", "~1")
end

local function is_list(value)
  return type(value) == "table" and (#value > 0 or next(value) == nil)
end

local function has_type(value, kind)
  if kind == "any" then
    return true
  elseif kind == "list" then
    return is_list(value)
  elseif kind == "map" then
    return type(value) == "table" and #value == 0
  elseif kind == "text" then
    return type(value) == "string"
  end
  return (pcall(mapping.convert, value, kind))
end

local function sized(value, rule, add)
  local size
  if type(value) == "table" then
    size = #value
  elseif type(value) == "string" and (rule.type or "text") == "text" then
    size = utf8.len(value) or #value
  end
  if size then
    if rule.min and size < rule.min then
      add("is shorter than " .. rule.min)
    elseif rule.max and size > rule.max then
      add("is longer than " .. rule.max)
    end
    return
  end
  if rule.min and decimal.cmp(value, rule.min) < 0 then
    add("must be at least " .. tostring(rule.min))
  elseif rule.max and decimal.cmp(value, rule.max) > 0 then
    add("must be at most " .. tostring(rule.max))
  end
end

local function matches(value, pattern)
  return type(value) ~= "table" and regex.test(tostring(value), "^(?:" .. pattern .. ")$")
end

local check_value

local function check_fields(problems, base, value, rules)
  for _, path in collections.keys(rules) do
    check_value(problems, pointer(base, path), collections.get(value, path), rules[path])
  end
end

function check_value(problems, at, value, rule)
  if type(rule) == "string" then
    local kind = rule:gsub("%?$", "")
    rule = { type = kind, optional = kind ~= rule }
  end
  local function add(message)
    problems[#problems + 1] = { pointer = at, message = message }
  end
  if value == nil then
    if not rule.optional then
      add("is missing")
    end
    return
  end
  if rule.type and not has_type(value, rule.type) then
    add("must be of type " .. rule.type)
    return
  end
  if rule.min or rule.max then
    sized(value, rule, add)
  end
  if rule.pattern and not matches(value, rule.pattern) then
    add("must match " .. rule.pattern)
  end
  if rule.values and not table.find(rule.values, value) then
    local shown = {}
    for index, one in rule.values do
      shown[index] = tostring(one)
    end
    add("must be one of " .. table.concat(shown, ", "))
  end
  if rule.fields then
    check_fields(problems, at, value, rule.fields)
  end
  if rule.each then
    for index, member in value do
      check_value(problems, at .. "/" .. (index - 1), member, rule.each)
    end
  end
  if rule.test then
    local said = rule.test(value)
    if type(said) == "string" then
      add(said)
    elseif said == false then
      add("is not valid")
    end
  end
end

--- Returns the problems of a value, each a table of `pointer` and `message`; an empty list when there is none.
function validation.check(value, rules)
  local problems = setmetatable({}, getmetatable(json.parse("[]")))
  check_fields(problems, "", value, rules)
  return problems
end

--- Returns the value, or ends the call with status 400, code `INVALID` and all problems.
function validation.require(ctx, value, rules)
  local problems = validation.check(value, rules)
  if #problems > 0 then
    local lines = {}
    for index, problem in problems do
      lines[index] = problem.pointer .. " " .. problem.message
    end
    ctx.fail { status = 400, code = "INVALID", message = table.concat(lines, "; "), errors = problems }
  end
  return value
end

return validation
