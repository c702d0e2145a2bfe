-- KL-S102
return service { name = "run.xml", handle = function(ctx)
  xml.parse("<«a»>")
end }
