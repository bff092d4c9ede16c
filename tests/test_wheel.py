"""What an installed `prep` has with it."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_wheel_holds_the_packages_and_what_lies_in_configs(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("pipeline", "filters", "trainers"):
        modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
        assert modules <= names
    configs = [path for path in (ROOT / "configs").rglob("*") if path.is_file()]
    assert {f"pipeline/{path.relative_to(ROOT).as_posix()}" for path in configs} <= names
