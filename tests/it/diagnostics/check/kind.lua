-- KL-S101
return service { name = "check.kind", handle = function(ctx)
  ctx.outgoing.«htpp»["treasury.gov"]:get()
end }
