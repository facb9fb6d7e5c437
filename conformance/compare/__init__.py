"""Two dialects side by side: what makes one of the other, and the lines to write."""
