"""Every text that visitors read, and what clients read in its stead; a translation replaces this table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from guestpass.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Words:
    """What is said for one reason.

    `title` and `text` are for somebody who knows nothing of hosting and wants to know what to do now;
    `detail` is for the person who reads a client's log.
    """

    title: str
    text: str
    detail: str


@dataclass(frozen=True, slots=True)
class Interface:
    """The words of forms and of the frame around every page."""

    password: str = "Password"
    open: str = "Open"
    switch: str = "Switch to this link"
    product: str = "Guestpass"
    preview: str = "A shared environment. Open the link in your browser to see it."
    request_id: str = "Request"
    message: str = "Message from the owner"
    problem: str = "What went wrong"


INTERFACE: Final = Interface()
PASSWORD_MISSING: Final = "Please type the password."

_ASK_AGAIN = "Ask the person who sent it to you for a new one."
_TRY_AGAIN = "Please try again in a moment. If it doesn't help, tell the person who sent you the link."

NOTICES: Final[dict[Reason, Words]] = {
    Reason.UNKNOWN_LINK: Words(
        "This link leads nowhere",
        "Part of it may have been lost when it was copied, or it was removed. Check that you have the whole link, or "
        "ask the person who sent it to you.",
        "No share link has this token.",
    ),
    Reason.LINK_DEACTIVATED: Words(
        "This link was switched off",
        "The person who shared it has ended the access. If you still need it, ask them for a new link.",
        "The share link was deactivated.",
    ),
    Reason.LINK_EXPIRED: Words(
        "This link has expired",
        f"Shared links work for a limited time, and this one's is over. {_ASK_AGAIN}",
        "The share link has expired.",
    ),
    Reason.LINK_REPLACED: Words(
        "This link was replaced",
        "There is a new link in its place. Ask the person who sent you this one for it.",
        "The share link has a new URL; this one no longer opens it.",
    ),
    Reason.LINK_FULL: Words(
        "All places are taken",
        "This link lets in a limited number of people, and that many have opened it. If you were one of them, use the "
        "browser that you opened it with. Otherwise ask the person who sent it to you.",
        "As many visitors as the share link's maxVisitors allows have opened it.",
    ),
    Reason.ADDRESS_REFUSED: Words(
        "This link doesn't open from here",
        "It was limited to certain networks, such as an office's, and yours is not one of them. Connect to the right "
        "one, or ask the person who sent it to you.",
        "The client's address is not in the share link's allowedIPs.",
    ),
    Reason.CONFIRM_OPENING: Words(
        "Open your link",
        "This link lets in a limited number of people. Opening it takes one place, which this browser then keeps.",
        "Opening this share link takes one of its places: confirm with POST /share/{token}.",
    ),
    Reason.PREVIEW: Words(
        "Shared environment",
        "Somebody shared an environment with you. Open the link in your browser to see it.",
        "A share link to an environment.",
    ),
    Reason.PASSWORD_NEEDED: Words(
        "Enter the password",
        "What was shared with you is protected. The person who sent you the link knows the password.",
        "This share link asks for a password: send it to /share/{token}/login.",
    ),
    Reason.PASSWORD_WRONG: Words(
        "Enter the password",
        "What was shared with you is protected. The person who sent you the link knows the password.",
        "The password is wrong.",
    ),
    Reason.PASS_MISSING: Words(
        "Open your link first",
        "This page is part of something that is shared by link. Open the link that was sent to you. If you have just "
        "done so, allow cookies for this site and open it again.",
        "There is no pass: open a share link first and keep its cookie.",
    ),
    Reason.SWITCH_LINK: Words(
        "Switch to this link?",
        "This browser has another shared link open, and only one can be open at a time. Switching closes the other "
        "one; what you have not saved there is lost.",
        "The browser holds a pass of another share link: confirm with POST /share/{token}.",
    ),
    Reason.EMBEDDED: Words(
        "Open this link in its own tab",
        "To protect you, shared links don't open inside another page. Copy the link into your browser's address bar.",
        "A share link does not open inside a frame.",
    ),
    Reason.BAD_REQUEST: Words(
        "That request could not be understood",
        "Your browser sent something that we can't answer. Go back and try again, or open the link that was sent to "
        "you anew.",
        "The request is malformed.",
    ),
    Reason.FOREIGN_ORIGIN: Words(
        "That came from another site",
        "To protect you, we don't accept what other websites send in your name. Open the link that was sent to you "
        "and try again from there.",
        "The request's Origin is another site's.",
    ),
    Reason.UNKNOWN_HOST: Words(
        "Nothing is shared at this address",
        "Check the link that was sent to you, or ask the person who sent it.",
        "No host of this name is served here.",
    ),
    Reason.NOT_FOUND: Words(
        "There is nothing here",
        "Check the address, or open the link that was sent to you anew.",
        "There is nothing at this path.",
    ),
    Reason.METHOD_NOT_ALLOWED: Words(
        "That can't be done here",
        "Open the link that was sent to you anew.",
        "The method is not allowed here.",
    ),
    Reason.HEAD_TOO_LARGE: Words(
        "Your browser sent too much",
        "Most often too many cookies are the cause. Clear this site's cookies, then open the link that was sent to "
        "you anew.",
        "The request's head is larger than allowed.",
    ),
    Reason.TARGET_TOO_LONG: Words(
        "This address is too long",
        "Open the link that was sent to you anew, and go on from there.",
        "The request's target is longer than allowed.",
    ),
    Reason.BODY_TOO_LARGE: Words(
        "That is too large",
        "What you are sending is larger than this site accepts. Try a smaller file, or ask the person who sent you "
        "the link.",
        "The request's body is larger than allowed.",
    ),
    Reason.HEAD_TIMEOUT: Words(
        "That took too long",
        "Your request did not arrive in time. Check your connection and try again.",
        "The request's head did not arrive in time.",
    ),
    Reason.SERVICE_WORKER: Words(
        "Not available through a shared link",
        "Offline features of this application are switched off here. Everything else works.",
        "Service workers are not served where links share one origin.",
    ),
    Reason.VERSION_NOT_SUPPORTED: Words(
        "Your browser speaks another language",
        "Please use a current browser.",
        "Only HTTP/1.0 and HTTP/1.1 are supported.",
    ),
    Reason.MAINTENANCE: Words(
        "Back soon",
        "What was shared with you is being worked on. Your link stays as it is: try it again a little later.",
        "The environment is under maintenance.",
    ),
    Reason.UPSTREAM_UNREACHABLE: Words(
        "It isn't answering",
        f"What was shared with you doesn't seem to be running. {_TRY_AGAIN}",
        "The environment can't be reached.",
    ),
    Reason.UPSTREAM_BROKEN: Words(
        "It gave no proper answer",
        f"What was shared with you is running, but something is wrong with it. {_TRY_AGAIN}",
        "The environment's answer was not valid HTTP or ended too early.",
    ),
    Reason.UPSTREAM_TIMEOUT: Words(
        "It took too long",
        f"What was shared with you did not answer in time. {_TRY_AGAIN}",
        "The environment did not answer in time.",
    ),
    Reason.ACCELERATED_FILE: Words(
        "This file can't be shown",
        "What was shared with you is set up in a way that doesn't let this file through. Tell the person who sent "
        "you the link.",
        "The environment answered with X-Accel-Redirect: it expects its own nginx in front. Share the address of that "
        "nginx, or start Odoo without --x-sendfile.",
    ),
    Reason.NOT_SHARED: Words(
        "This part isn't shared",
        "The link that was sent to you opens the application, but not this part of it.",
        "This path is shut for everybody who comes by a link.",
    ),
    Reason.VIEW_ONLY: Words(
        "This link is view-only",
        "You can look at everything, but not change anything. If you need to, ask the person who sent you the link.",
        "The share link is view-only, and this is not known to be a reading request.",
    ),
    Reason.VISIT_ENDED: Words(
        "You have left",
        "You are signed out. To come back, open the link that was sent to you again.",
        "The visit is over; open the share link again for a new one.",
    ),
    Reason.SIGN_IN_REFUSED: Words(
        "You can't be signed in right now",
        "The account that was meant for you isn't accepted at the moment. Tell the person who sent you the link; it "
        "stays as it is.",
        "The environment does not accept the account that this share link signs visitors in as.",
    ),
    Reason.SIGN_INS_USED_UP: Words(
        "Too many visitors at once",
        "Many people have opened this link from where you are. Please try again in a few minutes.",
        "Too many sign-ins through this share link from one address.",
    ),
    Reason.TOO_BUSY: Words(
        "Too much at once",
        "What was shared with you is very busy at the moment. Please try again in a few seconds.",
        "Too many requests wait for this environment, or too much is being held for it.",
    ),
    Reason.UNAVAILABLE: Words(
        "One moment, please",
        f"We can't show this right now. {_TRY_AGAIN}",
        "Not available at the moment.",
    ),
}
WRONG_PASSWORD: Final = "That password isn't right. Check it and try again."
