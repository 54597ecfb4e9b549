"""Paths of Odoo that no link leads to unless `allowPaths` names them, whole databases not even then."""

from __future__ import annotations

BLOCKED_PATHS = [
    "/web/database",
    "/web/database/manager",
    "/web/database/selector",
    "/web/database/list",
    "/web/database/create",
    "/web/database/duplicate",
    "/web/database/drop",
    "/web/database/backup",
    "/web/database/restore",
    "/web/database/change_password",
    "/xmlrpc/db",
    "/xmlrpc/common",
    "/xmlrpc/object",
    "/xmlrpc/2/db",
    "/xmlrpc/2/common",
    "/xmlrpc/2/object",
    "/jsonrpc",
    "/json/1/res.partner",
    "/json/2/res.partner/search_read",
    "/json/2/res.partner/search",
    "/json/18.0/contacts",
    "/json/contacts",
    "/doc",
    "/doc/res.partner.json",
    "/doc-bearer/index.json",
    "/web/session/authenticate",
    "/base_import_module/login_upload",
    "/web/become",
    "/web/tests",
    "/web/tests/mobile",
    "/web/tests/legacy",
]
WHOLE_DATABASES = [path for path in BLOCKED_PATHS if path.startswith("/web/database") or path.endswith("/db")]
