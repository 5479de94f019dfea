"""Notebook hygiene: outputs stay (they are the documentation), everything that changes from run to run goes.

python notebooks/tidy.py [--check] NOTEBOOK...
"""

import re
import sys
from pathlib import Path

import nbformat

MAX_BYTES = 600_000
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
PORT = re.compile(r"(127\.0\.0\.1[:-])\d{4,5}\b")  # of a stand-in service: another one each time
MAX_LINES = 15  # of code in a cell


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Drop execution times, widget state, editors' metadata and the ports that a run happened to get."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for number, cell in enumerate(notebook.cells):
        cell.metadata = nbformat.from_dict({})
        cell.id = f"cell-{number:02d}"
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET_VIEW, None)  # names a model of a kernel that is gone
        if "outputs" in cell:
            cell.outputs = nbformat.from_dict(joined(without_ports(cell.outputs)))


def joined(outputs: list) -> list:
    """Join pieces of one stream that follow each other: where a kernel cuts it depends on its pace."""
    whole = []
    for output in outputs:
        last = whole[-1] if whole else {}
        if output["output_type"] == last.get("output_type") == "stream" and output["name"] == last["name"]:
            last["text"] += output["text"]
        else:
            whole.append(output)
    return whole


def without_ports(value: object) -> object:
    """Replace the random ports in texts, however deep in lists and dicts, by the word."""
    if isinstance(value, str):
        return PORT.sub(r"\1PORT", value)
    if isinstance(value, dict):
        return {name: without_ports(one) for name, one in value.items()}
    return [without_ports(one) for one in value] if isinstance(value, list) else value


def problems(path: Path, text: str, tidied: str, notebook: nbformat.NotebookNode) -> list[str]:
    """What keeps a notebook from being committed."""
    found = []
    if text != tidied:
        found.append("is not tidy: run make outputs")
    if len(tidied) > MAX_BYTES:
        found.append(f"is {len(tidied):,} bytes: at most {MAX_BYTES:,}")
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        if cell.source.count("\n") >= MAX_LINES:
            found.append(f"cell {number} has more than {MAX_LINES} lines")
        if any(one.output_type == "error" for one in cell.outputs):
            found.append(f"cell {number} holds an error")
        if any(one.get("name") == "stderr" for one in cell.outputs):
            found.append(f"cell {number} wrote to standard error")
    return [f"{path}: {one}" for one in found]


def main(arguments: list[str]) -> int:
    """Tidy each notebook in place, or with --check only tell."""
    check = "--check" in arguments
    found = []
    for name in arguments:
        if name == "--check":
            continue
        path = Path(name)
        text = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(text, as_version=4)
        tidy(notebook)
        tidied = nbformat.writes(notebook) + "\n"
        if check:
            found += problems(path, text, tidied, notebook)
        elif tidied != text:
            path.write_text(tidied, encoding="utf-8")
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
