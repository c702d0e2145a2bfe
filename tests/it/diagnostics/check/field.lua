-- KL-S101
return service { name = "check.field", handle = function(ctx)
  ctx.«kvbd»:get("a")
end }
