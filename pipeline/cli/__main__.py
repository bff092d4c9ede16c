"""`python -m pipeline.cli`: `prep`, also as one of several processes that `torchrun` or `accelerate launch` starts."""

from pipeline.cli import main
from pipeline.cli.launch import as_rank
from trainers import ranks

if __name__ == "__main__":
    if ranks.count() > 1:
        as_rank(main)
    main(prog_name="prep")
