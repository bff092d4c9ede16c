"""A model's config and the settings of a training -> the memory that it will need, before it runs and without its weights.

Read `case` (what is asked), `live` (how bytes are counted), `stand_in` (the model without numbers), `dry_run` (a forward and a
backward pass of it), `optimizers`, `estimate` (the terms and their sum), `cards` (what fits, and what would save how much),
`words` (all of it as a table) and `before` (what is told when a training begins).
"""
