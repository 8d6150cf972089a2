"""Warren: the library all its services stand on."""

__version__ = "0.1.0"
