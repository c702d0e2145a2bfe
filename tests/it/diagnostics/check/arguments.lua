-- KL-S102
return service { name = "check.arguments", handle = function(ctx)
  ctx.kvdb:«get»("a", "b", "c")
end }
