-- KL-S101
return service { name = "check.library", handle = function(ctx)
  ctx.log:info(json.«parze»("1"))
end }
