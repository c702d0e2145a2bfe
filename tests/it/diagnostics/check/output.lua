-- KL-S110
return service { name = "check.output", input = { "year:int", "month:int?" }, output = { "rate?" }, handle = function(ctx)
  ctx.response.payload.«rat» = ctx.request.input.year + ctx.request.input.month
end }
