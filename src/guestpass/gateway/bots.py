"""Recognise programs that look at a link because somebody sent it: previews in chats, and scanners of mail."""

from __future__ import annotations

import re

from guestpass.gateway.heads import RequestHead

# As each writes itself into User-Agent, by its operator's documentation or by what it sends. Cubot makes telephones.
_BOTS = re.compile(
    rb"applebot|barracuda|bingpreview|bitlybot|(?<!cu)bot[/;) ]|crawler|discordbot|embedly|facebookcatalog|"
    rb"facebookexternalhit|facebot|googleimageproxy|iframely|linkedinbot|mattermost|microsoft office|"
    rb"mimecast|ms-office|msteams|outlook|pinterest|proofpoint|redditbot|skypeuripreview|"
    rb"slack-imgproxy|slackbot|snap url preview|spider|telegrambot|twitterbot|viber|vkshare|whatsapp|"
    rb"xing-contenttabreceiver|yandexmail|zscaler|signal(?:-desktop)?/",
    re.IGNORECASE,
)


def is_bot(head: RequestHead) -> bool:
    """Whether the request's User-Agent (RFC 9110, section 10.1.5) is one of those. Who lies about it is none."""
    return _BOTS.search(head.values.get(b"user-agent", b"")) is not None
