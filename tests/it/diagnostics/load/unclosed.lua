-- KL-S100
return service { name = "x", handle = function(ctx)
  if true then
    ctx.log:info("a")

end «}»
