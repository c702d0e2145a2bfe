-- KL-S101
return service { name = "check.request", handle = function(ctx)
  ctx.log:info(ctx.request.«inptu»)
end }
