"""Field lines: their ends, names, folds and forbidden bytes, and how many of them."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import Forwarded, RequestFamily, forwarded, get, post, refused

_BARE: Final = "RFC 9112, section 2.2: a bare CR is invalid, LF alone is a line end to some"
_FOLD: Final = (
    "RFC 9112, section 5.2: obs-fold MUST be rejected or replaced; those behind us read it as a field of its own"
)
_BLANK: Final = "RFC 9112, section 5.1: a blank between name and colon MUST be rejected"
_TOKEN: Final = "RFC 9110, section 5.1: a name is a token; HTTP Garden found servers that truncate or join such lines"
_VALUE: Final = "RFC 9110, section 5.5: CR, LF and NUL are dangerous, other control bytes invalid"
_LATER: Final = b"X-Later: y"

_NO_TOKENS: Final = (
    (b"X(", "a parenthesis"), (b"X@", "an at sign"), (b"X/", "a slash"), (b"X[", "a bracket"), (b"X\\", "a backslash"),
    (b"X{", "a brace"), (b'X"', "a quote"), (b"X,", "a comma"), (b"X;", "a semicolon"), (b"X=", "an equals sign"),
    (b"X?", "a question mark"), (b"X<", "an angle bracket"), (b"X\x7f", "DEL"), (b"X\x01", "a control byte"),
    (b"X\0", "a NUL"), (b"X\x85", "NEL"), (b"X\xa0", "a no-break space"), (b"X\xad", "a soft hyphen"),
    (b"X\xc3\xa9", "UTF-8"),
)  # fmt: skip

FAMILY: Final = RequestFamily(
    "fields",
    (
        refused("a bare LF behind a field", get(b"X: MARK\nX-Evil: y"), _BARE),
        refused("bare LFs throughout", b"GET /MARK HTTP/1.1\nHost: HOST\nCookie: PASS\n\n", _BARE),
        refused("a bare LF ends the head", b"GET /MARK HTTP/1.1\r\nHost: HOST\r\nCookie: PASS\r\n\n", _BARE),
        refused("LF CR LF ends the head", b"GET /MARK HTTP/1.1\r\nHost: HOST\r\nCookie: PASS\n\r\n", _BARE),
        refused("an empty line of LF in the midst", get(b"X: y\n\nGET /smuggled-MARK HTTP/1.1"), _BARE),
        refused("a bare CR in a value", get(b"X: a\rb"), _BARE),
        refused("a bare CR for a line end", get(b"X: a\rX-Evil: y"), "HTTP Garden: CPython and Mongoose took it for one"),
        refused("a bare CR before the colon", get(b"X\r: y"), _BARE),
        refused("CR CR LF behind a field", get(b"X: y\r"), _BARE),
        refused("a CR first in a line", get(b"\rX: y"), _BARE),
        refused("a CR before the empty line", b"GET /MARK HTTP/1.1\r\nHost: HOST\r\nCookie: PASS\r\n\rZ" + get(), "HTTP Garden: the head ended at CR and any byte"),
        refused("a NUL in a value", get(b"X: a\0b"), _VALUE),
        refused("a NUL behind a value", get(b"X: a\0"), "HTTP Garden: values stripped of it, or cut at it"),
        refused("a NUL and a CR in a value", get(b"X: v\0\ralue"), _VALUE),
        refused("a vertical tab in a value", get(b"X: a\x0bb"), _VALUE),
        refused("a form feed behind a value", get(b"X: a\x0c"), _VALUE),
        refused("an escape byte in a value", get(b"X: \x1b[2J"), "it would speak to a terminal that shows a log; " + _VALUE),
        refused("a backspace in a value", get(b"X: a\x08b"), _VALUE),
        refused("DEL in a value", get(b"X: a\x7fb"), _VALUE),
        forwarded("8-bit bytes in a value", get(b"X: \x80\xff"), "RFC 9110, section 5.5: obs-text; opaque, so it goes on as it came", Forwarded(fields=((b"x", b"\x80\xff"),))),
        forwarded("8-bit blanks around a value", get(b"X: \x85a\xa0"), "HTTP Garden: some strip them; they are no blanks here", Forwarded(fields=((b"x", b"\x85a\xa0"),))),
        forwarded("blanks and tabs around a value", get(b"X: \t a \t "), "llhttp leaves those behind it; RFC 9112, section 5.1", Forwarded(fields=((b"x", b"a"),))),
        forwarded("an empty value", get(b"X:"), "RFC 9110, section 5.5: it may be empty", Forwarded(fields=((b"x", b""),))),
        forwarded("a value of blanks", get(b"X: \t "), "RFC 9110, section 5.5: blanks around it are no part", Forwarded(fields=((b"x", b""),))),
        forwarded("colons in a value", get(b"X: a: b: c"), "RFC 9112, section 5.1: the first one ends the name", Forwarded(fields=((b"x", b"a: b: c"),))),
        refused("a folded value", get(b"X: y\r\n z"), _FOLD),
        refused("a value folded by a tab", get(b"X: y\r\n\tz"), _FOLD),
        refused("a fold that holds a field", get(b"X: y\r\n X-Evil: z"), _FOLD),
        refused("a fold of blanks", get(b"X: y\r\n \r\nX-Evil: z"), _FOLD),
        refused("a fold behind an empty value", get(b"X:\r\n y"), _FOLD),
        refused("a fold of LF", get(b"X: y\n z"), _FOLD),
        refused("a fold behind Host", b"GET /MARK HTTP/1.1\r\nHost: HOST\r\n .other.example\r\nCookie: PASS\r\n\r\n", _FOLD),
        refused("a fold behind Cookie", get(b" ; a=b"), _FOLD),
        refused("a fold before the empty line", get(b"X: y", b" "), _FOLD),
        refused("a fold by a vertical tab", get(b"X: y\r\n\x0bz"), _FOLD),
        refused("a blank before the colon", get(b"X : y"), _BLANK),
        refused("a tab before the colon", get(b"X\t: y"), _BLANK),
        refused("a blank in a name", get(b"X Y: z"), _TOKEN),
        refused("a line without a colon", get(b"X"), _TOKEN),
        refused("a line with a blank for a colon", get(b"Content-Length 10"), "HTTP Garden: some took the blank for it"),
        refused("no name", get(b": MARK"), "HTTP Garden: some took it for the end of the head"),
        refused("a colon alone", get(b":", b"X-Evil: y"), "HTTP Garden: some took it for the end of the head"),
        refused("blanks for a name", get(b"  : y"), _TOKEN),
        *(refused(f"a name with {what}", get(name + b": y"), _TOKEN) for name, what in _NO_TOKENS),
        *(
            forwarded(
                f"a name with {what}",
                get(b"X%bY: z" % sign, _LATER),
                "a token, but WSGI and CGI make one name of it and another: it is not passed on",
                Forwarded(fields=((b"x%by" % sign, None), (b"x-later", b"y"))),
            )
            for sign, what in ((b"_", "an underscore"), (b".", "a dot"), (b"%", "a percent sign"), (b"'", "an apostrophe"), (b"~", "a tilde"), (b"!", "an exclamation mark"), (b"|", "a bar"))
        ),
        forwarded("Content_Length", post(b"Content_Length: 3", b"Content-Length: 2", body=b"ab"), "llhttp lets it pass; it became the length on Werkzeug 2.2.2", Forwarded(method=b"POST", body=b"ab", fields=((b"content_length", None),))),
        forwarded("X_Forwarded_Host", get(b"X_Forwarded_Host: evil.example"), "behind our own field it gave Werkzeug 2.2.2 another host", Forwarded(fields=((b"x_forwarded_host", None),))),
        refused("a NUL before the head's end", b"GET /MARK HTTP/1.1\r\nHost: HOST\r\nCookie: PASS\r\n\0\r\n", _VALUE),
        refused("201 fields", get(*[b"X: y"] * 200), "llhttp has no limit", 431),
        forwarded("200 fields", get(*[b"X-%d: y" % number for number in range(198)]), "the limit itself is allowed", Forwarded(fields=((b"x-197", b"y"),))),
        refused("a value over the limit", get(b"X: %b" % (b"y" * 66_000)), "llhttp has no limit", 431),
        refused("a name over the limit", get(b"%b: y" % (b"X" * 66_000)), "llhttp has no limit", 431),
        refused("a target over the limit", get(target=b"/MARK" + b"x" * 17_000), "llhttp has no limit; RFC 9112, section 3: 414", 414),
        refused("a first line over the limit", get(target=b"/MARK" + b"x" * 70_000), "llhttp has no limit; RFC 9112, section 3: 414", 414),
        refused("a method over any method", b"G" * 5000 + b" /MARK HTTP/1.1\r\nHost: HOST\r\n\r\n", "RFC 9112, section 3: longer than any that is known"),
    ),
)  # fmt: skip
