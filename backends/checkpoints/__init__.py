"""The checkpoints of programs that train with PyTorch: files and folders, read into plain ``state_dict``s."""
