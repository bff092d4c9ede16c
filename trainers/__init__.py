"""Trainers: token ids and a base model -> a LoRA adapter, its metrics and a picture of how it went.

Read `settings` (what a recipe may set, and how many steps follow from it), `base_model` (which model is trained, and what
names it), `device` (where it runs, how precisely), `loss` (batches, and a loss that is the same number for every batch size),
`qlora` (the training itself), then `history` and `learning_curve` (how it went, as tables and as a picture). Only `device`,
`loss` and `qlora` import torch when imported, and nothing else in the tree does.
"""

import logging

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # on import it recommends a package that training does not use
