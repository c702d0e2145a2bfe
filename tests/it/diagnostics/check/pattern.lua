-- KL-S102
return service { name = "check.pattern", input = { "text" }, handle = function(ctx)
  ctx.response.payload.ok = regex.«test»(ctx.request.input.text, "([0-9]+")
end }
