"""What is built for others is the product alone."""

from __future__ import annotations

import subprocess
import sys
from email.parser import BytesParser
from pathlib import Path
from zipfile import ZipFile

from guestpass import __version__

ROOT = Path(__file__).parents[2]


def test_the_wheel_has_neither_the_examples_nor_what_they_alone_need(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True, timeout=60
    )
    about = f"guestpass-{__version__}.dist-info"
    with ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        requirements = BytesParser().parsebytes(wheel.read(f"{about}/METADATA")).get_all("Requires-Dist", [])
    assert {name.partition("/")[0] for name in names} == {"guestpass", about}
    assert "guestpass/serve.py" in names
    assert not [name for name in names if "sample" in name or "demo" in name]
    assert [line for line in requirements if line.startswith("uvicorn")]
    assert not [line for line in requirements if line.startswith("wsproto")]
