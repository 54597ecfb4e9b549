"""What visitors are shown and send."""
