-- KL-R203
return service { name = "check.patience", timeout = "3s", handle = function(ctx)
  ctx.outgoing.http["«treasury.gov»"]:get()
end }
