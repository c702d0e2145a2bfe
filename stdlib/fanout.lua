--- The same for many at the same time, six at once. Nothing fails as a whole: each result tells whether it is `ok`, the `member` it is for, and its `value` or `error`.
local fanout = {}

-- As many as `parallel` takes.
local MOST = 100

local function new_list()
  return setmetatable({}, getmetatable(json.parse("[]")))
end

--- Calls a function of `ctx` and a member with every member of a list and returns the results in order.
function fanout.run(ctx, list, f)
  local results = new_list()
  for from = 1, #list, MOST do
    local batch = {}
    for index = from, math.min(from + MOST - 1, #list) do
      local member = list[index]
      batch[#batch + 1] = function()
        local ok, value = pcall(f, ctx, member)
        return if ok then { ok = true, member = member, value = value } else { ok = false, member = member, error = value }
      end
    end
    for index, result in { parallel(batch) } do
      results[from + index - 1] = result
    end
  end
  return results
end

--- Invokes services by their names, all with the same payload, and returns the results in order.
function fanout.invoke(ctx, names, payload)
  return fanout.run(ctx, names, function(_, name)
    return ctx:invoke(name, payload)
  end)
end

--- Returns the values of results; if one failed, raises the first error instead.
function fanout.values(results)
  local values = new_list()
  for index, result in results do
    if not result.ok then
      error(result.error, 0)
    end
    values[index] = if result.value == nil then json.null else result.value
  end
  return values
end

--- Returns the results that failed.
function fanout.failed(results)
  local failed = new_list()
  for _, result in results do
    if not result.ok then
      failed[#failed + 1] = result
    end
  end
  return failed
end

return fanout
