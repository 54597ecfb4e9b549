"""What MkDocs needs to know of this project: pages that lie at the root, and folders that grow by themselves."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT = Path(__file__).resolve().parents[1]
_FROM_THE_ROOT = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
_DECISIONS = "decisions/index.md"
_LINK = re.compile(r"\[([^\[\]]+)\]\(([^)#:\s]+)\)")
_TARGET = re.compile(r"(\]\(|<img [^>]*?src=\"|srcset=\")([^)\"#:\s]+)(?=[)\"#\s])")


def on_config(config: MkDocsConfig) -> None:
    """Let an entry of the navigation that ends in ``/*`` be all pages of that folder, by name."""
    config.nav = _expand(config.nav or [], Path(config.docs_dir))


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages from the root, and an index of the decisions."""
    for source, page in _FROM_THE_ROOT.items():
        # What lies at the root only leads to a page that is longer.
        if (Path(config.docs_dir) / page).exists():
            continue
        text = (_ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_relink(text, PurePosixPath(source))))
    titles = {
        each.name: each.read_text(encoding="utf-8").splitlines()[0].removeprefix("#").strip()
        for each in sorted((Path(config.docs_dir) / "decisions").glob("*.md"))
    }
    rows = "".join(f"- [{title}]({name})\n" for name, title in titles.items())
    files.append(File.generated(config, _DECISIONS, content=f"# Why it is so\n\n{rows}"))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs' names
    """Lead links from docs/ to files at the root to their pages."""
    if page.file.generated_by:
        return markdown
    return _relink(markdown, PurePosixPath("docs") / page.file.src_uri)


def _expand(entries: list[Any], docs: Path) -> list[Any]:
    expanded: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            expanded.append(
                {title: _expand(below, docs) if isinstance(below, list) else below for title, below in entry.items()}
            )
        elif entry.endswith("/*"):
            expanded += [each.relative_to(docs).as_posix() for each in sorted((docs / entry[:-2]).glob("*.md"))]
        else:
            expanded.append(entry)
    return expanded


def _relink(markdown: str, source: PurePosixPath) -> str:
    """Rewrite targets that are right in the repository to those that are right among the pages."""

    def target(found: re.Match[str]) -> str:
        place = _normal(source.parent / found[2])
        if place == "docs/decisions":
            place = f"docs/{_DECISIONS}"
        page = _FROM_THE_ROOT.get(place) or (place.removeprefix("docs/") if place.startswith("docs/") else None)
        if page is None:
            return found[0]
        own = _FROM_THE_ROOT.get(str(source), str(source).removeprefix("docs/"))
        up = "../" * (len(PurePosixPath(own).parts) - 1)
        return f"{found[1]}{up}{page}"

    def text_alone(found: re.Match[str]) -> str:
        place = _normal(source.parent / found[2])
        is_page = place in _FROM_THE_ROOT or place.startswith("docs/")
        return found[1] if not is_page and (_ROOT / place).exists() else found[0]

    # What lies in the repository and is no page, such as files to be installed, is named there and not led to.
    return _TARGET.sub(target, _LINK.sub(text_alone, markdown))


def _normal(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            if not parts:
                return str(path)
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
