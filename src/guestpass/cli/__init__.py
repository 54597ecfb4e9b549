"""The command line: the same use cases as the API, on the same database as the server beside it."""
