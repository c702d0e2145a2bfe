-- KL-S100
«local x = "open»
return 1
