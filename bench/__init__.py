"""Speed, side by side: Guestpass and nginx on one core each."""
