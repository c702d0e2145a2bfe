--- Another try when something fails that may pass: status 408, 429, 502, 503 or 504. The time between tries doubles, differs by chance, and never passes the deadline of the call.
local retry = {}

local PASSING = { [408] = true, [429] = true, [502] = true, [503] = true, [504] = true }

local function may_pass(e, only)
  if type(e) ~= "table" and type(e) ~= "userdata" then
    return false
  elseif not only then
    return PASSING[e.status] == true
  end
  return table.find(only, e.status) ~= nil or table.find(only, e.code) ~= nil
end

--- Returns what a function of `ctx` and the option `input` returns, trying again when it fails.
function retry.run(ctx, f, options)
  options = options or {}
  local attempts, delay = options.attempts or 3, options.delay or 0.2
  for attempt = 1, attempts do
    local ok, result = pcall(f, ctx, options.input)
    if ok then
      return result
    end
    local wait = delay * (0.5 + math.random() / 2)
    if attempt == attempts or not may_pass(result, options.only) or wait >= ctx.time.left() then
      error(result, 0)
    end
    ctx.log.info("Attempt %d of %d failed: %s", attempt, attempts, result.message)
    ctx.time.sleep(wait)
    delay = math.min(delay * 2, options.max_delay or 10)
  end
  error("retry.run: the option `attempts` must be at least 1", 0)
end

--- Returns what a service answers, trying again when it fails.
function retry.invoke(ctx, name, payload, options)
  return retry.run(ctx, function()
    return ctx:invoke(name, payload)
  end, options)
end

return retry
