"""A training -> one HTML page that needs nothing else: the verdict, the curves, the numbers; light or dark as the reader is."""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from trainers.account import Account, Ancestor, Sample, data_facts, said, size
from trainers.history import Pace, Point
from trainers.learning_curve import png
from trainers.losses import losses_of
from trainers.theme import DARK, LIGHT
from trainers.verdict import Finding, Verdict

STYLE = """
:root { color-scheme: light dark; --ground: #fbfbf9; --card: #fff; --ink: #1b1f23; --faint: #5c6670; --line: #dfe2e0;
  --good: #00694d; --bad: #b04a00; --mark: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --card: #1b1f23; --ink: #e3e6e8; --faint: #9aa4ad;
  --line: #343b42; --good: #2bc79a; --bad: #f08c3a; --mark: #56b4e9; } }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; } h3 { font-size: 1rem; margin: 0; }
.under { color: var(--faint); margin: .2rem 0 1.2rem; }
section { background: var(--card); border: 1px solid var(--line); border-left: 5px solid var(--mark); border-radius: 6px;
  padding: .8rem 1rem; margin: .7rem 0; }
section.bad { border-left-color: var(--bad); } section.bad h3 { color: var(--bad); }
section.good { border-left-color: var(--good); } section.good h3 { color: var(--good); }
section p { margin: .2rem 0; } section ul { margin: .3rem 0 0; padding-left: 1.2rem; }
img { display: block; width: 100%; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; background: var(--card); border: 1px solid var(--line); }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem; border-top: 1px solid var(--line); font-weight: normal; }
thead th { color: var(--faint); border-top: 0; } tbody th { color: var(--faint); width: 20rem; }
tbody td:first-child { min-width: 16rem; }
td.number { font-variant-numeric: tabular-nums; text-align: right; } thead th.number { text-align: right; }
pre { font: 13px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre-wrap; margin: .4rem 0; }
@media print { body { margin: 0; } section, img, table { break-inside: avoid; } }
""".strip()

COMMAND = re.compile("`([^`]+)`")
KINDS = {"overfit": "bad", "unstable": "bad", "underfit": "bad", "well-fit": "good"}


def report(points: Sequence[Point], paces: Sequence[Pace], verdict: Verdict, account: Account) -> str:
    """Return the page of a training; whatever comes from outside is escaped."""
    name = escape(account.name)
    parts = [
        f"<h1>{name}</h1>\n<p class='under'>{escape(_under(account))}</p>",
        *(_finding(finding) for finding in verdict.findings),
        _curves(points, paces, verdict, account),
        _table("Losses per supervised token (nats)", _losses(points), ["", "first", "lowest", "at step", "last", "points"]),
        _pairs("Speed and memory", _speed(paces, account.memory)),
        _pairs("Data", data_facts(account.facts)),
        _pairs("Settings", ((key, said(value)) for key, value in account.settings.items())),
        _lineage(account.lineage),
        _samples(account.samples),
        _pairs("Run", ((key, said(value)) for key, value in account.run.items())),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _under(account: Account) -> str:
    revision = f" at {account.revision}" if account.revision else ""
    parents = f", trained on {account.lineage[0].ref}" if account.lineage else ""
    kept = f", weights of step {account.kept_step:,}" if account.kept_step is not None else ""
    return f"adapter for {account.base_model}{revision}{parents}{kept}"


def _finding(finding: Finding) -> str:
    advice = "".join(f"<li>{_with_commands(line)}</li>" for line in finding.advice)
    return (
        f'<section class="{KINDS.get(finding.name, "")}"><h3>{escape(finding.name)}</h3>\n'
        f"<p>{escape(finding.sentence)}</p>\n<ul>{advice}</ul></section>"
    )


def _with_commands(line: str) -> str:
    return COMMAND.sub(r"<code>\1</code>", escape(line))


def _curves(points: Sequence[Point], paces: Sequence[Pace], verdict: Verdict, account: Account) -> str:
    light, dark = (
        base64.b64encode(png(points, account.name, paces=paces, verdict=verdict, theme=theme)).decode()
        for theme in (LIGHT, DARK)
    )
    shown = escape(
        "; ".join(f"{row.name} loss from {row.first:.3f} to {row.last:.3f}" for row in losses_of(points)), quote=True
    )
    return (
        f'<h2>Curves</h2>\n<picture><source media="(prefers-color-scheme: dark)" srcset="data:image/png;base64,{dark}">'
        f'<img src="data:image/png;base64,{light}" alt="Learning curve: {shown}"></picture>'
    )


def _losses(points: Sequence[Point]) -> list[list[str]]:
    return [
        [row.name, f"{row.first:.4f}", f"{row.lowest:.4f}", f"{row.lowest_step:,}", f"{row.last:.4f}", f"{row.points:,}"]
        for row in losses_of(points)
    ]


def _speed(paces: Sequence[Pace], memory: Mapping[str, int]) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    seconds = sum(pace.seconds for pace in paces)
    if seconds > 0:
        rows.append(("tokens per second", f"{sum(pace.tokens for pace in paces) / seconds:,.0f}"))
        rows.append(("time of all steps", f"{seconds:,.0f} s ({seconds / len(paces):.2f} s each)"))
    if peak := max((pace.memory for pace in paces), default=0):
        rows.append(("memory, measured peak", size(peak)))
    rows += [(f"memory, estimated: {name}", size(count)) for name, count in memory.items()]
    return rows


def _lineage(lineage: Sequence[Ancestor]) -> str:
    rows = []
    for found in lineage:
        kept = f"{found.rows.get('kept', 0):,} of {found.rows.get('in', 0):,} rows"
        more = found.source_count - len(found.sources)
        named = [f"{source.name} ({size(source.size)}, sha256 {source.sha256[:12]})" for source in found.sources]
        rows.append([found.ref, kept, "\n".join([*named, *([f"and {more:,} more"] if more > 0 else [])])])
    return _table("Lineage", rows, ["artifact", "kept", "sources"], numbers=False)


def _samples(samples: Sequence[Sample]) -> str:
    shown = [
        f"<section><p class='under'>prompt</p><pre>{escape(sample.prompt)}</pre>"
        + (f"<p class='under'>base model</p><pre>{escape(sample.base)}</pre>" if sample.base is not None else "")
        + f"<p class='under'>trained</p><pre>{escape(sample.trained)}</pre></section>"
        for sample in samples
    ]
    return "\n".join(["<h2>Samples</h2>", *shown]) if shown else ""


def _pairs(title: str, pairs: Iterable[tuple[str, str]]) -> str:
    rows = "\n".join(f"<tr><th>{escape(name)}</th><td>{_cell(value)}</td></tr>" for name, value in pairs)
    return f"<h2>{title}</h2>\n<table><tbody>\n{rows}\n</tbody></table>" if rows else ""


def _table(title: str, rows: Sequence[Sequence[str]], heads: Sequence[str], *, numbers: bool = True) -> str:
    """Return a table; all columns but the first hold numbers, or none does."""
    if not rows:
        return ""
    classes = ["", *([' class="number"' if numbers else ""] * (len(heads) - 1))]
    head = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(heads, classes, strict=True))
    lines = ("".join(f"<td{kind}>{_cell(value)}</td>" for value, kind in zip(row, classes, strict=True)) for row in rows)
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f"<h2>{title}</h2>\n<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _cell(value: str) -> str:
    return escape(value).replace("\n", "<br>")
