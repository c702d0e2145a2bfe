-- KL-R101
return service { name = "check.input-unused", input = { "year:int", "«month»:int?" }, output = { "rate?" }, handle = function(ctx)
  ctx.response.payload.rate = ctx.request.input.year
end }
