"""An application that says what it was asked, whatever server it runs on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.wsgi import get_input_stream

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with the request as the server read it."""
    # gunicorn ends the stream where the body ends; Werkzeug says so where it does.
    terminated = environ.get("wsgi.input_terminated") or "gunicorn" in environ["SERVER_SOFTWARE"]
    stream = environ["wsgi.input"] if terminated else get_input_stream(environ)
    body: bytes = stream.read()
    read = [environ["REQUEST_METHOD"], environ["RAW_URI"], environ["HTTP_HOST"], body.decode("latin-1")]
    said = json.dumps(read).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(said)))])
    return [said]
