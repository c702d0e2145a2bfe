-- KL-S101
«counter» = 1
return 1
