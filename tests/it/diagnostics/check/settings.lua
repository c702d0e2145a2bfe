-- KL-S101
return service { name = "check.settings", handle = function(ctx)
  ctx.log:info(ctx.config.«missing».key)
end }
