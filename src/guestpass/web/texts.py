"""Every text that visitors read, and what clients read in its stead. Each is written in English and marked."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from guestpass.domain.reasons import Reason
from guestpass.languages.language import Language
from guestpass.languages.marks import mark, mark_count


@dataclass(frozen=True, slots=True)
class Words:
    """What is said for one reason.

    `title` and `text` are for somebody who knows nothing of hosting and wants to know what to do now;
    `detail` is for the person who reads a client's log, in English.
    """

    title: str
    text: str
    detail: str


@dataclass(frozen=True, slots=True)
class Interface:
    """The words of forms and of the frame around every page."""

    password: str = mark("Password")
    open: str = mark("Open")
    switch: str = mark("Switch to this link")
    again: str = mark("Try now")
    request_id: str = mark("Request")
    contact: str = mark("Contact:")
    message: str = mark("Message from the owner")
    problem: str = mark("What went wrong")

    def translated(self, language: Language) -> Interface:
        """The same in another language."""
        return Interface(**{field.name: language.translate(getattr(self, field.name)) for field in fields(self)})


INTERFACE: Final = Interface()
PRODUCT: Final = "Guestpass"
CARD: Final = mark("A shared environment. Open the link in your browser to see it.")
PASSWORD_MISSING: Final = mark("Please type the password.")
WRONG_PASSWORD: Final = mark("That password isn't right. Check it and try again.")
WAIT: Final = mark_count("You can try again in a minute.", "You can try again in {count} minutes.")
ENDED_AT: Final = mark("It ended on {date} at {time}.")
RETRIES: Final = mark("This page tries again by itself every {seconds} seconds.")
UNEXPECTED: Final = Words(
    mark("Something went wrong here"),
    mark("It is not your fault. Please try again. If it happens again, tell the person who sent you the link."),
    "Something went wrong here; the log names it by requestId.",
)

NOTICES: Final[dict[Reason, Words]] = {
    Reason.UNKNOWN_LINK: Words(
        mark("This link leads nowhere"),
        mark(
            "Part of it may have been lost when it was copied, or it was removed. Check that you have the whole link, "
            "or ask the person who sent it to you."
        ),
        "No share link has this token.",
    ),
    Reason.LINK_DEACTIVATED: Words(
        mark("This link was switched off"),
        mark("The person who shared it has ended the access. If you still need it, ask them for a new link."),
        "The share link was deactivated.",
    ),
    Reason.LINK_EXPIRED: Words(
        mark("This link has expired"),
        mark(
            "A share link works for a limited time, and this one's is over. Ask the person who sent it to you for a "
            "new one."
        ),
        "The share link has expired.",
    ),
    Reason.LINK_REPLACED: Words(
        mark("This link was replaced"),
        mark("There is a new link in its place. Ask the person who sent you this one for it."),
        "The share link has a new URL; this one no longer opens it.",
    ),
    Reason.LINK_FULL: Words(
        mark("All places are taken"),
        mark(
            "This link lets in a limited number of people, and that many are in. If you are one of them, use the "
            "browser that you opened it with. Otherwise ask the person who sent it to you."
        ),
        "As many visitors as the share link's maxVisitors allows are in.",
    ),
    Reason.ADDRESS_REFUSED: Words(
        mark("This link doesn't open from here"),
        mark(
            "It was limited to certain networks, such as an office's, and yours is not one of them. Connect to the "
            "right one, or ask the person who sent it to you."
        ),
        "The client's address is not in the share link's allowedIPs.",
    ),
    Reason.CONFIRM_OPENING: Words(
        mark("Open your link"),
        mark(
            "This link lets in a limited number of people. Opening it takes one place, which this browser then keeps."
        ),
        "Opening this share link takes one of its places: confirm with POST /share/{token}.",
    ),
    Reason.PREVIEW: Words(
        mark("Shared environment"),
        mark("Somebody shared an environment with you. Open the link in your browser to see it."),
        "A share link to an environment.",
    ),
    Reason.PASSWORD_NEEDED: Words(
        mark("Enter the password"),
        mark("What was shared with you is protected. The person who sent you the link knows the password."),
        "This share link asks for a password: send it to /share/{token}/login.",
    ),
    Reason.PASSWORD_WRONG: Words(
        mark("Enter the password"),
        mark("What was shared with you is protected. The person who sent you the link knows the password."),
        "The password is wrong.",
    ),
    Reason.TRIES_USED_UP: Words(
        mark("Too many wrong passwords"),
        mark(
            "To protect what was shared with you, no more passwords are accepted for a while. If you don't know the "
            "password, ask the person who sent you the link."
        ),
        "Too many wrong passwords; see Retry-After.",
    ),
    Reason.PASS_MISSING: Words(
        mark("Open your link first"),
        mark(
            "This page is part of something that is shared by link. Open the link that was sent to you. If you have "
            "just done so, allow cookies for this site and open it again."
        ),
        "There is no pass: open a share link first and keep its cookie.",
    ),
    Reason.SWITCH_LINK: Words(
        mark("Switch to this link?"),
        mark(
            "This browser has another share link open, and only one can be open at a time. Switching closes the "
            "other one; what you have not saved there is lost."
        ),
        "The browser holds a pass of another share link: confirm with POST /share/{token}.",
    ),
    Reason.TICKET_SPENT: Words(
        mark("Open your link again"),
        mark("This page works only once, and only for a minute. To go on, open the link that was sent to you again."),
        "An entry ticket works once, within a minute: open the share URL for another.",
    ),
    Reason.EMBEDDED: Words(
        mark("Open this link in its own tab"),
        mark(
            "To protect you, a share link doesn't open inside another page. Copy the link into your browser's address "
            "bar."
        ),
        "A share link does not open inside a frame.",
    ),
    Reason.BAD_REQUEST: Words(
        mark("That request could not be understood"),
        mark(
            "Your browser sent something that we can't answer. Go back and try again, or open the link that was sent "
            "to you anew."
        ),
        "The request is malformed.",
    ),
    Reason.FOREIGN_ORIGIN: Words(
        mark("That came from another site"),
        mark(
            "To protect you, we don't accept what other websites send in your name. Open the link that was sent to "
            "you and try again from there."
        ),
        "The request's Origin is another site's.",
    ),
    Reason.UNKNOWN_HOST: Words(
        mark("Nothing is shared at this address"),
        mark("Check the link that was sent to you, or ask the person who sent it."),
        "No host of this name is served here.",
    ),
    Reason.NOT_FOUND: Words(
        mark("There is nothing here"),
        mark("Check the address, or open the link that was sent to you anew."),
        "There is nothing at this path.",
    ),
    Reason.METHOD_NOT_ALLOWED: Words(
        mark("That can't be done here"),
        mark("Open the link that was sent to you anew."),
        "The method is not allowed here.",
    ),
    Reason.HEAD_TOO_LARGE: Words(
        mark("Your browser sent too much"),
        mark(
            "Most often too many cookies are the cause. Clear this site's cookies, then open the link that was sent "
            "to you anew."
        ),
        "The request's head is larger than allowed.",
    ),
    Reason.TARGET_TOO_LONG: Words(
        mark("This address is too long"),
        mark("Open the link that was sent to you anew, and go on from there."),
        "The request's target is longer than allowed.",
    ),
    Reason.BODY_TOO_LARGE: Words(
        mark("That is too large"),
        mark(
            "What you are sending is larger than this site accepts. Try a smaller file, or ask the person who sent "
            "you the link."
        ),
        "The request's body is larger than allowed.",
    ),
    Reason.HEAD_TIMEOUT: Words(
        mark("That took too long"),
        mark("Your request did not arrive in time. Check your connection and try again."),
        "The request's head did not arrive in time.",
    ),
    Reason.SERVICE_WORKER: Words(
        mark("Not available through a share link"),
        mark("Offline features of this application are switched off here. Everything else works."),
        "Service workers are not served where links share one origin.",
    ),
    Reason.VERSION_NOT_SUPPORTED: Words(
        mark("Your browser is too old"),
        mark("Please use a current browser."),
        "Only HTTP/1.0 and HTTP/1.1 are supported.",
    ),
    Reason.MAINTENANCE: Words(
        mark("Back soon"),
        mark("What was shared with you is being worked on. Your link stays as it is: try it again a little later."),
        "The environment is under maintenance.",
    ),
    Reason.UPSTREAM_UNREACHABLE: Words(
        mark("It isn't answering"),
        mark(
            "What was shared with you doesn't seem to be running. Please try again in a moment. If it doesn't help, "
            "tell the person who sent you the link."
        ),
        "The environment can't be reached.",
    ),
    Reason.UPSTREAM_BROKEN: Words(
        mark("It gave no proper answer"),
        mark(
            "What was shared with you is running, but something is wrong with it. Please try again in a moment. If it "
            "doesn't help, tell the person who sent you the link."
        ),
        "The environment's answer was not valid HTTP or ended too early.",
    ),
    Reason.UPSTREAM_TIMEOUT: Words(
        mark("It took too long"),
        mark(
            "What was shared with you did not answer in time. Please try again in a moment. If it doesn't help, tell "
            "the person who sent you the link."
        ),
        "The environment did not answer in time.",
    ),
    Reason.ACCELERATED_FILE: Words(
        mark("This file can't be shown"),
        mark(
            "What was shared with you is set up in a way that doesn't let this file through. Tell the person who sent "
            "you the link."
        ),
        "The environment answered with X-Accel-Redirect: it expects its own nginx in front. Share the address of that "
        "nginx, or start Odoo without --x-sendfile.",
    ),
    Reason.NOT_SHARED: Words(
        mark("This part isn't shared"),
        mark("The link that was sent to you opens the application, but not this part of it."),
        "This path is blocked for everybody who comes by a link.",
    ),
    Reason.VIEW_ONLY: Words(
        mark("This link is view-only"),
        mark(
            "You can look at everything, but not change anything. If you need to, ask the person who sent you the link."
        ),
        "The share link is view-only, and this is not known to be a reading request.",
    ),
    Reason.VISIT_ENDED: Words(
        mark("You have left"),
        mark("You are signed out. To come back, open the link that was sent to you again."),
        "The visit is over; open the share link again for a new one.",
    ),
    Reason.SIGN_IN_REFUSED: Words(
        mark("You can't be signed in right now"),
        mark(
            "The account that was meant for you isn't accepted at the moment. Tell the person who sent you the link; "
            "it stays as it is."
        ),
        "The environment does not accept the account that this share link signs visitors in as.",
    ),
    Reason.SIGN_INS_USED_UP: Words(
        mark("Too many visitors at once"),
        mark("Many people have opened this link from where you are. Please try again in a few minutes."),
        "Too many sign-ins through this share link from one address.",
    ),
    Reason.LINK_OVERRUN: Words(
        mark("Too many people at once"),
        mark(
            "This link is being used so much that it has to pause for a moment. Please try again a little later. If it "
            "stays so, tell the person who sent you the link."
        ),
        "More requests came through this share link than it may have.",
    ),
    Reason.TOO_MANY_REQUESTS: Words(
        mark("Too much from your network"),
        mark(
            "So many requests came from where you are that we have to pause for a moment. Please try again a little "
            "later."
        ),
        "More requests came from this address than one may send.",
    ),
    Reason.GUESSES_USED_UP: Words(
        mark("Too many links that lead nowhere"),
        mark(
            "From where you are, many links were tried that don't exist, so yours can't be looked up for the moment. "
            "Please try again later, or open it from another network."
        ),
        "Too many unknown tokens came from this address.",
    ),
    Reason.TOO_BUSY: Words(
        mark("Too much at once"),
        mark("What was shared with you is very busy at the moment. Please try again in a few seconds."),
        "Too many requests wait for this environment, or too much is being held for it.",
    ),
    Reason.UNAVAILABLE: Words(
        mark("One moment, please"),
        mark(
            "We can't show this right now. Please try again in a moment. If it doesn't help, tell the person who sent "
            "you the link."
        ),
        "Not available at the moment.",
    ),
}
