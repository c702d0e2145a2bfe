-- KL-O404
return service { name = "check.connection", handle = function(ctx)
  ctx.outgoing.http["«treasury.gv»"]:get()
end }
