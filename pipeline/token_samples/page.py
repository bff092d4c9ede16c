"""Rows -> one HTML page that needs nothing else: no script, no font, no image; light or dark as the reader's system is."""

from collections.abc import Sequence
from html import escape

from pipeline.token_samples.rows import Piece, Row, Stretch
from pipeline.token_samples.summary import Summary, in_words
from pipeline.token_samples.words import by_document, left_out, readable, shown

STYLE = """
:root { color-scheme: light dark; --ground: #fbfbf9; --card: #fff; --ink: #1b1f23; --faint: #6a737d; --line: #dfe2e0;
  --edge: #aeb6bc; --trained: #d5f2dc; --trained-ink: #0b3d1c; --special: #6f42c1; --border: #0969a8; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --card: #1b1f23; --ink: #e3e6e8; --faint: #8b949e;
  --line: #30363d; --edge: #606a74; --trained: #12391f; --trained-ink: #a9efbd; --special: #c9a7ff; --border: #6cb6ff; } }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; } h2 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
.facts, .legend { color: var(--faint); font-size: .9rem; margin: .2rem 0 .8rem; }
pre, .text { font: 13px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .8rem; overflow-x: auto; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 1rem; margin: 1rem 0; }
.bar { background: var(--line); border-radius: 3px; height: 6px; overflow: hidden; margin: .3rem 0; }
.bar i { background: #2da44e; display: block; height: 100%; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; color: var(--faint); }
mark { background: var(--trained); color: var(--trained-ink); border-radius: 2px; }
b { color: var(--special); font-weight: 600; } s { text-decoration: none; }
s:nth-of-type(even) { text-decoration: underline dotted var(--edge); }
.border { color: var(--border); border-top: 1px dashed var(--border); margin: .8rem 0 .3rem; font-size: .85rem; }
.gap { color: var(--border); font-style: italic; }
""".strip()

LEGEND = (
    '<p class="legend"><span class="text"><mark>supervised</mark> not supervised <b>&lt;|control token|&gt;</b></span>'
    "<br>⏎ line end, ⇥ tab, · space that an eye would miss, \\x1b a character or byte that cannot be shown;"
    " dotted lines tell a token from the next</p>"
)


def page(ref: str, found: Sequence[Summary], rows: Sequence[Row]) -> str:
    """Return the page of an artifact's rows."""
    words = "\n\n".join("\n".join(in_words(summary)) for summary in found)
    sections = "\n".join(_section(row) for row in rows)
    name = escape(readable(ref))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n"
        f"<h1>{name}</h1>\n<pre>{escape(words)}</pre>\n{LEGEND}\n{sections}\n</body>\n</html>\n"
    )


def _section(row: Row) -> str:
    share = row.supervised / max(row.tokens, 1)
    held = f"{len(row.documents)} documents" if len(row.documents) > 1 else escape(readable("".join(row.documents)))
    body = "\n".join(
        (f'<p class="border">{escape(readable(border))}</p>\n' if border else "")
        + f'<div class="text">{"".join(_part(found, has_text) for found, has_text in shown(stretches))}</div>'
        for border, stretches in by_document(row)
    )
    return (
        f"<section>\n<h2>{row.split} row {row.number}: {held}</h2>\n"
        f'<p class="facts">{row.tokens:,} tokens, {row.supervised:,} supervised ({share:.0%})</p>\n'
        f'<div class="bar"><i style="width:{share:.1%}"></i></div>\n{body}\n</section>'
    )


def _part(stretches: Sequence[Stretch], has_text: bool) -> str:
    if not has_text:
        return f'<div class="gap">{left_out(stretches)}</div>'
    return "".join(
        f"<mark>{_pieces(stretch.pieces)}</mark>" if stretch.supervised else _pieces(stretch.pieces) for stretch in stretches
    )


def _pieces(pieces: Sequence[Piece]) -> str:
    tagged = (("b" if piece.special else "s", escape(readable(piece.text))) for piece in pieces)
    return "".join(f"<{tag}>{text}</{tag}>" for tag, text in tagged)
