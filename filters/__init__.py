"""Filters: plain functions over flat text that only look; the clean stage acts on what they report.

Reading order: `kinds` (the four kinds and what each answers), `quality` (the smallest filter), `slop`, `minhash`, `kernels`.
One file and its test add a filter: decorate a function in any module here and it is in the recipes, the listing and the help.
"""
