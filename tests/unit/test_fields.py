"""A field of a link or of an environment is wherever CONTRIBUTING.md says that it belongs, and a setting is too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from guestpass.app.environments import ENVIRONMENT_TERMS, EnvironmentTerms
from guestpass.app.link_terms import LINK_TERMS, LinkTerms
from guestpass.cli import environment_options, link_options
from guestpass.domain.environment import Environment
from guestpass.domain.errors import external_name
from guestpass.domain.link import ShareLink
from guestpass.settings import Settings
from guestpass.storage.tables import environments, links
from guestpass.web.api.link_models import LinkPatch, LinkRequest, ShareLinkBody
from guestpass.web.api.models import EnvironmentBody, EnvironmentPatch, EnvironmentRequest
from guestpass.web.api.shapes import Given
from guestpass.web.dashboard import environment_forms, link_forms


def names_of(form: Any) -> set[str]:
    return {each.name for each in fields(form)}


def nullable(model: type[Given]) -> set[str]:
    """The names of the fields that a patch may set to null, as the API has them."""
    schemas = model.model_json_schema(by_alias=True)["properties"].items()
    return {name for name, schema in schemas if _takes_null(schema)}


def _takes_null(schema: dict[str, Any]) -> bool:
    return "null" in (schema.get("type"), *schema.get("type", ())) or any(map(_takes_null, schema.get("anyOf", ())))


def cleared_by(model: type[Given]) -> set[str]:
    """What the description of a patch says that null clears."""
    sentence = (model.__doc__ or "").partition("Null clears ")[2].partition(".")[0]
    return set(" ".join(sentence.split()).replace(" and ", ", ").split(", "))


def fields_by_option(group: Any) -> set[str]:
    """The fields of a link that a group of options is about."""
    return set(link_options.link_fields(group(**dict.fromkeys(names_of(group), "given"))))


def external(names: Iterable[str]) -> set[str]:
    return {external_name(name) for name in names}


def test_each_attribute_of_a_link_is_stored_and_shown() -> None:
    stored = {column.name for column in links.columns} | {"environment"}
    assert names_of(ShareLink) <= stored
    # `environment` is shown as its id, and `account` with the account's login.
    hidden = {"environment", "account", "password_hash", "version", "version_since"}
    assert names_of(ShareLink) - set(ShareLinkBody.model_fields) == hidden


def test_each_field_of_a_link_can_be_given_in_every_way() -> None:
    terms = names_of(LinkTerms)
    assert set(LinkRequest.model_fields) == terms | {"share_type"}
    assert set(LinkPatch.model_fields) == terms
    assert cleared_by(LinkPatch) == nullable(LinkPatch)
    # Their controls are more than one field each, or decide what else is asked for.
    special = {"expires_in", "expires_at", "password", "active", "access", "sign_in_as"}
    # Beside the box for view-only.
    special |= {"allow_reports", "allow_exports"}
    assert {each.attribute for each in link_forms.CONTROLS} == terms - special
    # `share resume` and `share pause` switch a link; the end and the password have options of their own.
    own = {"expires_in", "expires_at", "password", "active"}
    new, changed = map(fields_by_option, (link_options.ForVisitors, link_options.ForVisitorsChanged))
    of_owners = names_of(link_options.ForOwners)
    assert new == changed
    assert new | of_owners == terms - own
    assert external(new | of_owners) <= set(link_options.NAMES)
    assert {field for field, _ in link_options.CLEARABLE.values()} == new - {"access"} | of_owners | {"password"}


def test_each_field_of_a_link_has_words_for_its_history_and_an_attribute() -> None:
    assert {name for name, term in LINK_TERMS.items() if term.words} == names_of(LinkTerms) - {"expires_in", "active"}
    assert {term.attribute or name for name, term in LINK_TERMS.items()} <= names_of(ShareLink)


def test_a_text_of_a_link_ends_at_the_same_length_everywhere() -> None:
    lengths = {
        each.name: each.attributes["maxlength"] for each in link_forms.CONTROLS if "maxlength" in each.attributes
    }
    assert {"label", "note"} <= set(lengths)
    for model in (LinkRequest, LinkPatch):
        schemas = model.model_json_schema(by_alias=True)["properties"]
        for name, longest in lengths.items():
            assert {each.get("maxLength", longest) for each in schemas[name].get("anyOf", [schemas[name]])} == {longest}


def test_each_attribute_of_an_environment_is_stored_and_shown() -> None:
    assert names_of(Environment) - {"key"} <= {column.name for column in environments.columns}
    # `key` is shown as the id. What was found out about how it is reached is told as findings.
    hidden = {"key", "revision", "moves", "canonical_url", "base_url", "websocket_on", "found_websocket_url"}
    assert names_of(Environment) - set(EnvironmentBody.model_fields) == hidden


def test_each_field_of_an_environment_can_be_given_in_every_way() -> None:
    terms = names_of(EnvironmentTerms)
    assert terms == set(ENVIRONMENT_TERMS) <= names_of(Environment)
    assert set(EnvironmentRequest.model_fields) == terms | {"id"}
    assert set(EnvironmentPatch.model_fields) == terms
    assert cleared_by(EnvironmentPatch) == nullable(EnvironmentPatch)
    # Maintenance has a page of its own.
    assert set(environment_forms.FIELDS) == external(terms - {"maintenance"})
    # A name and a URL are arguments, and whether to verify a certificate is a pair of options.
    assert external(terms - {"name", "url", "tls_verify"}) == set(environment_options.NAMES)


def test_each_setting_says_what_it_is_for() -> None:
    assert all(each.description and each.description.endswith(".") for each in Settings.model_fields.values())
