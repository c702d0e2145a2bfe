--- Calendar helpers.
local dates = {}

--- The numbers of months and days with two digits.
local TWO = {}
for number = 0, 99 do
  TWO[number] = ("%02d"):format(number)
end

--- Returns year, month and day of the service's input; each is today's where the input has none.
function dates.or_today(ctx)
  local input = ctx.request.input
  local year, month, day = input.year, input.month, input.day
  if not (year and month and day) then
    local today = ctx.time.today()
    year, month, day = year or today.year, month or today.month, day or today.day
  end
  return year, month, day
end

--- Returns a number with at least two digits: `dates.two(9)` is `09`. Any number, also one that no month is.
function dates.two(number)
  return TWO[number] or tostring(number)
end

--- Returns the date as text with two-digit months and days: `dates.join(2013, 9, 3, ":")` is `2013:09:03`.
function dates.join(year, month, day, separator)
  return tostring(year) .. separator .. dates.two(month) .. separator .. dates.two(day)
end

return dates
