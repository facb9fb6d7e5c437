"""Files: the safetensors container, and writing a file whole or not at all."""
