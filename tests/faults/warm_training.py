"""Imported before trainings are disturbed; their threads are not started, for they do not outlive a fork."""

import bitsandbytes  # noqa: F401
import peft
import torch
import transformers

import trainers.qlora  # noqa: F401

torch.set_num_threads(1)
_ = transformers.Trainer, peft.get_peft_model  # what is imported when it is asked for
