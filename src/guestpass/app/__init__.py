"""What can be done: use cases over links, environments and visits, and the ports that they need."""
