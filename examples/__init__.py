"""What is shown of Guestpass and is no part of it: `make run`, and the application that it shares."""
