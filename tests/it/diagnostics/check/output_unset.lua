-- KL-R102
return service { name = "check.output-unset", input = { "year:int" }, output = { "«rate»?" }, handle = function(ctx)
  ctx.log:info(ctx.request.input.year)
end }
