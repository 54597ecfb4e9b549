"""The ASGI application: the API, the documents about it, and what visitors are shown."""
