"""A training -> the README.md of its adapter's folder, as the Hub's model cards are written.

The front matter's keys are those of https://huggingface.co/docs/hub/model-cards; `lineage` is our own. The licence is left to
the user: it follows from the base model's and the data's.
"""

import io
import json
import math
from collections.abc import Sequence
from typing import Any

from ruamel.yaml import YAML

from trainers.account import Account, Ancestor, data_facts, said, size
from trainers.history import Pace, Point, of
from trainers.losses import losses_of
from trainers.verdict import Verdict

LICENSE = "# license: fill in; it follows from the base model's and the data's\n"
HUB = "hf://datasets/"


def model_card(points: Sequence[Point], paces: Sequence[Pace], verdict: Verdict, account: Account) -> str:
    """Return the card of an adapter: front matter in YAML, then what it is, how it was trained and how it is loaded."""
    parts = [
        f"---\n{_front(points, account)}{LICENSE}---",
        f"# {_text(account.name)}",
        f"{_kind(account)} {_base(account)}, trained on {_data(account)}.",
        "## How it went",
        "\n".join(f"- **{finding.name}**: {_text(finding.sentence)}" for finding in verdict.findings),
        _losses(points),
        "## Use",
        _use(account),
        "## Training",
        _pairs([*_course(points, paces, account), *data_facts(account.facts)]),
        _pairs([(key, said(value)) for key, value in {**account.settings, **account.run}.items()]),
        "## Data",
        "\n".join(line for found in account.lineage for line in _ancestor(found)) or "Not recorded.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front(points: Sequence[Point], account: Account) -> str:
    sources = [source for found in account.lineage for source in found.sources]
    hub = ["/".join(source.name.removeprefix(HUB).split("/")[:2]) for source in sources if source.name.startswith(HUB)]
    card: dict[str, Any] = {
        "base_model": account.base_model,
        "library_name": "peft" if _is_adapter(account) else "transformers",
        "pipeline_tag": "text-generation",
        "tags": _tags(account),
        **({"datasets": sorted(set(hub))} if hub else {}),
        **({"lineage": [_record(found) for found in account.lineage]} if account.lineage else {}),
        "model-index": [{"name": account.name, "results": _results(points, account)}],
    }
    written = io.StringIO()
    yaml = YAML(typ="safe")
    yaml.default_flow_style, yaml.width, yaml.sort_base_mapping_type_on_output = False, 1 << 16, False
    yaml.allow_unicode = json.dumps(card, ensure_ascii=False).isprintable()  # U+0085 and its like need their escapes
    yaml.dump(card, written)
    return written.getvalue()


def _record(found: Ancestor) -> dict[str, Any]:
    sources = [{"name": source.name, "sha256": source.sha256} for source in found.sources]
    counted = {"source_count": found.source_count, "sources": sources} if sources else {}
    return {"artifact": found.ref, "rows": found.rows.get("kept", 0), **counted}


def _results(points: Sequence[Point], account: Account) -> list[dict[str, Any]]:
    """Return the validation loss of the weights that were kept as the Hub's tables want it; none where nothing was held out."""
    kept = [point for point in of("validation", points) if account.kept_step in (None, point.step)]
    if not kept or not math.isfinite(kept[-1].loss):
        return []
    data = account.lineage[0].ref if account.lineage else account.name
    return [
        {
            "task": {"type": "text-generation", "name": "Causal language modelling"},
            "dataset": {"type": "prep", "name": data, "split": "validation"},
            "metrics": [{"type": "loss", "name": "loss per supervised token (nats)", "value": round(kept[-1].loss, 4)}],
        }
    ]


def _is_adapter(account: Account) -> bool:
    return account.settings.get("adapter") != "none"


def _tags(account: Account) -> list[str]:
    kinds = {"qlora": ["lora", "qlora"], "none": []}.get(str(account.settings.get("adapter")), ["lora"])
    relation = "adapter" if _is_adapter(account) else "finetune"
    return ["prep", *kinds, f"base_model:{relation}:{account.base_model}"]


def _kind(account: Account) -> str:
    kinds = {"qlora": "A QLoRA adapter for", "none": "All weights of"}
    return kinds.get(str(account.settings.get("adapter")), "A LoRA adapter for")


def _base(account: Account) -> str:
    revision = f", revision {_code(account.revision)}" if account.revision else ""
    return f"{_code(account.base_model)}{revision}"


def _data(account: Account) -> str:
    return _code(account.lineage[0].ref) if account.lineage else "data that is not recorded"


def _course(points: Sequence[Point], paces: Sequence[Pace], account: Account) -> list[tuple[str, str]]:
    train = of("train", points)
    rows = [("steps", f"{train[-1].step:,}"), ("epochs", f"{train[-1].epoch:.4g}")] if train else []
    seconds = sum(pace.seconds for pace in paces)
    rows += [("time of all steps", f"{seconds:,.0f} s")] if paces else []
    peak = max((pace.memory for pace in paces), default=0)
    rows += [("step whose weights were kept", f"{account.kept_step:,}")] if account.kept_step is not None else []
    return [*rows, *([("peak memory", size(peak))] if peak else [])]


def _losses(points: Sequence[Point]) -> str:
    rows = [
        f"| {row.name} | {row.first:.4f} | {row.lowest:.4f} (step {row.lowest_step:,}) | {row.last:.4f} |"
        for row in losses_of(points)
    ]
    head = "| loss per supervised token (nats) | first | lowest | last |\n|---|---|---|---|\n"
    return head + "\n".join(rows) if rows else ""


def _use(account: Account) -> str:
    revision = f", revision={json.dumps(account.revision)}" if account.revision else ""
    base = json.dumps(account.base_model, ensure_ascii=False)
    if not _is_adapter(account):
        return (
            "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            'model = AutoModelForCausalLM.from_pretrained("path/of/this/folder")\n'
            f"tokenizer = AutoTokenizer.from_pretrained({base}{revision})\n```"
        )
    return (
        "```python\nfrom peft import PeftModel\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        f"base = AutoModelForCausalLM.from_pretrained({base}{revision})\n"
        'model = PeftModel.from_pretrained(base, "path/of/this/folder")\n'
        f"tokenizer = AutoTokenizer.from_pretrained({base}{revision})\n```"
    )


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- {_text(name)}: {_text(value)}" for name, value in pairs)


def _ancestor(found: Ancestor) -> list[str]:
    kept = f"{found.rows.get('kept', 0):,} of {found.rows.get('in', 0):,} rows kept"
    lines = [f"- {_code(found.ref)}: {kept}"]
    lines += [f"  - {_code(one.name)} ({size(one.size)}, sha256 {_code(one.sha256[:12])})" for one in found.sources]
    more = found.source_count - len(found.sources)
    return [*lines, f"  - and {more:,} more"] if more > 0 else lines


def _code(words: str | None) -> str:
    """Set words as code, whatever backticks they hold.

    >>> _code("a`b")
    '`` a`b ``'
    """
    words = " ".join(str(words).split())
    return f"`` {words} ``" if "`" in words else f"`{words}`"


def _text(words: str) -> str:
    r"""Write words so that Markdown and HTML leave them alone.

    >>> _text("<b>*x*</b>_1")
    '\\<b\\>\\*x\\*\\</b\\>\\_1'
    """
    return "".join(f"\\{letter}" if letter in "\\`*_<>[]#|" else letter for letter in " ".join(words.split()))
