-- KL-S101
return service { name = "run.object_lua", input = { "pin" }, handle = function(ctx)
  local node = xml.parse("<a/>")
  node.«text» = "b"
end }
