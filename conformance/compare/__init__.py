"""Two dialects side by side: the numbers with which one becomes the other, and the code for it."""
