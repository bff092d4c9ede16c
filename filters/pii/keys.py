"""Keys: bytes at a known prefix -> the key or token of a service that stands there.

Prefixes, alphabets and lengths are those that the services document or that GitHub's secret scanning and gitleaks publish.
A key is random: text in its place (`ghp_xxxx...`, `hf_your_token...`) is told by its entropy.
"""

import math
from collections import Counter
from functools import cache
from typing import NamedTuple

import regex

ENTROPY = 2.75  # bits a character; 20 random letters and digits have 3.9 on average, 16 hexadecimal ones 3.2
LONGEST = 1 << 14  # bytes; an RSA key of 8192 bits takes 6.5 KB in PEM
PEM = b"-----BEGIN "


class Key(NamedTuple):
    """A kind of key: the label, how it begins, and a pattern for the rest; a word character may not follow."""

    label: str
    prefix: bytes
    rest: bytes


KEYS = (
    *(Key("github_token", b"gh%c_" % kind, rb"[A-Za-z0-9]{36,255}+") for kind in b"pousr"),
    Key("github_token", b"github_pat_", rb"[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    *(Key("gitlab_token", prefix, rb"[\w-]{20,64}+") for prefix in (b"glpat-", b"gldt-", b"glrt-", b"glptt-", b"glcbt-")),
    *(Key("aws_access_key", prefix, rb"[A-Z2-7]{16}") for prefix in (b"AKIA", b"ASIA")),
    Key("openai_key", b"sk-", rb"(?:[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}|[A-Za-z0-9]{48})"),
    *(Key("openai_key", prefix, rb"[\w-]{40,200}+") for prefix in (b"sk-proj-", b"sk-svcacct-", b"sk-admin-", b"sk-None-")),
    Key("anthropic_key", b"sk-ant-", rb"[a-z]{3,8}\d\d-[\w-]{40,120}+"),
    Key("openrouter_key", b"sk-or-v1-", rb"[0-9a-f]{64}"),
    Key("groq_key", b"gsk_", rb"[A-Za-z0-9]{52}"),
    Key("xai_key", b"xai-", rb"[A-Za-z0-9]{80}"),
    Key("perplexity_key", b"pplx-", rb"[A-Za-z0-9]{48}"),
    Key("replicate_token", b"r8_", rb"[A-Za-z0-9]{37}"),
    Key("huggingface_token", b"hf_", rb"[A-Za-z0-9]{34}"),
    Key("google_api_key", b"AIza", rb"[\w-]{35}"),
    Key("google_oauth_secret", b"GOCSPX-", rb"[\w-]{28}"),
    Key("google_oauth_token", b"ya29.", rb"[\w-]{40,1024}+"),
    *(Key("slack_token", b"xox%c-" % kind, rb"(?:\d-)?[A-Za-z0-9]{8,}+-[A-Za-z0-9-]{10,256}+") for kind in b"abeoprs"),
    Key("slack_token", b"xapp-", rb"\d-[A-Z0-9]{8,16}-\d{8,16}-[a-z0-9]{32,80}+"),
    Key("slack_webhook", b"hooks.slack.com/services/", rb"T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{24}"),
    *(Key("stripe_key", b"%ck_%b_" % (kind, mode), rb"[A-Za-z0-9]{16,247}+") for kind in b"sr" for mode in (b"live", b"test")),
    Key("stripe_key", b"whsec_", rb"[A-Za-z0-9]{32,64}+"),
    Key("npm_token", b"npm_", rb"[A-Za-z0-9]{36}"),
    Key("pypi_token", b"pypi-AgEIcHlwaS5vcmc", rb"[\w-]{50,512}+"),
    Key("rubygems_key", b"rubygems_", rb"[0-9a-f]{48}"),
    Key("docker_token", b"dckr_pat_", rb"[\w-]{27}"),
    Key("sendgrid_key", b"SG.", rb"[\w-]{22}\.[\w-]{43}"),
    Key("twilio_key", b"SK", rb"[0-9a-f]{32}"),
    *(Key("digitalocean_token", b"do%c_v1_" % kind, rb"[0-9a-f]{64}") for kind in b"opr"),
    *(Key("shopify_token", prefix, rb"[0-9a-fA-F]{32}") for prefix in (b"shpat_", b"shpca_", b"shppa_", b"shpss_")),
    Key("databricks_token", b"dapi", rb"[0-9a-f]{32}(?:-\d)?"),
    Key("vault_token", b"hvs.", rb"[\w-]{80,200}+"),
    Key("grafana_token", b"glsa_", rb"[A-Za-z0-9]{32}_[0-9a-fA-F]{8}"),
    Key("new_relic_key", b"NRAK-", rb"[A-Z0-9]{27}"),
    Key("postman_key", b"PMAK-", rb"[0-9a-f]{24}-[0-9a-f]{34}"),
    Key("linear_key", b"lin_api_", rb"[A-Za-z0-9]{40}"),
    Key("age_key", b"AGE-SECRET-KEY-1", rb"[A-Z0-9]{58}"),
    Key("jwt", b"eyJ", rb"[\w-]{10,4096}+\.eyJ[\w-]{10,8192}+\.[\w-]{16,2048}+"),
    Key("private_key", PEM, rb""),
)
_HEAD = regex.compile(rb"-----BEGIN ((?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?)-----")


def key(window: bytes, prefix: bytes) -> tuple[int, int, str] | None:
    """Return where the key that begins a window ends, as `(0, end, label)`.

    >>> key(b"AKIAIOSFODNN7EXAMPLE is the key", b"AKIA")
    (0, 20, 'aws_access_key')
    >>> key(b"hf_" + b"x" * 34, b"hf_")
    """
    if prefix == PEM:
        return _private_key(window)
    label, pattern = _patterns()[prefix]
    match = pattern.match(window)
    if match is None or entropy(match.group(1)) < ENTROPY:
        return None
    return 0, match.end(), label


@cache
def _patterns() -> dict[bytes, tuple[str, regex.Pattern[bytes]]]:
    return {key.prefix: (key.label, regex.compile(regex.escape(key.prefix) + b"(" + key.rest + rb")(?!\w)")) for key in KEYS}


def _private_key(window: bytes) -> tuple[int, int, str] | None:
    """Return the block in PEM or OpenPGP armour; one without a key's worth of base64 in it is an example of the form."""
    head = _HEAD.match(window)
    if head is None:
        return None
    tail = b"-----END " + head.group(1) + b"-----"
    end = window.find(tail, head.end())
    if end < 0 or regex.search(rb"[A-Za-z0-9+/]{40}", window[head.end() : end]) is None:
        return None
    return 0, end + len(tail), "private_key"


def entropy(secret: bytes) -> float:
    """Return Shannon's entropy of the bytes, in bits a byte.

    >>> entropy(b"xxxx"), entropy(b"abcd")
    (0.0, 2.0)
    """
    shares = [count / len(secret) for count in Counter(secret).values()]
    return sum(share * math.log2(1 / share) for share in shares)
