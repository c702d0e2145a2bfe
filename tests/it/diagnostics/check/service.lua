-- KL-S404
return service { name = "check.service", handle = function(ctx)
  ctx:invoke("«linuxjournal.get-rat»", {})
end }
