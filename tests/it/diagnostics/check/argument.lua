-- KL-S102
return service { name = "check.argument", handle = function(ctx)
  ctx.kvdb:«get»()
end }
