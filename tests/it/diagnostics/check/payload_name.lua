-- KL-R103
return service { name = "check.payload-name", handle = function(ctx)
  ctx:invoke("linuxjournal.get-rate", { year = 1, «mnth» = 2 })
end }
