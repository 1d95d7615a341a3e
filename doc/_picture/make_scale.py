"""Draw the pictures of the page on scale: those of examples/plot_scale.py, with the rates of this machine.

    python doc/_picture/make_scale.py

writes ``scale-1.svg`` to ``scale-3.svg`` beside this file; they are part of the repository.
"""

import re
import runpy
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"

mpl.use("Agg")
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "scale", "path.simplify_threshold": 1.0})
sys.path.insert(0, str(EXAMPLES))
runpy.run_path(str(EXAMPLES / "plot_scale.py"))
for number in plt.get_fignums():
    for ax in plt.figure(number).axes:
        ax.minorticks_off()  # which are most of the file
    for line in plt.figure(number).findobj(mpl.lines.Line2D):
        line.set_rasterized(len(line.get_xdata()) > 500)  # a thousand points are smaller as pixels
    path = HERE / f"scale-{number}.svg"
    plt.figure(number).savefig(
        path, metadata=dict.fromkeys(["Date", "Creator", "Format", "Type"]), facecolor="white", dpi=150
    )
    path.write_text(re.sub(r"\d+\.\d{3,}", lambda digits: f"{float(digits[0]):.1f}", path.read_text()))
