"""The command line: the API's use cases, on the server's database or over its API."""
