-- KL-I101
return service { name = "check.payload-type", handle = function(ctx)
  ctx:invoke("linuxjournal.get-rate", { «year» = "x" })
end }
