-- KL-S101
return service { name = "check.object", handle = function(ctx)
  local answer = ctx.outgoing.http["treasury.gov"]:get()
  ctx.log:info(answer.«statsu»)
end }
