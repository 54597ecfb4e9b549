"""The bytes: HTTP/1.1, WebSockets and TLS over connections, and what passes between two of them."""
