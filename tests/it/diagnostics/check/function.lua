-- KL-S101
return service { name = "check.function", handle = function(ctx)
  ctx.kvdb:«gett»("a")
end }
