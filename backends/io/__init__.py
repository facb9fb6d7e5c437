"""Reading and writing files: the safetensors format, and atomic writes."""
