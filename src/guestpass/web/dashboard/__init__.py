"""The dashboard: pages for owners, on the admin listener only. README.md beside this file says how they are built."""
