"""Write the tables of doc/reproduction.rst from results.jsonl; the text between them stays as it is.

::

    python examples/reproduce/make_page.py           # write the page
    python examples/reproduce/make_page.py --check   # exit with 1 if it does not agree with the results
"""

import argparse
import re
import sys
from collections import Counter

from _claims import HERE, RESULTS, RULES, VERDICTS, read, show

PAGE = HERE.parents[1] / "doc" / "reproduction.rst"
SCRIPTS = {
    "odh.py": "ODH",
    "orthohash.py": "OrthoHash",
    "lbhash.py": "LBHash",
    "sdc.py": "SDC",
    "other_data.py": "data",
}
BEGIN, END = ".. begin {}", ".. end {}"


def escaped(text):
    """Return plain text for reStructuredText."""
    return re.sub(r"([\\|*`_])", r"\\\1", text)


def script_of(row):
    """Return the script that a row's command runs."""
    return row["command"].split("reproduce/")[1].split()[0]


def claims_in_order():
    """Return the ids of all scripts' claims, in the order of the scripts."""
    import lbhash
    import odh
    import orthohash
    import other_data
    import sdc

    modules = {
        "odh.py": odh,
        "orthohash.py": orthohash,
        "lbhash.py": lbhash,
        "sdc.py": sdc,
        "other_data.py": other_data,
    }
    return {script: [claim.id for claim in module.CLAIMS] for script, module in modules.items()}


def table(rows):
    """Return a table of rows of one script."""
    lines = [
        ".. list-table::", "   :header-rows: 1", "   :widths: 44 16 16 8 16", "",
        "   * - Claim", "     - Paper", "     - Here", "     - Ratio", "     - Verdict",
    ]  # fmt: skip
    for row in rows:
        paper = f"{row['paper']}, " if script_of(row) == "other_data.py" else ""
        claim = [f"**{escaped(row['claim'])}** ({escaped(paper + row['place'])}), in {escaped(row['unit'])}."]
        if row["note"]:
            claim.append(escaped(row["note"]))
        claim.append(f"``{row['id']}``")
        ratio = (
            f"rank {show(row['ratio'])}" if row["rule"] == "order" and row["ratio"] is not None else show(row["ratio"])
        )
        cells = [
            " ".join(claim),
            show(row["published"]),
            show(row["ours"]),
            ratio,
            f'{row["verdict"]}, rule "{row["rule"]}"',
        ]
        lines += [("   * - " if i == 0 else "     - ") + cell for i, cell in enumerate(cells)]
    return "\n".join(lines)


def summary(rows):
    """Return the numbers of verdicts and the machines."""
    counts = Counter(row["verdict"] for row in rows)
    numbers = ", ".join(f"{counts[v]} {v}" for v in VERDICTS if counts[v])
    machines = "; ".join(sorted({row["machine"] for row in rows}))
    return f"{len(rows)} claims: {numbers}. Measured on {escaped(machines)}."


def rules(rows):
    """Return the list of the rules that occur."""
    used = {row["rule"] for row in rows}
    return "\n".join(f"- **{name}**: {escaped(text)}" for name, (text, _) in RULES.items() if name in used)


def blocks(rows):
    """Return the generated parts of the page, by name."""
    order = {script: {id: i for i, id in enumerate(ids)} for script, ids in claims_in_order().items()}
    by_script = {script: [r for r in rows if script_of(r) == script] for script in SCRIPTS}
    parts = {"summary": summary(rows), "rules": rules(rows)}
    for script, own in by_script.items():
        known = [r for r in own if r["id"] in order[script]]
        parts[SCRIPTS[script]] = table(sorted(known, key=lambda r, s=script: order[s][r["id"]]))
    return parts


def filled(page, parts):
    """Return the text of a page with its generated parts replaced."""
    for name, content in parts.items():
        begin, end = BEGIN.format(name), END.format(name)
        head, found, rest = page.partition(begin + "\n")
        assert found, f"{PAGE} lacks '{begin}'"
        _, found, tail = rest.partition(end)
        assert found, f"{PAGE} lacks '{end}'"
        page = f"{head}{begin}\n\n{content}\n\n{end}{tail}"
    return page


def main():
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    page = PAGE.read_text()
    new = filled(page, blocks(read(RESULTS)))
    if arguments.check:
        return int(new != page)
    PAGE.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
