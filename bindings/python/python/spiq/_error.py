"""The exception of the package."""


class Error(ValueError):
    """Bad input, with where it is, as far as that is known.

    Attributes:
        file: The file, or what messages call the argument: ``"state_dict"``, ``"images"``, ``"search"``.
        field: The field, tensor, index or argument in it.
        layer: The layer of the network.
    """

    def __init__(self, message, file=None, field=None, layer=None):
        super().__init__(message)
        self.file = file
        self.field = field
        self.layer = layer

    def __reduce__(self):
        return type(self), (str(self), self.file, self.field, self.layer)
