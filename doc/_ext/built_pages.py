"""Check of the built pages: nothing is loaded from elsewhere, and no link within them is dead.

`sphinx-build -W` fails if a page does not pass. By itself: ``python doc/_ext/built_pages.py doc/_build/html``.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser loads when it shows a page, by element. A link that is followed by a click is not among them.
LOADED = {
    **dict.fromkeys(("script", "img", "iframe", "embed", "source", "track", "audio", "input"), ("src", "srcset")),
    **{"video": ("src", "poster"), "object": ("data",), "image": ("href", "xlink:href"), "use": ("href", "xlink:href")},
}
LINK_KINDS = {"stylesheet", "icon", "shortcut icon", "preload", "modulepreload", "manifest", "apple-touch-icon"}
STYLE_ADDRESS = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])([^"')\s]+)""")


class Page(HTMLParser):
    """The addresses, anchors and links of a page.

    Parameters
    ----------
    text : str
        The HTML of the page.
    """

    def __init__(self, text):
        super().__init__()
        self.loaded, self.links, self.anchors, self._in_style = [], [], set(), False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Note what an element loads, links to and is called."""
        values = {name: value or "" for name, value in attrs}
        self._in_style = tag == "style"
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        for name in LOADED.get(tag, ()):
            addresses = values.get(name, "").split(",") if name == "srcset" else [values.get(name, "")]
            self.loaded += [address.split()[0] for address in addresses if address.strip()]
        if tag == "link" and values.get("rel", "").lower() in LINK_KINDS:
            self.loaded.append(values.get("href", ""))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        self.loaded += STYLE_ADDRESS.findall(values.get("style", ""))

    def handle_data(self, data):
        """Note what a style sheet within the page loads."""
        if self._in_style:
            self.loaded += STYLE_ADDRESS.findall(data)


def is_elsewhere(address):
    """Return whether an address is on another server; data within the page are not."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def check(folder):
    """Return what is wrong with the pages of a folder, a line for each fault.

    Parameters
    ----------
    folder : path-like
        Output of sphinx.

    Returns
    -------
    faults : list of str
        Addresses on other servers that pages and style sheets load; links to files or anchors that do not exist.
    """
    folder = Path(folder).resolve()
    files = sorted(path for path in folder.rglob("*.html") if "_static" not in path.parts)  # a theme's macros are there
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in files}
    faults = []
    for path, page in pages.items():
        name = path.relative_to(folder)
        faults += [f"{name} loads {address}" for address in page.loaded if is_elsewhere(address)]
        inner = [address for address in page.links + page.loaded if not urlsplit(address).scheme]
        for address in dict.fromkeys(inner):
            if is_elsewhere(address):
                continue
            parts = urlsplit(address)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            anchors = pages[target].anchors if target in pages else None
            if not target.exists():
                faults.append(f"{name} links to {address}, which does not exist")
            elif parts.fragment and anchors is not None and unquote(parts.fragment) not in anchors:
                faults.append(f"{name} links to {address}, which has no such anchor")
    for path in sorted(folder.rglob("*.css")):
        addresses = STYLE_ADDRESS.findall(path.read_text(encoding="utf-8"))
        faults += [f"{path.relative_to(folder)} loads {address}" for address in addresses if is_elsewhere(address)]
    return faults


def report(app, error):
    """Warn of each fault once all pages are written."""
    if error is None and app.builder.name in ("html", "dirhtml"):
        from sphinx.util import logging

        for fault in check(app.outdir):
            logging.getLogger(__name__).warning(fault, type="built_pages")


def setup(app):
    """Run the check at the end of each build."""
    app.connect("build-finished", report, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    found = check(sys.argv[1])
    print("\n".join(found) or "all pages load nothing from elsewhere, and no link within them is dead")
    sys.exit(bool(found))
