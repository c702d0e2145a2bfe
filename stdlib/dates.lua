--- Calendar helpers beside the library `date`. Dates are texts or tables of `date`; holidays are a list of texts such as `2013-12-25`.
local dates = {}

-- The numbers of months and days with two digits.
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

--- Returns the texts of all days from one to another, both included; at most 10000.
function dates.range(from, to)
  local count = date.diff(from, to, "days")
  if count >= 10000 then
    error("dates.range: more than 10000 days", 0)
  end
  local days = setmetatable({}, getmetatable(json.parse("[]")))
  for offset = 0, count do
    days[offset + 1] = date.format(date.add(from, offset, "days"), "%Y-%m-%d")
  end
  return days
end

--- Returns the quarter of the year, 1 to 4.
function dates.quarter(moment)
  return (date.parse(moment).month + 2) // 3
end

--- Tells whether a day is one from Monday to Friday and no holiday.
function dates.is_working_day(moment, holidays)
  local day = date.parse(moment)
  return day.weekday < 6 and not table.find(holidays or {}, date.format(day, "%Y-%m-%d"))
end

--- Returns the text of the day so many working days later, or earlier if fewer than none; at most 1000.
function dates.add_working_days(moment, count, holidays)
  if math.abs(count) > 1000 then
    error("dates.add_working_days: more than 1000 days", 0)
  end
  local day = date.parse(date.format(moment, "%Y-%m-%d"))
  local step = if count < 0 then -1 else 1
  for _ = 1, math.abs(count) do
    repeat
      day = date.add(day, step, "days")
    until dates.is_working_day(day, holidays)
  end
  return day.text
end

return dates
