"""The OpenAPI document against the running application, with good and bad data made from the document itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from tests.api.face import Face, running_face

from guestpass.web.application import create_application

GATEWAY_ANSWERS = r"^/api/(s-proxy/\{path\}|share/\{token\})$"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Face]:
    with running_face(tmp_path_factory.mktemp("face")) as running:
        yield running


@pytest.fixture(scope="module")
def owner(served: Face) -> Iterator[httpx2.Client]:
    """One for all of its thousands of requests."""
    with httpx2.Client(base_url=served.url, trust_env=False, timeout=20) as client:
        yield client


schema = schemathesis.openapi.from_dict(
    create_application().openapi(),
    config=SchemathesisConfig.from_dict(
        {
            "generation": {
                "max-examples": 40,
                "deterministic": True,
                "database": "none",
                "with-security-parameters": False,
            },
            "parameters": {"path.envId": "staging"},
            "checks": {
                # Lengths in bytes, the longest lifetime and which fields go together are more than a schema can say.
                "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", "401", "404", "409", "410", "422"]},
            },
        }
    ),
)


@schema.exclude(path_regex=GATEWAY_ANSWERS).parametrize()
@settings(suppress_health_check=list(HealthCheck), deadline=None)
def test_the_document_is_true(case: schemathesis.Case[Any], served: Face, owner: httpx2.Client) -> None:
    authorization = {"Authorization": f"Bearer {served.token()}"}
    # Some operations remove the environment that the others need.
    environment = {"id": "staging", "name": "Staging", "url": "http://10.0.0.5:8069"}
    owner.post("/api/environments", json=environment, headers=authorization)
    if "linkId" in case.path_parameters:
        # Any other would lead nowhere, and only the refusal would be tried.
        made = owner.post("/api/environments/staging/share", headers=authorization)
        case.path_parameters["linkId"] = made.json()["id"]
    case.call_and_validate(base_url=served.url, headers=authorization)
