"""What a shell completes, and how it learns to."""

from __future__ import annotations

import pytest
from tests.cli.command import Guestpass
from tests.cli.server import Server


def completed(command: Guestpass, line: str, **variables: str) -> list[str]:
    """What bash would offer for the last word of a line."""
    words = line.split(" ")
    result = command.succeed(
        _GUESTPASS_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1), **variables
    )
    assert result.err == ""
    return result.out.split()


def test_environments_and_links_are_completed(server: Server, variables: dict[str, str]) -> None:
    link = server.beside.succeed("share", "create", "harbour", "--json").json["id"]
    assert completed(server.beside, "guestpass share create har") == ["harbour"]
    assert completed(server.beside, f"guestpass share why {link[:10]}") == [link]
    assert completed(server.beside, f"guestpass share edit {link[:10]}", **variables) == [link]
    assert completed(server.beside, "guestpass share unl") == ["unlock"]


def test_where_nothing_can_be_asked_nothing_is_offered(bare: Guestpass) -> None:
    assert completed(bare, "guestpass env show s") == []
    assert completed(bare, "guestpass env show s", GUESTPASS_URL="http://127.0.0.1:1", GUESTPASS_TOKEN="t") == []
    assert not bare.data_dir.exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how(bare: Guestpass, shell: str) -> None:
    script = bare.succeed(_GUESTPASS_COMPLETE=f"source_{shell}").out
    assert "_GUESTPASS_COMPLETE" in script
