"""Run a lesson's setup cell as on Google Colab, but install tinyclone from this checkout.

    python scripts/run_setup_cell.py lessons/00_hear_it_first.ipynb

The cell itself asserts that no package changed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCE = "git+https://github.com/tinyclone/tinyclone"


def main(notebook: str) -> None:
    """Run the first code cell of this notebook."""
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    code = next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert SOURCE in code, f"the setup cell installs no {SOURCE}"
    sys.modules["google.colab"] = ModuleType("google.colab")  # by this the cell knows where it is
    exec(compile(code.replace(SOURCE, str(REPOSITORY)), notebook, "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main(sys.argv[1])
