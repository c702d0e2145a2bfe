-- KL-S100
return service { name = "load.eof", handle = function(ctx)
  ctx.log:info("a")«»
