-- KL-S103
local r = require "«linuxjournal.ratess»"
return service { name = "x", handle = function(ctx)
  ctx.log:info(r.x)
end }
