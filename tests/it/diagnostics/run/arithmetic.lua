-- KL-S101
return service { name = "run.arithmetic", handle = function(ctx)
  «local x = 1 + {}»
  ctx.log:info(x)
end }
