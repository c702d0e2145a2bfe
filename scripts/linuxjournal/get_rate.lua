local rates = require "linuxjournal.rates"

--- Returns the real long-term rate for a given date (defaults to today if no date is given).
return service {
  name   = "linuxjournal.get-rate",
  input  = { "year:int?", "month:int?", "day:int?" },
  output = { "rate?" },
  handle = function(ctx)
    local year, month, day = rates.date(ctx)
    ctx.response.payload.rate = ctx.kvdb:get(rates.key(year, month, day))
  end,
}
