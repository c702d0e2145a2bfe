-- KL-S102
return service { name = "check.rows", handle = function(ctx)
  ctx.response.payload.text = csv.encode("«day,rate»")
end }
