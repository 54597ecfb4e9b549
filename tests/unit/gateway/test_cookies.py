from __future__ import annotations

import hashlib
import tracemalloc
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hostile.fuzz.work import operations

from guestpass.domain.visitor_pass import VisitorPass
from guestpass.gateway.cookies import CookieJar, CookieReader, EnvironmentCookies, expirations, expired, is_ours
from guestpass.signing.keys import Keys
from guestpass.signing.passes import PassSigner, kept_pass_name

LINK, OTHER_LINK = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"
NOW, END = 1_800_000_000.25, 1_800_000_000.25 + 3600
NOTHING: frozenset[bytes] = frozenset()


class CountedEntropy:
    """Bytes that differ at each call and are the same in each run."""

    def __init__(self) -> None:
        self._calls = 0

    def bytes(self, count: int) -> bytes:
        self._calls += 1
        return hashlib.shake_256(b"%d" % self._calls).digest(count)


SIGNER = PassSigner(Keys.from_secret("a secret of these tests, long enough"), CountedEntropy())
STRANGER = PassSigner(Keys.from_secret("the secret of another installation"), CountedEntropy())
ANNA = SIGNER.issue(LINK, 1, int(NOW))
BERT = SIGNER.issue(LINK, 1, int(NOW))


def tag(visitor_pass: VisitorPass) -> bytes:
    return SIGNER.cookie_tag(visitor_pass).encode()


def renamed(visitor_pass: VisitorPass, name: str, *, host: bool = False) -> str:
    return f"{'__Host-' if host else ''}guestpass.{SIGNER.cookie_tag(visitor_pass)}.{name}"


def jar(field: str, *, secure: bool = False) -> CookieJar:
    return CookieReader(SIGNER, secure=secure).read(field.encode("latin-1"))


def upstream(field: str, *http_only: bytes, visitor: VisitorPass = ANNA) -> str:
    """The Cookie field that an environment gets for one that came from Anna's browser."""
    return jar(field).for_environment(tag(visitor), frozenset(http_only)).decode("latin-1")


# What a browser sends


@pytest.mark.parametrize(
    ("secure", "name", "other"),
    [
        (False, "guestpass", "__Host-Http-guestpass"),
        (True, "__Host-Http-guestpass", "guestpass"),
        # On an origin that all links share any environment's script could have set it under its former name.
        (True, "__Host-Http-guestpass", "__Host-guestpass"),
    ],
)
def test_a_pass_counts_under_the_name_that_is_set_and_no_other(name: str, other: str, *, secure: bool) -> None:
    text = SIGNER.write(ANNA)
    assert jar(f"a=b; {name}={text}", secure=secure).passes == (ANNA,)
    # On https a neighbour below the same domain can plant a cookie, but none with the prefix.
    assert jar(f"{other}={SIGNER.write(BERT)}; {name}={text}", secure=secure).passes == (ANNA,)


def test_with_origins_of_their_own_a_pass_counts_under_its_former_name_too() -> None:
    reader = CookieReader(SIGNER, secure=True, shares_origin=False)
    for name in ("__Host-guestpass", "__Host-Http-guestpass"):
        assert reader.read(f"a=b; {name}={SIGNER.write(ANNA)}".encode()).passes == (ANNA,)
    assert reader.read(f"guestpass={SIGNER.write(ANNA)}".encode()).passes == ()


def test_the_tag_of_a_pass_is_made_once_and_only_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    cookie_tag = PassSigner.cookie_tag

    def counted(signer: PassSigner, visitor_pass: VisitorPass, moves: int = 0) -> str:
        made.append(moves)
        return cookie_tag(signer, visitor_pass, moves)

    expected = SIGNER.cookie_tag(ANNA).encode(), SIGNER.cookie_tag(ANNA, 1).encode()
    monkeypatch.setattr(PassSigner, "cookie_tag", counted)
    reader, field = CookieReader(SIGNER, secure=False), f"guestpass={SIGNER.write(ANNA)}".encode()
    found = reader.read(field)
    assert (found.passes, made) == ((ANNA,), [])
    (own,) = found.passes
    for moves in (0, 1):
        for again in (found, reader.read(field)):
            assert again.tag_of(own, moves) == expected[moves]
    assert made == [0, 1]


def test_passes_keep_their_order_and_come_once() -> None:
    one, other = SIGNER.write(ANNA), SIGNER.write(BERT)
    found = jar(f"guestpass={other}; guestpass={one}; guestpass={other}").passes
    assert found == (BERT, ANNA)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        SIGNER.write(ANNA)[:-1],
        SIGNER.write(ANNA) + "A",
        SIGNER.write(ANNA).replace(LINK, OTHER_LINK),
        SIGNER.write(ANNA).replace(".1.", ".2.", 1),
        SIGNER.write(ANNA).upper(),
        STRANGER.write(ANNA),
        STRANGER.write(STRANGER.issue(LINK, 1, int(NOW))),
        '"' + SIGNER.write(ANNA) + '"',
        "caf\xe9",
    ],
)
def test_what_we_did_not_sign_is_no_pass(text: str) -> None:
    assert jar(f"guestpass={text}").passes == ()


def test_what_is_remembered_of_fields_has_a_bound_and_a_repeated_one_is_read_once() -> None:
    reader = CookieReader(SIGNER, secure=False)
    anna = SIGNER.write(ANNA).encode()
    again = reader.read(b"guestpass=%b" % anna)
    assert reader.read(b"guestpass=%b" % anna) is again
    tracemalloc.start()
    try:
        for number in range(3000):
            reader.read(b"guestpass=%b; a=%0*d" % (anna, 4000, number))
            reader.read(b"a=%0*d" % (60_000, number))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 4_000_000


def test_no_field_is_an_empty_jar() -> None:
    empty = CookieReader(SIGNER, secure=True).read(None)
    assert (empty.passes, empty.names, empty.renamed) == ((), (), ())
    assert empty.for_environment(tag(ANNA), NOTHING) == b""


@pytest.mark.parametrize(
    "name",
    [
        "guestpass",
        "__Host-guestpass",
        "__Secure-guestpass",
        "__HOST-guestpass",
        "__Host-Http-guestpass",
        "__host-HTTP-guestpass",
        "__Http-guestpass",
        "guestpass_admin",
        "guestpass-csrf",
        "__Host-guestpass_dashboard",
        "guestpass.tag.session_id",
    ],
)
def test_cookies_of_ours_never_go_upstream_and_no_upstream_sets_them(name: str) -> None:
    assert is_ours(name.encode())
    assert upstream(f"a=1; {name}=secret; b=2") == "a=1; b=2"
    for field in (f"{name}=x", f" {name} =x; Path=/; HttpOnly", f"{name}=x; Max-Age=0"):
        assert answer(field) is None


def test_cookies_without_a_value_or_a_name_can_not_pose_as_ours() -> None:
    assert upstream("guestpass; a; =guestpass=x; =x; ;; b=2") == "a; b=2"
    for field in ("guestpass", "=guestpass=x", "=x", "", ";", "a; guestpass=x"):
        assert answer(field) is None


def test_other_cookies_pass_as_they_came() -> None:
    field = 'a=1; b="two words"; A=3; _xsrf=2|x|y; caf\xe9=\xe9; empty=; a=1=2'
    assert upstream(field) == field


def test_renamed_cookies_are_restored_for_their_visitor_alone() -> None:
    field = f"{renamed(ANNA, 'session_id')}=anna; {renamed(BERT, 'session_id')}=bert; theme=dark"
    assert upstream(field) == "session_id=anna; theme=dark"
    assert upstream(field, visitor=BERT) == "session_id=bert; theme=dark"
    assert upstream(field, visitor=SIGNER.issue(LINK, 1, int(NOW))) == "theme=dark"


def test_the_same_visitor_of_another_link_is_another_visitor() -> None:
    elsewhere = VisitorPass(OTHER_LINK, ANNA.link_version, ANNA.visitor, ANNA.issued_at)
    assert upstream(f"{renamed(ANNA, 'sid')}=x", visitor=elsewhere) == ""


def test_a_new_version_of_the_link_keeps_the_visitors_cookies() -> None:
    later = VisitorPass(LINK, 2, ANNA.visitor, ANNA.issued_at + 9)
    assert upstream(f"{renamed(ANNA, 'sid')}=x", visitor=later) == "sid=x"


def test_prefixed_names_are_restored_whole() -> None:
    field = f"{renamed(ANNA, '__Host-sid', host=True)}=1; {renamed(ANNA, '__Secure-x')}=2; {renamed(ANNA, 'a.b')}=3"
    assert upstream(field) == "__Host-sid=1; __Secure-x=2; a.b=3"


def test_a_planted_cookie_under_a_name_known_as_http_only_is_not_sent() -> None:
    assert upstream("session_id=planted; theme=dark", b"session_id") == "theme=dark"
    assert upstream("session_id =planted; theme=dark; session_id", b"session_id") == "theme=dark"
    assert upstream(f"session_id=planted; {renamed(ANNA, 'session_id')}=anna", b"session_id") == "session_id=anna"


def test_a_planted_cookie_never_stands_beside_the_restored_one() -> None:
    """Even where the name is not known from elsewhere, the renamed cookie shows that it is HttpOnly."""
    field = f"session_id=planted; {renamed(ANNA, 'session_id')}=anna; session_id=planted2"
    assert upstream(field) == "session_id=anna"


def test_a_jar_answers_anew_when_names_were_learnt_or_another_asks() -> None:
    one = jar(f"sid=planted; {renamed(BERT, 'x')}=bert")
    assert one.for_environment(tag(ANNA), NOTHING) == b"sid=planted"
    assert one.for_environment(tag(ANNA), frozenset({b"sid"})) == b""
    assert one.for_environment(tag(BERT), NOTHING) == b"x=bert; sid=planted"
    assert one.for_environment(tag(ANNA), NOTHING) == b"sid=planted"


def test_a_jar_names_what_a_browser_must_forget() -> None:
    found = jar(
        f"a=1; guestpass={SIGNER.write(ANNA)}; __Host-x=1; a=2; {renamed(ANNA, 'sid')}=1; guestpass_admin=1;"
        f"{renamed(BERT, 'sid', host=True)}=2"
    )
    assert found.names == (b"a", b"__Host-x")
    assert found.renamed == (renamed(ANNA, "sid").encode(), renamed(BERT, "sid", host=True).encode())


def test_removing_a_cookie() -> None:
    assert expired(b"a", secure=False) == b"a=; Max-Age=0; Path=/"
    assert expired(b"__Host-a", secure=True) == b"__Host-a=; Max-Age=0; Path=/; Secure"
    # What no script can set only an HttpOnly field removes.
    assert expired(b"__Host-Http-a", secure=True) == b"__Host-Http-a=; Max-Age=0; Path=/; HttpOnly; Secure"


def test_removing_cookies_from_where_a_script_can_have_put_them() -> None:
    assert list(expirations([b"a"], secure=False, paths=[b"/", b"/x"])) == [
        b"a=; Max-Age=0; Path=/",
        b"a=; Max-Age=0; Path=/x",
    ]
    assert list(expirations([b"a", b"__Host-b"], secure=True, paths=[b"/", b"/x"])) == [
        b"a=; Max-Age=0; Path=/; Secure; Partitioned",
        b"a=; Max-Age=0; Path=/; Secure",
        b"a=; Max-Age=0; Path=/x; Secure; Partitioned",
        b"a=; Max-Age=0; Path=/x; Secure",
        b"__Host-b=; Max-Age=0; Path=/; Secure; Partitioned",
        b"__Host-b=; Max-Age=0; Path=/; Secure",
    ]


def test_of_cookies_that_scripts_can_set_no_more_goes_up_than_servers_take() -> None:
    session = f"{renamed(ANNA, 'sid')}={'s' * 3000}"
    planted = "; ".join(f"x{number}={'v' * 4000}" for number in range(14))
    sent = upstream(f"lang=de; {planted}; {session}; tz=Europe/Berlin")
    assert sent.startswith(f"sid={'s' * 3000}; lang=de; x0=")
    assert sent.endswith("; tz=Europe/Berlin")
    assert len(sent) < 3100 + 6 * 1024


@given(st.binary(), st.sampled_from([NOTHING, frozenset({b"sid", b"a"})]))
def test_whatever_a_browser_sends_nothing_of_ours_and_nothing_planted_goes_upstream(
    noise: bytes, http_only: frozenset[bytes]
) -> None:
    field = b"; ".join(
        [
            noise,
            b"guestpass=" + SIGNER.write(ANNA).encode(),
            b"sid=planted",
            renamed(BERT, "sid").encode() + b"=bert",
            noise,
        ]
    )
    sent = CookieReader(SIGNER, secure=False).read(field).for_environment(tag(ANNA), http_only)
    names = [pair.partition(b"=")[0].strip(b" \t") for pair in sent.split(b"; ")] if sent else []
    assert not [name for name in names if is_ours(name)]
    assert not http_only.intersection(names)


# More than any browser keeps


def flood(count: int) -> str:
    return "; ".join(f"c{number}=1" for number in range(count))


def test_tens_of_thousands_of_cookies_cost_no_more_than_hundreds() -> None:
    def cost(count: int) -> int:
        found = jar(f"guestpass={SIGNER.write(ANNA)}; {'a;' * count}")
        return operations(lambda: (found.for_environment(tag(ANNA), NOTHING), found.names, found.renamed))

    assert cost(31_000) < cost(1000) * 1.2


def test_behind_hundreds_of_cookies_the_pass_and_those_that_we_renamed_still_count() -> None:
    own = f"{renamed(ANNA, 'sid', host=True)}=anna;{renamed(ANNA, 'lang')}=da"
    field = f"{flood(5000)}; x=1; {renamed(BERT, 'sid')}=bert; {own}; guestpass={SIGNER.write(ANNA)}; theme=dark"
    assert jar(field).passes == (ANNA,)
    sent = upstream(field, b"c1").split("; ")
    assert sent[:4] == ["sid=anna", "lang=da", "c0=1", "c2=1"]
    assert 180 < len(sent) < 1000
    assert {"x=1", "sid=bert"}.isdisjoint(sent)
    assert renamed(BERT, "sid").encode() in jar(field).renamed


def test_only_so_many_passes_are_checked_of_which_the_first_and_the_last_count() -> None:
    read: list[str] = []

    class Counting(PassSigner):
        def read(self, text: str) -> VisitorPass | None:
            read.append(text)
            return super().read(text)

    signer = Counting(Keys.from_secret("a secret of these tests, long enough"), CountedEntropy())
    forged = [f"guestpass={SIGNER.write(ANNA)[:-4]}{number:04}" for number in range(600)]
    field = "; ".join([f"guestpass={SIGNER.write(BERT)}", *forged, f"guestpass={SIGNER.write(ANNA)}"])
    found = CookieReader(signer, secure=False).read(field.encode())
    assert found.passes == (BERT, ANNA)
    assert len(read) < 50


# What an environment sets


def answer(
    field: str,
    *http_only: bytes,
    secure: bool = False,
    learnt: list[bytes] | None = None,
    ends_at: float = END,
    shares_origin: bool = False,
) -> str | None:
    """The Set-Cookie field that Anna's browser gets."""
    cookies = EnvironmentCookies(
        tag(ANNA),
        http_only=frozenset(http_only),
        now=NOW,
        ends_at=ends_at,
        secure=secure,
        learn=(learnt if learnt is not None else []).append,
        shares_origin=shares_origin,
    )
    rewritten = cookies.rewrite(field.encode("latin-1"))
    return None if rewritten is None else rewritten.decode("latin-1")


@pytest.mark.parametrize(
    ("field", "on_http", "on_https"),
    [
        ("a=1", "a=1", "a=1; Secure"),
        ("a=1; Domain=example.com; Path=/web", "a=1; Path=/web", "a=1; Path=/web; Secure"),
        ("a=1; DOMAIN=.example.com ;path=/", "a=1; Path=/", "a=1; Path=/; Secure"),
        ("a=1; Secure", "a=1", "a=1; Secure"),
        ("a=1; SameSite=none; Secure", "a=1", "a=1; SameSite=None; Secure"),
        ("a=1; samesite=STRICT", "a=1; SameSite=Strict", "a=1; SameSite=Strict; Secure"),
        ("a=1; SameSite=Lax", "a=1; SameSite=Lax", "a=1; SameSite=Lax; Secure"),
        ("a=1; SameSite=odd; Priority=High; x", "a=1", "a=1; Secure"),
        ("a=1; Secure; Partitioned", "a=1", "a=1; Secure; Partitioned"),
        ("a=1; Path=relative", "a=1", "a=1; Secure"),
        ("a=1; Path=/x; Path=", "a=1", "a=1; Secure"),
        ("a=b=c=\xe9", "a=b=c=\xe9", "a=b=c=\xe9; Secure"),
        ('a="x y"', 'a="x y"', 'a="x y"; Secure'),
    ],
)
def test_what_scripts_may_read_keeps_its_name(field: str, on_http: str, on_https: str) -> None:
    assert answer(field) == on_http
    assert answer(field, secure=True) == on_https


def test_where_links_share_an_origin_no_cookie_is_one_that_a_switch_would_not_reach() -> None:
    assert answer("a=1; Secure; Partitioned", secure=True, shares_origin=True) == "a=1; Secure"


@pytest.mark.parametrize(
    ("field", "on_http", "on_https"),
    [
        ("sid=1; HttpOnly; Path=/", "{}sid=1; Path=/; HttpOnly", "__Host-{}sid=1; Path=/; HttpOnly; Secure"),
        ("sid=1; HttpOnly; Path=/web", "{}sid=1; Path=/web; HttpOnly", "{}sid=1; Path=/web; HttpOnly; Secure"),
        ("sid=1; httponly", "{}sid=1; HttpOnly", "{}sid=1; HttpOnly; Secure"),
        (
            "__Host-sid=1; Secure; HttpOnly; Path=/; SameSite=None",
            "{}__Host-sid=1; Path=/; HttpOnly",
            "__Host-{}__Host-sid=1; Path=/; HttpOnly; SameSite=None; Secure",
        ),
        (
            "sid=1; Domain=example.com; HttpOnly; Path=/; Domain=b.test",
            "{}sid=1; Path=/; HttpOnly",
            "__Host-{}sid=1; Path=/; HttpOnly; Secure",
        ),
    ],
)
def test_http_only_cookies_are_renamed_and_their_names_learnt(field: str, on_http: str, on_https: str) -> None:
    learnt: list[bytes] = []
    prefix = f"guestpass.{SIGNER.cookie_tag(ANNA)}."
    assert answer(field, learnt=learnt) == on_http.format(prefix)
    assert answer(field, secure=True, learnt=learnt) == on_https.format(prefix)
    name = field.partition("=")[0].encode()
    assert learnt == [name, name]
    learnt.clear()
    assert answer(field, name, learnt=learnt) == on_http.format(prefix)
    assert learnt == []


def test_removing_an_http_only_cookie_meets_the_renamed_one() -> None:
    prefix = f"guestpass.{SIGNER.cookie_tag(ANNA)}."
    assert answer("sid=; Max-Age=0; Path=/", b"sid") == f"{prefix}sid=; Path=/; Max-Age=0"


@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize("path", ["/", "/web"])
def test_what_is_renamed_on_the_way_out_is_restored_on_the_way_in(path: str, *, secure: bool) -> None:
    field = answer(f"sid=va=lue; HttpOnly; Path={path}", secure=secure)
    assert field is not None
    assert upstream(field.partition(";")[0]) == "sid=va=lue"


def test_a_field_with_thousands_of_attributes_does_not_arrive_and_costs_nothing() -> None:
    """Nobody who wants an environment's cookie writes it so, and HttpOnly may be the last of them."""
    usual = "a=1; Domain=a.test; Path=/; Secure; SameSite=Lax; Priority=High; Expires=Thu, 01-Jan-1970 00:00:01 GMT"
    long = f"a=1; {'x;' * 30_000} HttpOnly"
    assert answer(long) is None
    assert operations(lambda: answer(long)) < operations(lambda: answer(usual)) + len(long) / 16


def test_attributes_that_browsers_pass_over_for_their_length_are_passed_over() -> None:
    assert answer(f"a=1; Path=/{'x' * 2000}; SameSite=Lax") == "a=1; SameSite=Lax"
    assert answer(f"a=1; Expires={'1 ' * 2000}") == "a=1"


LEFT = 3600


@pytest.mark.parametrize(
    ("attributes", "age"),
    [
        ("", None),
        ("; Max-Age=60", 60),
        ("; Max-Age=3601", LEFT),
        ("; Max-Age=999999999999", LEFT),
        ("; Max-Age=99999999999999999999", LEFT),
        ("; Max-Age=0", 0),
        ("; Max-Age=-1", 0),
        (f"; Expires={formatdate(NOW + 60, usegmt=True)}", 59),
        (f"; Expires={formatdate(NOW + 86400, usegmt=True)}", LEFT),
        ("; Expires=Fri, 31 Dec 9999 23:59:59 GMT", LEFT),
        ("; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("; Expires=Thu, 01-Jan-1970 00:00:01 GMT", 0),
        ("; Expires=Thursday, 01-Jan-70 00:00:01 GMT", 0),
        ("; Expires=0", None),
        ("; Expires=never", None),
        (f"; Max-Age=60; Expires={formatdate(NOW + 7, usegmt=True)}", 60),
        ("; Max-Age=soon", None),
    ],
)
def test_no_cookie_outlives_the_link(attributes: str, age: int | None) -> None:
    assert answer(f"a=1{attributes}") == ("a=1" if age is None else f"a=1; Max-Age={age}")


def test_a_link_that_is_about_to_end_sets_nothing_that_lasts() -> None:
    assert answer("a=1; Max-Age=60", ends_at=NOW + 0.5) == "a=1; Max-Age=0"
    assert answer("a=1; Max-Age=60", ends_at=NOW - 5) == "a=1; Max-Age=0"


@given(st.binary(max_size=200), st.booleans())
def test_whatever_an_environment_sets_nothing_wider_than_its_visitor_arrives(rest: bytes, secure: bool) -> None:
    cookies = EnvironmentCookies(
        tag(ANNA), http_only=NOTHING, now=NOW, ends_at=END, secure=secure, learn=lambda _: None
    )
    for field in (rest, b"a=1;" + rest, b"sid=1; HttpOnly; Expires=" + rest, b"sid=1; HttpOnly;" + rest):
        rewritten = cookies.rewrite(field)
        if rewritten is None:
            continue
        pair, *attributes = rewritten.split(b"; ")
        names = [attribute.partition(b"=")[0].lower() for attribute in attributes]
        assert b"domain" not in names
        assert (b"secure" in names) is secure
        if b"httponly" in names:
            assert tag(ANNA) in pair
        else:
            assert not is_ours(pair.partition(b"=")[0])
        for attribute in attributes:
            name, _, value = attribute.partition(b"=")
            assert name != b"Max-Age" or 0 <= int(value) <= LEFT


# Passes that PUBLIC_URL's host remembers, where links have hosts of their own


def kept(visitor_pass: VisitorPass, *, secure: bool = False) -> str:
    return f"{kept_pass_name(visitor_pass.link_id, secure=secure)}={SIGNER.write(visitor_pass)}"


@pytest.mark.parametrize("secure", [False, True])
def test_each_link_is_remembered_under_a_name_of_its_own(*, secure: bool) -> None:
    other = SIGNER.issue(OTHER_LINK, 2, int(NOW))
    found = jar(f"a=b; {kept(ANNA, secure=secure)}; {kept(other, secure=secure)}", secure=secure)
    assert found.kept(LINK) == [ANNA]
    assert found.kept(OTHER_LINK) == [other]
    assert found.kept("c" * 16) == []
    assert found.passes == ()
    assert found.for_environment(tag(ANNA), NOTHING) == b"a=b"
    assert jar(kept(ANNA, secure=not secure), secure=secure).kept(LINK) == [], "a neighbour can plant that one"


def test_what_was_not_signed_is_not_remembered() -> None:
    name = kept_pass_name(LINK, secure=False)
    for value in ("junk", STRANGER.write(ANNA), SIGNER.write(ANNA)[:-1], SIGNER.write_entry(ANNA, int(NOW)), ""):
        assert jar(f"{name}={value}").kept(LINK) == []


def test_twenty_links_are_remembered_and_the_oldest_makes_room() -> None:
    links = [f"{letter * 16}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    field = "; ".join(kept(VisitorPass(link, 1, ANNA.visitor, 1000 - at)) for at, link in enumerate(links[:19]))
    assert jar(field).too_many_kept(links[20]) == []
    assert jar(field).too_many_kept(links[3]) == []
    field += f"; {kept(VisitorPass(links[19], 1, ANNA.visitor, 5))}"
    assert jar(field).too_many_kept(links[19]) == []
    assert jar(field).too_many_kept(links[20]) == [kept_pass_name(links[19], secure=False).encode()]
    junk = f"{field}; {kept_pass_name(links[21], secure=False)}=x.y"
    assert set(jar(junk).too_many_kept(links[20])) == {
        kept_pass_name(link, secure=False).encode() for link in (links[19], links[21])
    }
