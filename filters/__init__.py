"""Filters: plain functions over flat text that only look; the clean stage acts on what they report.

Reading order:

    kinds                       the kinds of filters and what each answers; the registry
    word_count                  the smallest filter
    kernels/                    what filters share: bytes, characters, hashes, words, folding, lines, sentences
    unicode/                    rewrites texts
    sentences, quality/, repetition/, fineweb, language     measure documents
    patterns, slop/, pii/, c4, contamination                find spans
    lines                       finds lines that recur
    exact, minhash              find duplicates

and, for filters and the stage alike:

    regexes/                    patterns within a time limit
    widening                    spans -> the sentences or lines that they touch
    clusters                    bucket keys -> clusters of duplicates

A filter is one module or one package here. It imports `kinds`, `kernels` and `regexes`, and no other filter. One file and its
test add a filter: decorate a function in any module here and it is in the recipes, the listing and the help.
"""
