--- What the two services of the scenario share: where a rate is kept.
local dates = require "dates"

local rates = {}

--- Returns the key of the rate of one day.
function rates.key(year, month, day)
  return "linuxjournal:rates:" .. dates.join(year, month, day, ":")
end

--- Returns year, month and day of the input, defaulting to today.
rates.date = dates.or_today

return rates
