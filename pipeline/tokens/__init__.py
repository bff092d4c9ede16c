"""Tokens: what the tokenize stage knows of tokenizers, chat templates, loss masks and the rows it writes.

Reading order: `tokenizer` (load or train one), `chat` (messages -> text and turns), `masks` (text -> tokens and labels,
proved), `rows` (tokens -> rows), `files` (rows -> Arrow shards that `datasets` opens). What the stage does first: `settling`
(which tokenizer), `encode_shard` (a task: a shard's tokens and ledger), `encode_all` (all shards, or all again by another
encoder).
"""
