"""Speed, side by side: Guestpass and what one would use instead, on one core each."""
