"""The data plane: reads the head of a request, decides, and streams."""
