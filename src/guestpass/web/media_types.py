"""The media types of request bodies."""

from __future__ import annotations

from typing import Final

JSON: Final = "application/json"
JSON_PATCHES: Final = (JSON, "application/merge-patch+json")
"""What a PATCH may be sent as: under either name, null and what is left out mean what RFC 7396 says."""
