"""What view-only links let through."""
