"""The website: pages that visitors see without a login, and what robots read."""

from __future__ import annotations

import html

from tests.doubles.odoo import answers, measured, pages
from tests.doubles.odoo.answers import Answer, Refusal
from tests.doubles.odoo.cookies import language_cookie
from tests.doubles.odoo.routing import route
from tests.doubles.odoo.visit import Visit


@route("/", auth="none")
def home(visit: Visit) -> Answer:
    """The homepage; a server that has no database for this host sends to the web client."""
    if visit.db is None:
        return visit.go("/odoo")
    if "frontend_lang" not in visit.cookies:
        visit.cookies_out.append(language_cookie())
    return answers.page(pages.sized(visit, pages.website(visit, "/", "Home", "<h1>Welcome</h1>"), "/"))


@route("/contactus")
def contact(visit: Visit) -> Answer:
    """A page with a picture and a form."""
    body = (
        '<h1>Contact us</h1><img src="/web/image/website.s_parallax_default_image" alt=""/>'
        f'<form action="/website/form/mail.mail" method="post"><input type="hidden" name="csrf_token" '
        f'value="{visit.session.csrf_token}"/><input name="email_from"/><button>Submit</button></form>'
    )
    return answers.page(pages.sized(visit, pages.website(visit, "/contactus", "Contact us", body), "/contactus"))


def _rendered_as_it_goes(visit: Visit, body: str, size: int, compressed: int) -> Answer:
    page = answers.sized_page(body, size, compressed, visit.path)
    answer = answers.page(page)
    answer.close_delimited = True
    visit.session.dirty = True
    return answer


@route("/shop")
def shop(visit: Visit) -> Answer:
    """The list of products: no length, the connection's end ends it."""
    known = measured.fetched("/shop")
    assert known is not None
    shown = [each.path for each in measured.exchanges() if each.path.startswith("/web/image/product.template/")]
    body = "<h1>Shop</h1>" + "".join(f'<img class="product" src="{html.escape(each)}" alt=""/>' for each in shown)
    body += '<a href="/shop/office-lamp-1">Office Lamp</a>'
    page = pages.website(visit, "/shop", "Shop", body, cached=False)
    return _rendered_as_it_goes(visit, page, known.size, known.gzip6_bytes or 0)


@route("/shop/cart")
def cart(visit: Visit) -> Answer:
    """What was put into the cart in this session."""
    lines = "".join(f'<li class="line">Product {id}</li>' for id in visit.session.cart)
    return answers.page(pages.website(visit, "/shop/cart", "Cart", f"<h1>Cart</h1><ul>{lines}</ul>", cached=False))


@route("/shop/cart/update", methods=("POST",))
def cart_update(visit: Visit) -> Answer:
    """Put a product into the cart."""
    product = int(visit.form.get("product_id", "1"))
    visit.session.cart.append(product)
    visit.session.dirty = True
    visit.database.note(visit.author, "sale.order", "cart", [], {"product_id": product})
    return visit.go("/shop/cart")


@route("/shop/<product>")
def product(visit: Visit, product: str) -> Answer:
    """One product, close-delimited as well."""
    id = product.rpartition("-")[2]
    body = (
        f"<h1>{html.escape(product)}</h1><form action='/shop/cart/update' method='post'>"
        f'<input type="hidden" name="csrf_token" value="{visit.session.csrf_token}"/>'
        f'<input type="hidden" name="product_id" value="{html.escape(id if id.isdigit() else "1")}"/>'
        "<button>Add to cart</button></form>"
    )
    return _rendered_as_it_goes(visit, pages.website(visit, visit.path, product, body, cached=False), 60_000, 14_000)


@route("/my", "/my/home", auth="user")
def account(visit: Visit) -> Answer:
    """The portal."""
    return answers.page(
        pages.website(
            visit, "/my", "My account", f"<h1>My account</h1><p>{html.escape(visit.user.name)}</p>", cached=False
        )
    )


_BY_FORM = {"mail.mail", "crm.lead"}


@route("/website/form/<model>", methods=("POST",), csrf=False)
def form(visit: Visit, model: str) -> Answer:
    """A form of the website: a record of one of the models that take them. Only who is logged in needs the token."""
    values = dict(visit.form)
    token = values.pop("csrf_token", None)
    if visit.logged_in and token != visit.session.csrf_token:
        raise Refusal(400, "Session expired (invalid CSRF token)")
    if model not in _BY_FORM:
        return answers.json_answer({"error": "The form's specified model does not exist"})
    return answers.json_answer({"id": visit.database.create(visit.author, model, values)})


@route("/website/force/<int:id>", auth="user")
def force(visit: Visit, id: str) -> Answer:
    """Choose a website: by GET, and kept in the session alone."""
    visit.session.website, visit.session.dirty = int(id), True
    return visit.go("/")


@route("/website/translations/<hash>")
def translations(visit: Visit, hash: str) -> Answer:
    """Terms for the website's scripts; public, although it may set the session's cookie."""
    del visit, hash
    return _terms("/website/translations/f190600fcc2c8abbccf8cd90fa8dc7eea184a24d", cross_origin=False)


@route("/web/webclient/translations/<hash>")
def client_translations(visit: Visit, hash: str) -> Answer:
    """Terms for the web client."""
    del visit, hash
    return _terms("/web/webclient/translations/9a778495d756d19e5ad780ce270672417a080cf5", cross_origin=True)


def _terms(measured_path: str, *, cross_origin: bool) -> Answer:
    known = measured.fetched(measured_path)
    assert known is not None
    terms = {"lang": "en_US", "hash": measured_path.rpartition("/")[2], "modules": {}, "multi_lang": False}
    body = answers.lengthened(terms, known.size, known.gzip6_bytes or 0, measured_path)
    answer = answers.json_bytes(body, fields=[("Cache-Control", "public, max-age=31536000")])
    if cross_origin:
        answer.fields += [("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Methods", "GET, POST")]
    return answer


@route("/robots.txt")
def robots(visit: Visit) -> Answer:
    """Names the sitemap by the host that Odoo believes in."""
    body = f"User-agent: *\nDisallow: /web/login\nSitemap: {visit.url_root}sitemap.xml\n".encode()
    return _plain(body, "text/plain; charset=utf-8")


@route("/sitemap.xml")
def sitemap(visit: Visit) -> Answer:
    """The same for pages."""
    urls = "".join(f"<url><loc>{html.escape(visit.url_root)}{path}</loc></url>" for path in ("", "shop", "contactus"))
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset>{urls}</urlset>\n'.encode()
    return _plain(body, "application/xml; charset=utf-8")


def _plain(body: bytes, kind: str) -> Answer:
    return Answer(200, [("Content-Type", kind), ("Content-Length", str(len(body)))], body)


@route("/favicon.ico", "/logo", "/logo.png")
def icon(visit: Visit) -> Answer:
    """Sent on to the website's own."""
    return visit.go("/web/image/website/1/favicon?unique=ea1d8d2")


@route("/double/page/<path:rest>")
def made_page(visit: Visit, rest: str) -> Answer:
    """A page under any name that a test makes up (Unicode slugs, spaces, a percent sign)."""
    return answers.page(pages.website(visit, visit.path, "Page", f"<h1>{html.escape(rest)}</h1>", cached=False))


@route("/agency/figures/<int:id>", auth="user")
def agency_figures(visit: Visit, id: str) -> Answer:
    """A page about one record, of the kind that agencies write."""
    return _plain(f"Figures of {id} for {visit.user.login}".encode(), "text/plain")


@route("/agency/totals", auth="user", kind="json")
def agency_totals(visit: Visit) -> dict[str, object]:
    """The same as a call."""
    return {"total": 12, "year": visit.params.get("year", 2026)}
