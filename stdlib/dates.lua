--- Calendar helpers.
local dates = {}

--- Returns year, month and day of the service's input; each is today's where the input has none.
function dates.or_today(ctx)
  local input, today = ctx.request.input, ctx.time.today()
  return input.year or today.year, input.month or today.month, input.day or today.day
end

--- Returns the date as text with two-digit months and days: `dates.join(2013, 9, 3, ":")` is `2013:09:03`.
function dates.join(year, month, day, separator)
  return ("%d%s%02d%s%02d"):format(year, separator, month, separator, day)
end

return dates
