"""What becomes of a run that is killed, or that the disk refuses, at any of its steps.

steps.py      one run of `prep` whose nth step on the disk is its last one, or is refused from there on
campaign.py   many of them, each run again until it is done, and compared with an undisturbed run
kills.py      many kills of drivers and workers, stage by stage, each run again until it is done: `python -m tests.faults.kills`
warm.py       what disturbed runs are forked from
"""
