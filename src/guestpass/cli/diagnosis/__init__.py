"""The checks of `guestpass doctor`."""
