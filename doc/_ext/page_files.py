"""The files and commands of a tutorial, for the tests that run it as it is written.

A code block with a caption is a file, which the caption names. A console block has commands, each after "$ ", and what
they print.
"""

import re
import textwrap

_BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n((?:   :\w+:.*\n)*)\n((?:(?: {3}.*)?\n)+)", re.MULTILINE)
_CAPTION = re.compile(r"^   :caption: (\S+)$", re.MULTILINE)


def _blocks(text):
    """Yield language, options, contents and position of the code blocks of a page."""
    for found in _BLOCK.finditer(text):
        language, options, body = found.groups()
        yield language, options, textwrap.dedent(body).strip("\n") + "\n", found.start()


def page_blocks(text, language):
    """Return the code blocks of a language that are no files."""
    return [body for kind, options, body, _ in _blocks(text) if kind == language and ":caption:" not in options]


def page_files(text):
    """Return the files of a page: their contents by their names."""
    captions = ((_CAPTION.search(options), body) for _, options, body, _ in _blocks(text))
    return {found[1]: body for found, body in captions if found}


def page_commands(text):
    """Return what a page shows of a terminal: the command, what it prints, and where it is in the text."""
    commands = []
    for language, _, body, start in _blocks(text):
        if language == "console":
            for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                commands.append((command, output, start))
    return commands
