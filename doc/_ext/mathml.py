"""Formulas as MathML, which browsers display without a script, a font or a server of others."""

import re

from latex2mathml.converter import convert


def to_mathml(latex, display="inline"):
    """Convert a formula to a MathML element, which carries the formula for those who copy it."""
    # The converter reads "NT-Xent" as a difference of products of letters; as text it is a name.
    source = re.sub(r"\\operatorname\{(\w+(?:-\w+)+)\}", r"\\text{\1}", latex)
    if display == "block" and r"\\" in source and r"\begin" not in source:
        source = rf"\begin{{split}}{source}\end{{split}}"
    element = convert(source, display=display)
    escaped = latex.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    note = f'<annotation encoding="application/x-tex">{escaped}</annotation>'
    opening = re.match(r"<math[^>]*>", element)[0]
    body = element.removeprefix(opening).removesuffix("</math>")
    return f"{opening}<semantics>{body}{note}</semantics></math>"


def skip():
    """Keep docutils from writing the source of the formula, too."""
    from docutils import nodes

    raise nodes.SkipNode


def visit_inline(translator, node):
    """Write a formula within a line."""
    translator.body.append(to_mathml(" ".join(node.astext().split())))
    skip()


def visit_block(translator, node):
    """Write a displayed formula, one row for each paragraph of it."""
    translator.body.append(translator.starttag(node, "div", CLASS="math-block"))
    if node["number"]:
        from sphinx.util.math import get_node_equation_number

        translator.body.append(f'<span class="eqno">({get_node_equation_number(translator, node)})</span>')
    for part in node.astext().split("\n\n"):
        if part.strip():
            translator.body.append(to_mathml(part.strip(), "block"))
    translator.body.append("</div>\n")
    skip()


def setup(app):
    """Register the renderer under the name "mathml"."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
