-- KL-D104
«return service { name = "load.no-handle" }»
