"""Texts -> ids at the speed of the machine, and never other ids than the tokenizer's own.

Reading order: `ids` (how they lie), `reference` (what they are), `fast` (who finds the same ones sooner), `hard`, `unassigned`
and `encoder` (how that is proved), `spans` (which characters of a text a token stands for).
"""
