"""What the README promises is run: the console session, the Python example, the list of commands, the filter in one file."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

import filters
from filters import kinds
from pipeline.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, *, holding: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return next(text for text in blocks if holding in text)


def steady(output: str) -> str:
    """Blank out what differs from run to run: seconds and the time of day."""
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z", "<time>", re.sub(r"\(\d+\.\d s\)", "(<seconds>)", output))


def command_listing() -> str:
    lines = []
    for name, command in main.commands.items():
        context = click.Context(command, info_name=name)
        arguments = [parameter.make_metavar(context) for parameter in command.params if isinstance(parameter, click.Argument)]
        lines.append(f"{' '.join(['prep', name, *arguments]):<28}{command.get_short_help_str(96)}")
    return "\n".join(lines)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "samples").symlink_to(ROOT / "data" / "samples")
    return tmp_path


def test_the_console_session_prints_what_the_readme_shows(home: Path) -> None:
    shown = block("console", holding="$ prep ingest")
    environment = {key: value for key, value in os.environ.items() if key != "PREP_STORE"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    printed = ""
    for command in re.findall(r"^\$ (.*)$", shown, re.MULTILINE):
        done = subprocess.run(
            command,
            shell=True,
            cwd=home,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        printed += f"$ {command}\n{done.stdout}"
    assert steady(printed) == steady(shown)


def test_the_python_example_runs(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(home)
    example = block("python", holding="from pipeline.artifacts import Store").replace("workers=2", "workers=1")
    exec(compile(example, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.startswith("clean/chats@")


def test_the_listing_of_commands_is_that_of_the_program() -> None:
    assert block("text", holding="prep ingest").strip() == command_listing()


def test_every_prep_that_the_readme_shows_is_a_call_that_the_command_line_takes() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    calls = [shlex.split(line, comments=True) for shown in blocks for line in shown.splitlines() if line.startswith("prep ")]
    assert len(calls) > 10
    for _, name, *words in calls:
        command = main.commands[name]
        words = words[: words.index("<") if "<" in words else words.index(">") if ">" in words else None]
        command.make_parser(click.Context(command, info_name=name)).parse_args(args=words)


def test_a_filter_in_one_file_is_in_the_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shouting.py").write_text(block("python", holding="def shouting"), encoding="utf-8")
    monkeypatch.setattr(filters, "__path__", [*filters.__path__, str(tmp_path)])
    monkeypatch.setattr(kinds, "_REGISTRY", dict(kinds.filters()))
    kinds.filters.cache_clear()
    try:
        from pipeline.cleaning.plan import plan

        steps, problems = plan([{"shouting": {"max": 0.5}}])
        assert problems == []
        assert steps[0].filter.help.startswith("Measure the share of capital letters")
        assert plan([{"shouting": {"letter": 0.5}}])[1] == [
            "clean, step 1, shouting: no setting 'letter'. Did you mean 'letters'?",
        ]
    finally:
        kinds.filters.cache_clear()
        sys.modules.pop("filters.shouting", None)
        importlib.invalidate_caches()


def test_the_recipe_of_the_cleaning_section_has_no_problem(tmp_path: Path) -> None:
    from pipeline.cleaning.plan import plan
    from pipeline.recipe import load

    (tmp_path / "recipe.yaml").write_text(block("yaml", holding="recurring_lines"), encoding="utf-8")
    steps, problems = plan(load(tmp_path / "recipe.yaml").section("clean"))
    assert problems == []
    assert [step.filter.name for step in steps][:3] == ["unicode", "recurring_lines", "slop"]


def test_the_files_of_the_house_are_there() -> None:
    picture = block("text", holding="arrows point down only")
    names = re.findall(r"^( *)([a-z_]+(?:/[a-z_]+)*(?:\.py|/))\s", picture, re.MULTILINE)
    folder = ""
    for indent, name in names:
        folder = name if not indent else folder
        assert (ROOT / (name if not indent else folder + name)).exists(), name
