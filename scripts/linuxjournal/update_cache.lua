local dates = require "dates"
local rates = require "linuxjournal.rates"

local NAMESPACES = {
  m = "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata",
  d = "http://schemas.microsoft.com/ado/2007/08/dataservices",
}

--- Downloads one month of rates (default: this month) and caches every row.
return service {
  name    = "linuxjournal.update-cache",
  input   = { "year:int?", "month:int?" },
  timeout = "30s",
  cpu     = "10s",
  handle  = function(ctx)
    local year, month = rates.date(ctx)
    local filter = ("month(QUOTE_DATE) eq %s and year(QUOTE_DATE) eq %s"):format(month, year)
    local response = ctx.outgoing.http["treasury.gov"]:get { query = { ["$filter"] = filter } }
    if response.status ~= 200 then
      ctx.fail { status = 502, message = ("treasury.gov answered %d"):format(response.status) }
    end

    local rows = 0
    for row in response:xml():each("//m:properties", NAMESPACES) do
      local rate = row:text("d:RATE", NAMESPACES)
      local date = ctx.time.parse(row:text("d:QUOTE_DATE", NAMESPACES))
      local key = rates.key(date.year, date.month, date.day)
      ctx.kvdb:set(key, rate)
      ctx.log:info("Key %s set to %s", key, rate)
      rows += 1
    end
    if rows == 0 then
      ctx.log:warn("No rates for %s-%s", year, dates.two(month))
    end
  end,
}
