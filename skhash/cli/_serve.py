"""`skhash serve`: a page in the browser that searches pictures."""

from __future__ import annotations

import argparse
import errno
import os
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from skhash.cli._options import positive

if TYPE_CHECKING:
    from skhash.cli._picture_index import PictureIndex
    from skhash.demo import Gallery


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command to a parser.

    Parameters
    ----------
    commands : object
        What `ArgumentParser.add_subparsers` returned.
    common : ArgumentParser
        Arguments of all commands.
    """
    parser = commands.add_parser(
        "serve",
        parents=[common],
        help="search pictures on a page in the browser",
        description="Serve a page that searches pictures, on this machine, until Ctrl-C. Nothing leaves the machine, "
        "and no file is changed.",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        nargs="?",
        default="digits",
        help="a folder of pictures, a folder that `skhash index` made, or one of the data sets digits, fashion-mnist "
        "and cifar10 (default: digits)",
    )
    parser.add_argument("--method", help="the method that the page begins with, such as dhash or copynet")
    parser.add_argument("--bits", type=positive, help="the code length that it begins with")
    parser.add_argument("--model", metavar="FILE", help="a hasher of images that `skhash.save` wrote, as a method")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8077, help="port; 0 is any that is free (default: 8077)")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name of this machine, under which the page may be opened, too",
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command.

    Parameters
    ----------
    options : Namespace
        The arguments.
    """
    from skhash.demo import serve
    from skhash.utils import import_optional

    # All that can fail at once, before the pictures are read, which may take minutes.
    import_optional("tornado.web", extra="demo", purpose="skhash serve")
    import_optional("PIL.Image", extra="demo", purpose="skhash serve")
    if not 0 <= options.port < 2**16:
        raise ValueError(f"--port must be from 0 to 65535, got {options.port}.")
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        socket.create_server((options.host, options.port), family=family).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise ValueError(f"port {options.port} is taken; choose another with --port, 0 for any free one.") from error
    gallery = make_gallery(options)
    codes = gallery.prepare(progress=options.progress)
    n_skipped = len(gallery.pictures) - len(codes.rows)
    if n_skipped:
        print(f"skhash: {n_skipped} of {len(gallery.pictures)} files cannot be read", file=sys.stderr)

    def ready(address: str) -> None:
        print(f"{len(codes.rows):,} pictures at {address} (Ctrl-C stops)", flush=True)
        if options.open:
            import webbrowser

            webbrowser.open(address)

    serve(gallery, host=options.host, port=options.port, hosts=options.allow_host, ready=ready)


def make_gallery(options: argparse.Namespace) -> Gallery:
    """Make the gallery that the arguments name.

    Parameters
    ----------
    options : Namespace
        The arguments.

    Returns
    -------
    gallery : Gallery
        The gallery.

    Raises
    ------
    ValueError
        If the source is none.
    """
    from skhash.demo import DATA_SETS, Gallery, Pictures, load_data_set

    source, model = options.source, None
    if options.model is not None:
        from skhash.io import load

        model = load(options.model)
    chosen = {"method": options.method, "bits": options.bits, "model": model, "n_jobs": options.jobs}
    if (index := _open_index(source)) is not None:
        encoded, _ = index.encoded()
        if not encoded.pictures:
            raise ValueError(f"{source!r} is an index without pictures.")
        pictures = Pictures.from_files([str(picture.name) for picture in encoded.pictures], index.root)
        own = model is None and options.method in (None, index.hasher.kind)
        own = own and options.bits in (None, index.hasher.bits)
        if not own:
            return Gallery(pictures, **chosen)
        gallery = Gallery(pictures, **chosen | {"method": index.hasher.kind, "bits": index.hasher.bits})
        gallery.use(encoded)
        return gallery
    if os.path.isdir(source):
        return Gallery(Pictures.from_folder(source), **chosen)
    if source in DATA_SETS:
        return Gallery(load_data_set(source), **chosen)
    raise ValueError(f"{source!r} is neither a folder nor one of the data sets {', '.join(DATA_SETS)}.")


def _open_index(source: str) -> PictureIndex | None:
    """Open a folder that `skhash index` made; None for others, among them pictures beside a file of the same name."""
    from skhash.cli._picture_index import PictureIndex
    from skhash.perceptual import list_pictures

    if not os.path.exists(os.path.join(source, "settings.json")):
        return None
    try:
        return PictureIndex.open(source)
    except ValueError:
        with suppress(ValueError):  # raised if there are none
            list_pictures(source)
            return None
        raise
