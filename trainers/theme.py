"""How pictures look, on white and on dark paper.

The colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/), which colour-blind readers tell apart; lines differ in their
marks, too.
"""

from typing import NamedTuple

from matplotlib.axes import Axes


class Theme(NamedTuple):
    """The colours of a picture: paper, ink, faint ink, lines of the grid, and one for each course."""

    paper: str
    ink: str
    faint: str
    grid: str
    step: str
    train: str
    validation: str
    sample: str
    seen: str


LIGHT = Theme("#ffffff", "#1b1f23", "#5c6670", "#e6e8ea", "#a3c8e2", "#0072b2", "#d55e00", "#009e73", "#cc79a7")
DARK = Theme("#1b1f23", "#e3e6e8", "#9aa4ad", "#343b42", "#2a4f68", "#56b4e9", "#f08c3a", "#2bc79a", "#e39cc4")


def plain(axes: Axes, theme: Theme) -> None:
    """Leave of axes only what is needed."""
    axes.set_facecolor(theme.paper)
    axes.grid(color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(theme.faint)
    axes.tick_params(colors=theme.faint, labelsize=9)
