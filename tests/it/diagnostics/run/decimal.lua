-- KL-S101
return service { name = "run.decimal_lua", input = { "pin" }, handle = function(ctx)
  local sum = decimal.of("1")
  sum.«places» = 2
end }
