-- KL-R103
return service { name = "check.input", input = { "year:int", "month:int?" }, output = { "rate?" }, handle = function(ctx)
  ctx.response.payload.rate = ctx.request.input.«yaer»
  ctx.log:info(ctx.request.input.month)
end }
