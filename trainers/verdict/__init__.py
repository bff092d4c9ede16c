"""Points of a training and facts of its data -> how it went: underfit, overfit, well-fit, unstable, too little data.

Reading order: `kinds` (what is asked and what is answered), `noise` (what can be told of losses that jitter), `amount` (is
there enough to learn from and to judge by), `stability` (spikes, divergence, losses that are no number), `course` (the
losses that decide), `fitting` (does it learn, does it still, does it remember), and here their order by weight. Nothing is said
without evidence: too few evaluations are an answer of their own.
"""

from collections.abc import Sequence

from trainers.history import Pace, Point
from trainers.verdict.amount import too_little
from trainers.verdict.fitting import fitting
from trainers.verdict.kinds import Facts, Finding, Verdict, reopened, written
from trainers.verdict.stability import unstable

__all__ = ["Facts", "Finding", "Verdict", "reopened", "verdict", "written"]


def verdict(points: Sequence[Point], paces: Sequence[Pace], facts: Facts) -> Verdict:
    """Return what the losses of a training say, the heaviest finding first; there is always one.

    >>> steps = [Point(step, step / 40, "train", 3.0, 1e-4, 1.0, 900 * step) for step in range(1, 41)]
    >>> [finding.name for finding in verdict(steps, [], Facts(supervised_tokens=36_000)).findings]
    ['underfit', 'not enough evaluations']
    """
    shaky = unstable(points)
    found = [*shaky, *too_little(points, facts)]
    if not any(finding.fatal for finding in shaky):
        found += fitting(points, facts)
    found.sort(key=lambda finding: -finding.weight)
    return Verdict(tuple(found), round(sum(pace.seconds for pace in paces), 3))
