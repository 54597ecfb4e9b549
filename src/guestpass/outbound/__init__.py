"""Requests of our own to environments: checks, and signing users in to an Odoo and out."""
