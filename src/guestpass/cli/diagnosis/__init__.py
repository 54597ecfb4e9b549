"""What `guestpass doctor` looks at, and what it finds."""
