"""Transfer-Encoding: CL.TE, TE.CL and TE.TE, in the spellings that made some see it and others not."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import (
    BOTH,
    SMUGGLED,
    Forwarded,
    RequestCase,
    RequestFamily,
    forwarded,
    get,
    post,
    refused,
    request,
)

_BOTH: Final = "RFC 9112, section 6.1: both fields ought to be handled as an error; "
_CL_TE: Final = _BOTH + "CL.TE (PortSwigger, HTTP desync attacks): one counts, the next one decodes"
_TE_CL: Final = _BOTH + "TE.CL (PortSwigger, HTTP desync attacks): one decodes, the next one counts"
_TE_TE: Final = "TE.TE: a spelling that one takes for chunked and another does not (http-request-smuggler's permutations); RFC 9112, section 6.3"
_OLD: Final = "RFC 9112, section 6.1: in HTTP/1.0 it is faulty framing"
_LAST: Final = b"0\r\n\r\n"
_BODY: Final = _LAST + b"GET /smuggled-MARK HTTP/1.1\r\nX: y"
_SIZE: Final = len(_BODY) - len(b"MARK") + len(b"mark000000x")
_LENGTH: Final = b"Content-Length: %d" % _SIZE

# What is not Transfer-Encoding to us must not be on its way to anybody to whom it is.
_REFUSED_LINES: Final = (
    (b"Transfer-Encoding: chunked", "plain"),
    (b"Transfer-Encoding:chunked", "no blank"),
    (b"Transfer-Encoding:\tchunked", "a tab before the value"),
    (b"Transfer-Encoding: chunked ", "a blank behind the value"),
    (b"Transfer-Encoding: chunked\t", "a tab behind the value"),
    (b"TRANSFER-ENCODING: chunked", "capitals"),
    (b"tRANSFER-ENCODING: chunked", "mixed letters"),
    (b"Transfer-Encoding: CHUNKED", "its value in capitals"),
    (b"Transfer-Encoding : chunked", "a blank before the colon"),
    (b"Transfer-Encoding\t: chunked", "a tab before the colon"),
    (b"Transfer-Encoding x: chunked", "junk before the colon"),
    (b"Transfer Encoding: chunked", "a blank for the hyphen"),
    (b"Transfer\\Encoding: chunked", "a backslash for the hyphen"),
    (b"Transfer\xadEncoding: chunked", "a soft hyphen for the hyphen"),
    (b"Transfer-Encoding\xad: chunked", "a soft hyphen behind the name"),
    (b"Transfer-Encoding\x85: chunked", "NEL behind the name"),
    (b"Transfer-Encoding\xa0: chunked", "a no-break space behind the name"),
    (b"Transfer-Encoding\0: chunked", "a NUL behind the name"),
    (b"Transfer-Encoding\x01: chunked", "a control byte behind the name"),
    (b"Transfer-\xcbncoding: chunked", "an accent in the name"),
    (b"Foo: bar\r\n Transfer-Encoding: chunked", "indented"),
    (b"Foo: bar\r\n\tTransfer-Encoding: chunked", "indented by a tab"),
    (b"Foo: bar\rTransfer-Encoding: chunked", "behind a bare CR"),
    (b"Foo: bar\nTransfer-Encoding: chunked", "behind a bare LF"),
    (b"Foo: bar\r\n\rTransfer-Encoding: chunked", "behind CRLF and CR"),
    (b"Tra\rnsfer-Encoding: chunked", "a CR in the name"),
    (b"Transfer-\r\nEncoding: chunked", "a line end in the name"),
    (b"Transfer-Encoding\n : chunked", "a line end before the colon"),
    (b"Transfer-Encoding:\n chunked", "LF before the value"),
    (b"Transfer-Encoding:\r\n chunked", "a fold before the value"),
    (b"Transfer-Encoding:\r\n \r\n chunked", "two folds before the value"),
    (b"Transfer-Encoding: chunked\r\n ", "a fold behind the value"),
    (b"Transfer-Encoding: chunked\n\x0b", "LF and a vertical tab behind the value"),
    (b"Transfer-Encoding: chunked\r", "a CR behind the value"),
    (b"Transfer-Encoding: chunked\0", "a NUL behind the value"),
    (b"Transfer-Encoding: chunked\x0b", "a vertical tab behind the value"),
    (b"Transfer-Encoding: chunked\x0c", "a form feed behind the value"),
    (b"Transfer-Encoding: \x0bchunked", "a vertical tab before the value"),
    (b"Transfer-Encoding: \x00chunked", "a NUL before the value"),
    (b"Transfer-Encoding: \xa0chunked\xa0", "no-break spaces around the value"),
    (b"Transfer-Encoding: \x85chunked", "NEL before the value"),
    (b"Transfer-Encoding: \xffchunked\xff", "8-bit bytes around the value"),
    (b"Transfer-Encoding: ch\xfcnked", "an accent in the value"),
    (b'Transfer-Encoding: "chunked"', "quotes"),
    (b"Transfer-Encoding: 'chunked'", "apostrophes"),
    (b"Transfer-Encoding: =?UTF-8?B?Y2h1bmtlZA==?=", "an encoded word"),
    (b"Transfer-Encoding: chunk", "cut short"),
    (b"Transfer-Encoding: xchunked", "a letter before"),
    (b"Transfer-Encoding: chunkedx", "a letter behind"),
    (b"Transfer-Encoding: chunked;q=1", "a parameter"),
    (b"Transfer-Encoding: chunked;", "a semicolon"),
    (b"Transfer-Encoding: chunked,", "a comma behind"),
    (b"Transfer-Encoding: ,chunked", "a comma before"),
    (b"Transfer-Encoding: chunked, identity", "identity behind"),
    (b"Transfer-Encoding: identity, chunked", "identity before"),
    (b"Transfer-Encoding: identity, chunked, identity", "identity on both sides"),
    (b"Transfer-Encoding: gzip, chunked", "gzip before"),
    (b"Transfer-Encoding: chunked, gzip", "gzip behind"),
    (b"Transfer-Encoding: chunked, chunked", "chunked twice in a list"),
    (b"Transfer-Encoding: chunked cow", "a word behind"),
    (b"Transfer-Encoding: cow", "a coding that nobody knows"),
    (b"Transfer-Encoding: gzip", "gzip"),
    (b"Transfer-Encoding: identity", "identity"),
    (b"Transfer-Encoding:", "empty"),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "twice"),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow", "twice, then another"),
    (b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked", "twice, another first"),
    (b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "twice, identity first"),
    (b"Transfer-Encoding:\r\nTransfer-Encoding: chunked", "twice, empty first"),
    (b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked", "named by Connection"),
)  # fmt: skip
_OTHER_LINES: Final = (
    (b"Transfer_Encoding: chunked", b"transfer_encoding", None, "an underscore for the hyphen"),
    (b"Transfer-%45ncoding: chunked", b"transfer-%45ncoding", None, "an escape in the name"),
    (b"Transfer.Encoding: chunked", b"transfer.encoding", None, "a dot for the hyphen"),
    (b"Transfer-Encoding_: chunked", b"transfer-encoding_", None, "an underscore behind the name"),
    (b"X-Transfer-Encoding: chunked", b"x-transfer-encoding", b"chunked", "another name"),
    (b"TransferEncoding: chunked", b"transferencoding", b"chunked", "no hyphen"),
    (b"Content-Encoding: chunked", b"content-encoding", b"chunked", "Content-Encoding"),
    (b"TE: chunked", b"te", None, "TE"),
)  # fmt: skip
_ALONE: Final = {
    "plain", "no blank", "a tab before the value", "a blank behind the value", "capitals", "mixed letters",
    "its value in capitals",
}  # fmt: skip


def _with_length(line: bytes, what: str, *, first: bool) -> RequestCase:
    fields = (line, _LENGTH) if first else (_LENGTH, line)
    name = f"{what}, and a length {'behind' if first else 'before'} it"
    return refused(name, post(*fields, body=_BODY), _TE_CL if first else _CL_TE)


FAMILY: Final = RequestFamily(
    "coding",
    (
        *(_with_length(line, what, first=False) for line, what in _REFUSED_LINES),
        *(_with_length(line, what, first=True) for line, what in _REFUSED_LINES if what in {*_ALONE, "a tab behind the value"}),
        *(
            refused(f"{what}, alone", post(line, body=_LAST + SMUGGLED), _TE_TE)
            for line, what in _REFUSED_LINES
            if what not in _ALONE
        ),
        *(
            forwarded(
                f"{what}, alone",
                post(line, body=b"5\r\nhello\r\n" + _LAST),
                "RFC 9110, sections 5.1 and 5.5: neither letters nor blanks around the value make a difference",
                Forwarded(method=b"POST", body=b"hello"),
            )
            for line, what in _REFUSED_LINES
            if what in _ALONE
        ),
        *(
            forwarded(
                f"{what}, which is none",
                post(_LENGTH, line, body=_BODY),
                "it counts, and what others might take for a coding does not go on",
                Forwarded(method=b"POST", body=_BODY, fields=((name, value), (b"transfer-encoding", None))),
            )
            for line, name, value, what in _OTHER_LINES
        ),
        *(
            forwarded(
                f"{what}, which is none, and a request behind it",
                post(line) + get(target=b"/second-MARK"),
                "without a length there is no body (RFC 9112, section 6.3, rule 7), and the environment sees it so too",
                Forwarded(method=b"POST", fields=((name, value), (b"transfer-encoding", None))),
                Forwarded(b"/second-MARK"),
            )
            for line, name, value, what in _OTHER_LINES
        ),
        refused("HTTP/1.0", request(b"POST /MARK HTTP/1.0", b"Transfer-Encoding: chunked", body=_LAST + SMUGGLED), "llhttp lets it pass; " + _OLD),
        refused("HTTP/1.0 with a length", request(b"POST /MARK HTTP/1.0", _LENGTH, b"Transfer-Encoding: chunked", body=_BODY), _OLD),
        refused("HTTP/1.0 that stays", request(b"POST /MARK HTTP/1.0", b"Connection: keep-alive", b"Transfer-Encoding: chunked", body=_LAST + SMUGGLED), _OLD),
        refused("a length of 0 and chunked", post(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=_LAST), _CL_TE),
        refused("a broken length and chunked", post(b"Content-Length: x", b"Transfer-Encoding: chunked", body=_LAST), _CL_TE),
        refused("an empty length and chunked", post(b"Content-Length:", b"Transfer-Encoding: chunked", body=_LAST), _CL_TE),
        refused("the short length of a long chunk", post(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"5c\r\nGPOST /smuggled-MARK HTTP/1.1\r\n\r\n" + b"x" * 56 + b"\r\n" + _LAST), _TE_CL),
        refused("a length in a GET with chunked", get(_LENGTH, b"Transfer-Encoding: chunked", body=_BODY), _CL_TE),
        refused("a length in a HEAD with chunked", request(b"HEAD /MARK HTTP/1.1", _LENGTH, b"Transfer-Encoding: chunked", body=_BODY), _CL_TE),
        forwarded(
            "a request behind a chunked body",
            post(b"Transfer-Encoding: chunked", body=_LAST) + get(target=b"/second-MARK"),
            "RFC 9112, section 9.3.2: what lies behind a body is the next request",
            Forwarded(method=b"POST"),
            Forwarded(b"/second-MARK"),
        ),
        forwarded(
            "chunked in a GET",
            get(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n" + _LAST),
            "RFC 9110, section 9.3.1: a GET may have a body, without a meaning",
            Forwarded(body=b"abc"),
        ),
        forwarded(
            "chunked in a HEAD",
            request(b"HEAD /MARK HTTP/1.1", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n" + _LAST),
            "http-request-smuggler's tunnel scan: the answer to a HEAD has no body, whatever the request had",
            Forwarded(method=b"HEAD", body=b"abc"),
        ),
    ),
    BOTH,
)  # fmt: skip
