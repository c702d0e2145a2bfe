-- Runs once in every VM, before the standard library is frozen. Takes what Rust offers, replaces what is not safe.
local host = ...
local raw_error, raw_pcall, raw_xpcall = error, pcall, xpcall
local caught, rethrow, is_fault, fail = host.caught, host.rethrow, host.is_fault, host.fail
local fromstring = integer.fromstring

-- Errors of host functions are caught as objects with code, message and status.
local function settle(ok, ...)
  if ok then
    return true, ...
  end
  return false, caught((...))
end

function pcall(f, ...)
  return settle(raw_pcall(f, ...))
end

function xpcall(f, handler, ...)
  return raw_xpcall(f, function(e)
    return handler(caught(e))
  end, ...)
end

function error(e, level)
  if is_fault(e) then
    rethrow(e)
  end
  raw_error(e, level == 0 and 0 or (level or 1) + 1)
end

function assert(truth, e, ...)
  if truth then
    return truth, e, ...
  end
  if is_fault(e) then
    rethrow(e)
  end
  raw_error(e == nil and "assertion failed!" or e, 2)
end

-- One library call is never interrupted, so none may take long.
local MAX_TEXT, MAX_ITEMS, MAX_SORT, MAX_WORK = 33554432, 1000000, 200000, 200000000
local find, rep, split = string.find, string.rep, string.split
local concat, sort, move, create = table.concat, table.sort, table.move, table.create
local linear_find = host.linear_find

function string.find(s, pattern, init, plain)
  if type(s) == "string" and type(pattern) == "string" and #s * #pattern > MAX_WORK
    and (plain or not find(pattern, "[%^%$%*%+%?%.%(%[%%%-]")) then
    return linear_find(s, pattern, init or 1)
  end
  return find(s, pattern, init, plain)
end

function string.rep(s, n)
  local length = type(s) == "number" and #tostring(s) or type(s) == "string" and #s or 0
  if type(n) == "number" then
    if length * n > MAX_TEXT then
      fail("string.rep: the result would be longer than 32 MiB")
    elseif length == 0 and n > 0 and type(s) == "string" then
      return ""
    end
  end
  return rep(s, n)
end

function string.split(s, separator)
  if type(s) == "string" and type(separator) == "string" and #s * #separator > MAX_WORK then
    fail("string.split: text and separator are too long")
  end
  return split(s, separator)
end

function table.concat(list, separator, from, to)
  if type(list) == "table" and (tonumber(to) or rawlen(list)) - (tonumber(from) or 1) > MAX_ITEMS then
    fail("table.concat: more than 1000000 items")
  end
  return concat(list, separator, from, to)
end

function table.sort(list, less)
  if type(list) == "table" and rawlen(list) > MAX_SORT then
    fail("table.sort: more than 200000 items")
  end
  return sort(list, less)
end

function table.move(list, from, to, at, target)
  if type(from) == "number" and type(to) == "number" and to - from > MAX_ITEMS then
    fail("table.move: more than 1000000 items")
  end
  if target == nil then
    return move(list, from, to, at)
  end
  return move(list, from, to, at, target)
end

function table.create(n, value)
  if type(n) == "number" and n > MAX_ITEMS * 10 then
    fail("table.create: more than 10000000 items")
  end
  if value == nil then
    return create(n)
  end
  return create(n, value)
end

math.randomseed(host.seed)
math.randomseed = nil

-- A whole number beyond 2^53 stays exact only if it never passes through a double.
local BIG, holder = host.big, {}

local function put(target, key, digits)
  target[key] = fromstring(digits)
end

local function hold(digits)
  holder[1] = fromstring(digits)
end

local function exact(f)
  return function(...)
    local value = f(...)
    if value == BIG then
      value, holder[1] = holder[1], nil
    end
    return value
  end
end

-- A host function that returns at once, or begins something to wait for.
local wait = host.wait

local function either(start, space)
  return function(own, ...)
    local value, pending
    if own == space then
      value, pending = start(...)
    else
      value, pending = start(own, ...)
    end
    if pending then
      value = wait(pending)
    end
    if value == BIG then
      value, holder[1] = holder[1], nil
    end
    return value
  end
end

-- A host function that takes a function gets what became of calling it.
local function tried(host_function)
  return function(own, what, ...)
    if type(what) == "function" then
      local ok, e = pcall(what, own)
      local known = not ok and is_fault(e)
      what = {
        failed = not ok,
        code = known and e.code or nil,
        status = known and e.status or nil,
        message = known and e.message or (not ok and tostring(e) or nil),
      }
    end
    return host_function(own, what, ...)
  end
end

-- A list that `for` walks directly.
local each = table.freeze {
  __list = true,
  __iter = function(list)
    local i = 0
    return function()
      i += 1
      return list[i]
    end
  end,
  __metatable = false,
}

-- An empty table does not show whether it is a list; those of the host remember.
local list = table.freeze { __list = true }

-- Headers are kept by their lower-case name, and found whatever the case.
local lower = string.lower

local function key(name)
  return type(name) == "string" and lower(name) or name
end

local function header(t, name)
  return rawget(t, key(name))
end

local headers = table.freeze {
  __index = header,
  __metatable = false,
}

local sent_headers = table.freeze {
  __index = header,
  __newindex = function(t, name, value)
    rawset(t, key(name), value)
  end,
  __metatable = false,
}

-- Makes headers of what a script assigns.
local function to_headers(given, twice)
  if type(given) ~= "table" then
    return given
  end
  local own = {}
  for name, value in next, given do
    if own[key(name)] ~= nil then
      twice(name)
    end
    own[key(name)] = value
  end
  return setmetatable(own, sent_headers)
end

-- What a service sets beside its payload. Most set nothing, so the table of headers is made when asked for, and the
-- mark at 1 tells that there is something to look for. The headers stand at 2: under their name they could be
-- replaced past the metatable.
local function response(unknown, twice)
  local rare = { status = true, headers = true, content_type = true }
  return table.freeze {
    __index = function(t, name)
      if name == "headers" then
        local own = rawget(t, 2)
        if own == nil then
          own = setmetatable({}, sent_headers)
          rawset(t, 1, true)
          rawset(t, 2, own)
        end
        return own
      elseif name ~= "payload" and not rare[name] then
        unknown(name)
      end
      return nil
    end,
    __newindex = function(t, name, value)
      if rare[name] then
        rawset(t, 1, true)
        if name == "headers" then
          rawset(t, 2, to_headers(value, twice))
          return
        end
      elseif name ~= "payload" then
        unknown(name)
      end
      rawset(t, name, value)
    end,
    __metatable = false,
  }
end

-- The payload of a service that declares its outputs.
local function payload(names, unknown)
  return table.freeze {
    __newindex = function(t, name, value)
      if not names[name] then
        unknown(name)
      end
      rawset(t, name, value)
    end,
    __metatable = false,
  }
end

return {
  put = put,
  hold = hold,
  exact = exact,
  either = either,
  tried = tried,
  each = each,
  list = list,
  headers = headers,
  response = response,
  payload = payload,
}
