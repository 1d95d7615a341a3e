"""PEP 562 for packages: public names resolve on first use, so importing a room does not load what is in it."""

from importlib import import_module


def lazy_exports(package, modules):
    """Build the module-level `__getattr__`, `__dir__` and `__all__` of a package.

    Parameters
    ----------
    package : str
        The package's `__name__`.
    modules : dict of str to list of str
        Module (absolute or, with a leading dot, inside `package`) to the public names that it holds.

    Returns
    -------
    __getattr__, __dir__, __all__ : tuple of (callable, callable, list of str)
        To be assigned at the package's top level.
    """
    home = {name: module for module, names in modules.items() for name in names}
    public = list(home)

    def __getattr__(name):
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home[name], package), name)
        setattr(import_module(package), name, value)
        return value

    def __dir__():
        return sorted({*vars(import_module(package)), *public})

    return __getattr__, __dir__, public
