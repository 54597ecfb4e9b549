"""Visitors whom their link signs in: the session that we hold, and what they may not do."""
