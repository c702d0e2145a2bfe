-- KL-R104
local «dates» = require "dates"
return service { name = "check.unused", handle = function(ctx)
  ctx.log:info("a")
end }
