"""Alembic's environment and the revisions, part of the package so that an installed one can migrate."""
