"""Findings about an Odoo, in words for its owner.

Never quote what the Odoo answers: anybody who may register an address could read through us what listens there.
"""

from __future__ import annotations

from typing import Final

from guestpass.domain.finding import Finding

REDIRECTING: Final = Finding(
    code="redirecting",
    detail="The address answers each request with a redirect to another one, probably from http to https. Visitors "
    "would be sent there, away from their link.",
    remedy="Register the address that it redirects to, or where Odoo itself listens.",
)
NOT_ODOO: Final = Finding(
    code="not_odoo",
    detail="Something answers at the address, and it does not look like Odoo. The rules for Odoo would be in its way.",
    remedy="Correct url, or register it with kind web. If Odoo was only starting, check again.",
)
CHECK_INCOMPLETE: Final = Finding(
    code="check_incomplete",
    detail="Odoo did not answer all that it was asked in time, so there may be more to know than what is said here.",
    remedy="Check again when it has less to do; the first requests after a start take longest.",
)
NOT_MEASURED: Final = Finding(
    code="version_not_measured",
    detail="Guestpass was measured on the Community edition of Odoo 17, 18 and 19, and this is another version or "
    "edition. View-only links refuse what is new in it; new ways to sign in and new addresses for operators are not "
    "blocked until somebody has read them.",
    remedy="Try a link of each kind yourself, and give visitors an account with few rights. See Odoo versions in the "
    "documentation for what was measured.",
)
SEVERAL_DATABASES: Final = Finding(
    code="several_databases",
    detail="Odoo does not know which of its databases is meant, and shows visitors the list in which one is chosen. "
    "That list is blocked behind links, so they see an error.",
    remedy="Set database, or publicUrl where Odoo's dbfilter goes by the host; or leave one database to the server.",
)
UNKNOWN_DATABASE: Final = Finding(
    code="unknown_database",
    detail="Odoo has no database of the name that is set, or its dbfilter does not give it to this host.",
    remedy="Correct database; where dbfilter goes by the host, set publicUrl to an address with that host.",
)
DATABASE_MANAGER_OPEN: Final = Finding(
    code="database_manager_open",
    detail="Odoo's database manager is on. It is blocked behind links, but whoever reaches Odoo directly can guess "
    "the master password there, and download or delete whole databases.",
    remedy="Set list_db = False in Odoo's configuration, and an admin_passwd that is not the default.",
)
DATABASE_LISTING_OPEN: Final = Finding(
    code="database_listing_open",
    detail="Odoo tells everybody the names of its databases, which is half of what it takes to download one. It is "
    "blocked behind links, but not for whoever reaches Odoo in another way.",
    remedy="Set list_db = False in Odoo's configuration.",
)
BASE_URL_UNKNOWN: Final = Finding(
    code="base_url_unknown",
    detail="It can't be known from outside what Odoo's web.base.url is. When an administrator signs in through a link, "
    "Odoo sets web.base.url to the name that it is called by there, and then uses that in mails and documents.",
    remedy="Add an account of any internal user: with it Guestpass learns the value and keeps it. Or set publicUrl to "
    "the value of web.base.url, or the system parameter web.base.url.freeze to True in Odoo. Where one of these is "
    "done already, nothing is left to do.",
)
BASE_URL_DIFFERS: Final = Finding(
    code="base_url_differs",
    detail="Odoo's pages call another address their own than publicUrl. When an administrator signs in through a link, "
    "Odoo sets web.base.url to publicUrl, and then uses that in mails and documents.",
    remedy="Add an account of any internal user: with it Guestpass learns the value and keeps it. Or set publicUrl to "
    "the value of web.base.url, or the system parameter web.base.url.freeze to True in Odoo.",
)
FORWARDING_IGNORED: Final = Finding(
    code="forwarding_ignored",
    detail="Odoo does not go by X-Forwarded-*. It takes all visitors for one client: five wrong passwords of one lock "
    "them all out for a minute, and its log tells no visitor from another. Behind https it writes addresses with http.",
    remedy="Set proxy_mode = True in Odoo's configuration.",
)
NO_WEBSOCKET: Final = Finding(
    code="websocket_not_found",
    detail="Odoo's bus answers neither at url nor on port 8072 beside it. Visitors see no messages, notifications and "
    "changes of others until they load the page again.",
    remedy="Set websocketUrl to the address of Odoo's gevent port (gevent_port, longpolling_port before version 16).",
)
NO_WEBSOCKET_AS_SET: Final = Finding(
    code="websocket_unanswered",
    detail="Odoo's bus does not answer at websocketUrl. Visitors see no messages, notifications and changes of others "
    "until they load the page again.",
    remedy="Correct websocketUrl, or take it away where Odoo runs without workers and answers everything at url.",
)
WEBSOCKET_OF_ANOTHER: Final = Finding(
    code="websocket_of_another",
    detail="A bus of Odoo answers on port 8072 beside url, but it does not know a session that was made at url. So it "
    "belongs to another Odoo and is not used: visitors see no messages, notifications and changes of others until they "
    "load the page again.",
    remedy="Set websocketUrl to the address of this Odoo's gevent port (gevent_port in its configuration).",
)
WEBSOCKET_ASSUMED: Final = Finding(
    code="websocket_assumed",
    detail="A bus of Odoo answers on port 8072 beside url and is used. Odoo's own port is not 8069, so the two may "
    "belong to different Odoos: then visitors would miss live changes here and trouble the other one.",
    remedy="Set websocketUrl to the address of this Odoo's gevent port, so that nothing is assumed.",
)
X_SENDFILE: Final = Finding(
    code="x_sendfile",
    detail="Odoo leaves it to a web server before it to send files (--x-sendfile), and there is none at this address: "
    "visitors get an error for each file, and for the styles and scripts of every page.",
    remedy="Register the address of that web server, or start Odoo without --x-sendfile.",
)
