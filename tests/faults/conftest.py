from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from tests.installation import Installation, installation
from tests.operate.certificates import write_pair
from tests.supervisor.processes import until_said


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pair() -> AsyncIterator[Installation]:
    """Two workers over one SQLite file."""
    async with installation(workers=2) as running:
        await until_said(running, "serving")
        yield running


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs of a certificate and its key; `trusted` holds the certificates of all but the one that says otherwise."""
    made = tmp_path_factory.mktemp("certificates")
    for serial, (name, days) in enumerate(
        {"first": 60, "second": 60, "untrusted": 60, "expired": -0.5}.items(), start=1
    ):
        write_pair(made / f"{name}.pem", made / f"{name}.key", days=days, serial=serial)
    trusted = [(made / f"{name}.pem").read_text() for name in ("first", "second", "expired")]
    (made / "trusted").write_text("".join(trusted))
    return made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lone(certificates: Path) -> AsyncIterator[Installation]:
    """One worker, which trusts those certificates."""
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", str(certificates / "trusted"))
            running = await stack.enter_async_context(installation(workers=1))
        yield running
