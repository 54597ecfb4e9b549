"""The JSON API for owners and the documents about it."""
