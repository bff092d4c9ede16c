"""Trainers: token ids and a base model -> a LoRA adapter, its metrics and a picture of how it went.

Read `qlora` first: it tells the whole way, and the others in its order. Before a training: `settings` (what a recipe may set,
what follows from it, how many steps), `ranks` and `shares` (several processes, and what each of them trains), `learning_rate`,
`base_model` (which model is trained, and what names it), `device` (where it runs, how precisely), `rows` (what is trained on),
`models` (loading, adapters), `isolation` and `gradients` (checked before the first step). The training: `course` (from the
start or from a checkpoint, and which weights are kept), `loop` (the Trainer, with a loss that is the same number for every
batch size), `loss`, `arguments`, `lr_sweep`. What is left of it: `stream` and `checkpoints` (to go on from), `saving`,
`history` and `learning_curve` (how it went, as tables and as a picture). Nothing else in the tree imports torch, and
`settings`, `learning_rate`, `base_model`, `failures`, `history`, `lr_sweep` and `learning_curve` do not either when they are
imported.
"""

import logging

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # on import it recommends a package that training does not use
