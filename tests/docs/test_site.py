"""The documentation as pages: every link leads somewhere, and nothing is loaded from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """``make docs``, into another folder."""
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--config-file",
        str(source / "mkdocs.yml"),
        "--site-dir",
        str(site),
    ]
    environ = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=source, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    # The build is strict: a link, an anchor or a picture that is not there ends it.
    built = build(ROOT, folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_every_document_is_a_page(site: Path) -> None:
    expected = {each.relative_to(ROOT / "docs").with_suffix(".html") for each in (ROOT / "docs").rglob("*.md")}
    expected |= {Path(name) for name in ("index.html", "contributing.html", "security.html", "changelog.html")}
    assert {each.relative_to(site) for each in site.rglob("*.html")} >= expected


def test_the_first_page_is_the_readme_and_leads_on(site: Path) -> None:
    page = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="guide/sharing.html"' in page
    assert 'href="decisions/index.html"' in page


def test_every_picture_is_there_is_shown_and_is_small(site: Path) -> None:
    shown = set()
    for page in site.rglob("*.html"):
        for source in re.findall(r'<(?:img|source)\b[^>]*?\bsrc(?:set)?="([^":]+)"', page.read_text(encoding="utf-8")):
            shown.add((page.parent / source).resolve())
    pictures = {site / each.relative_to(ROOT / "docs") for each in (ROOT / "docs" / "pictures").iterdir()}
    assert shown >= pictures
    assert all(each.is_file() for each in shown)
    assert all(each.stat().st_size <= 150_000 for each in pictures)


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe|source)\b[^>]*?\bsrc(?:set)?="([^"]+)"', text)
        loaded += re.findall(r'<link\b[^>]*?rel="(?:stylesheet|preload|icon|preconnect)"[^>]*?href="([^"]+)"', text)
        loaded += re.findall(r'<link\b[^>]*?href="([^"]+)"[^>]*?rel="(?:stylesheet|preload|icon|preconnect)"', text)
        assert loaded, page
        assert not [each for each in loaded if re.match(r"(?:https?:)?//", each)], page


def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "docs" / "decisions").mkdir(parents=True)
    (source / "scripts").mkdir()
    for name in ("scripts/site_pages.py", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    (source / "README.md").write_text("# Read\n\n[there](docs/there.md#a-place) [gone](gone)\n", encoding="utf-8")
    (source / "docs" / "there.md").write_text("# There\n\n## Another place\n", encoding="utf-8")
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    settings = re.sub(r"^nav:\n.*?^(?=validation:)", "", settings, flags=re.MULTILINE | re.DOTALL)
    (source / "mkdocs.yml").write_text(settings, encoding="utf-8")

    built = build(source, tmp_path / "site")

    assert built.returncode != 0
    assert "#a-place" in built.stdout + built.stderr
    assert "'gone'" in built.stdout + built.stderr
