"""`prep`: raw HTML, CSV, SQL dumps and chat logs -> documents -> clean documents -> tokens -> a fine-tuned adapter.

Reading order: `artifacts` (what a stage leaves behind), `documents` (what is in it), `stages` (the four functions), `cli`.
"""

__version__ = "0.1.0"
