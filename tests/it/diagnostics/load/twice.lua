-- KL-D101
return { service { name = "load.twice", handle = function(ctx) end },
  service { name = "«load.twice»", handle = function(ctx) end } }
