-- KL-I102
return service { name = "check.payload-missing", handle = function(ctx)
  ctx:invoke("«check.input»", {})
end }
