--- Lists and tables. Nothing changes what it is given. A *path* is the name of a field, such as `rate`, or a JSON pointer
--- into nested values, such as `/order/lines/0/sku` (positions count from 0). A *key* is a path, or a function of the member.
local collections = {}

-- An empty table is a list only if it says so.
local LIST = getmetatable(json.parse("[]"))

local function new_list()
  return setmetatable({}, LIST)
end

local function is_list(value)
  return type(value) == "table" and (#value > 0 or next(value) == nil)
end

local function is_map(value)
  return type(value) == "table" and #value == 0 and getmetatable(value) ~= LIST
end

local function steps(path)
  if path:sub(1, 1) ~= "/" then
    return { path }
  end
  local parts = path:sub(2):split("/")
  for index, part in parts do
    parts[index] = part:gsub("~1", "/"):gsub("~0", "~")
  end
  return parts
end

local function at(value, step)
  if type(value) ~= "table" then
    return nil
  end
  if #value > 0 then
    if step:find("^%d+$") then
      return value[tonumber(step) + 1]
    end
    return nil
  end
  return value[step]
end

local function by(key)
  if type(key) == "function" then
    return key
  end
  return function(member)
    return collections.get(member, key)
  end
end

local function named(key)
  return if key == nil then "" else tostring(key)
end

--- Returns the value at a path; nothing when there is none.
function collections.get(value, path)
  for _, step in steps(path) do
    value = at(value, step)
    if value == nil or value == json.null then
      return nil
    end
  end
  return value
end

--- Returns a copy with a value put at a path; tables that lack on the way are made.
function collections.set(value, path, new)
  local result = table.clone(value)
  local node = result
  local way = steps(path)
  for index, step in way do
    local key = step
    if #node > 0 then
      key = step:find("^%d+$") and tonumber(step) + 1
      if not key or key > #node + 1 then
        error(("collections.set: a list has no member '%s'"):format(step), 0)
      end
    end
    if index == #way then
      node[key] = new
    else
      local inner = node[key]
      node[key] = type(inner) == "table" and table.clone(inner) or {}
      node = node[key]
    end
  end
  return result
end

--- Returns the names of a table, sorted.
function collections.keys(map)
  local names = new_list()
  for name in map do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

--- Returns a table with some names alone.
function collections.pick(map, names)
  local result = {}
  for _, name in names do
    result[name] = map[name]
  end
  return result
end

--- Returns a table without some names.
function collections.omit(map, names)
  local result = table.clone(map)
  for _, name in names do
    result[name] = nil
  end
  return result
end

--- Returns two tables as one: where both have a name the second counts, and tables within are merged, too.
function collections.merge(one, other)
  local result = table.clone(one)
  for name, value in other do
    if is_map(value) and is_map(result[name]) then
      value = collections.merge(result[name], value)
    end
    result[name] = value
  end
  return result
end

--- Returns the key of every member.
function collections.collect(list, key)
  local result, f = new_list(), by(key)
  for index, member in list do
    local value = f(member)
    result[index] = if value == nil then json.null else value
  end
  return result
end

local function test_of(test)
  if type(test) == "function" then
    return test
  end
  return function(member)
    for path, wanted in test do
      if collections.get(member, path) ~= wanted then
        return false
      end
    end
    return true
  end
end

--- Returns the members that pass a test: a function, or a table of paths and the values wanted there.
function collections.select(list, test)
  local result, f = new_list(), test_of(test)
  for _, member in list do
    if f(member) then
      result[#result + 1] = member
    end
  end
  return result
end

--- Returns the first member that passes a test as in `select`; nothing when none does.
function collections.first(list, test)
  local f = test_of(test)
  for _, member in list do
    if f(member) then
      return member
    end
  end
  return nil
end

--- Returns what a function of the result so far and a member makes of a list, from a start.
function collections.fold(list, start, f)
  for _, member in list do
    start = f(start, member)
  end
  return start
end

--- Returns lists of the members with the same key, under the key as text.
function collections.group_by(list, key)
  local groups, f = {}, by(key)
  for _, member in list do
    local name = named(f(member))
    local group = groups[name] or {}
    group[#group + 1] = member
    groups[name] = group
  end
  return groups
end

--- Returns the members under their keys as text; of members with the same key the last counts.
function collections.index_by(list, key)
  local index, f = {}, by(key)
  for _, member in list do
    index[named(f(member))] = member
  end
  return index
end

--- Returns a list without members whose key, or who themselves, were there before.
function collections.unique(list, key)
  local result, seen = new_list(), {}
  local f = by(key or function(member)
    return member
  end)
  for _, member in list do
    local name = f(member)
    name = type(name) == "table" and json.encode(name) or tostring(name)
    if not seen[name] then
      seen[name] = true
      result[#result + 1] = member
    end
  end
  return result
end

--- Returns a list sorted by a key; `"down"` begins with the largest. Equals keep their order, members without the key go last.
function collections.sorted(list, key, direction)
  local f = by(key)
  local rows = {}
  for index, member in list do
    rows[index] = { key = f(member), index = index, member = member }
  end
  table.sort(rows, function(a, b)
    if a.key == nil or b.key == nil or a.key == b.key then
      if (a.key == nil) ~= (b.key == nil) then
        return b.key == nil
      end
      return a.index < b.index
    elseif direction == "down" then
      return a.key > b.key
    end
    return a.key < b.key
  end)
  local result = new_list()
  for index, row in rows do
    result[index] = row.member
  end
  return result
end

--- Returns a list in parts of at most so many members.
function collections.chunk(list, count)
  if count < 1 then
    error("collections.chunk: a part needs at least one member", 0)
  end
  local parts = new_list()
  for from = 1, #list, count do
    parts[#parts + 1] = table.move(list, from, math.min(from + count - 1, #list), 1, {})
  end
  return parts
end

--- Returns a list whose members that are lists are replaced by what they hold, one level deep.
function collections.flatten(list)
  local result = new_list()
  for _, member in list do
    if is_list(member) then
      for _, inner in member do
        result[#result + 1] = inner
      end
    else
      result[#result + 1] = member
    end
  end
  return result
end

return collections
