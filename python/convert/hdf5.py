"""HDF5 files as dictionaries, nothing of which is trusted. Needs h5py."""

import h5py
import numpy as np

from refusal import Refused

# Values of a file: 2 GiB of doubles.
MAX_VALUES = 1 << 28
# Rows and columns of windows and what lies around a map, as in spiq.
MAX_EXTENT = 1 << 12


def read(path):
    """Groups become dictionaries, datasets arrays or strings."""
    try:
        with h5py.File(path, "r") as file:
            return Reader(path).group(file)
    # What a damaged file makes h5py and NumPy say is of any of these.
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise Refused(path, f"no HDF5 file that can be read: {error}") from error


class Reader:
    """Reads groups and datasets, each once and no more values than a file may have."""

    def __init__(self, path):
        self.path, self.seen, self.left = path, set(), MAX_VALUES

    def group(self, entries):
        """The entries of a group."""
        address = h5py.h5o.get_info(entries.id).addr
        if address in self.seen:
            raise Refused(self.path, entries.name, "a group that stands in two places")
        self.seen.add(address)
        content = {}
        for name in entries:
            # A link to another file is not followed.
            if not isinstance(entries.get(name, getlink=True), h5py.HardLink):
                raise Refused(self.path, f"{entries.name}/{name}", "a link, which is not followed")
            item = entries[name]
            content[name] = self.group(item) if isinstance(item, h5py.Group) else self.dataset(item)
        return content

    def dataset(self, item):
        """An array, a number or a text."""
        if not isinstance(item, h5py.Dataset) or item.size is None or item.size > self.left:
            raise Refused(self.path, item.name, f"no dataset, or more than {MAX_VALUES} values in the file")
        self.left -= item.size
        value = item[()]
        if isinstance(value, np.ndarray) and value.dtype.kind in "OS" and value.size == 1:
            value = value.reshape(-1)[0]
        return value.decode("utf-8") if isinstance(value, bytes) else value


class Fields:
    """The fields of a node (or of a layer) with its place in the file, for messages."""

    def __init__(self, path, name, fields):
        self.path, self.name, self.fields = path, name, fields

    def refuse(self, field, message):
        raise Refused(self.path, self.name, field, message)

    def __contains__(self, field):
        return field in self.fields

    def get(self, field):
        if field not in self.fields:
            self.refuse(field, "is missing")
        return self.fields[field]

    def text(self, field):
        value = self.get(field)
        if not isinstance(value, str):
            self.refuse(field, "is no text")
        return value

    def child(self, field):
        value = self.get(field)
        if not isinstance(value, dict):
            self.refuse(field, "is no group")
        return Fields(self.path, f"{self.name}/{field}" if self.name else field, value)

    def numbers(self, field):
        """A finite array of doubles."""
        value = np.asarray(self.get(field))
        if value.dtype.kind not in "biuf" or value.size == 0:
            self.refuse(field, "holds no numbers")
        if not np.isfinite(value).all():
            self.refuse(field, "a value is not finite")
        return value.astype(np.float64)

    def wholes(self, field, smallest=0):
        """Whole numbers of at least `smallest` in an array of one dimension."""
        value = self.numbers(field).reshape(-1)
        if (value != np.floor(value)).any() or (value < smallest).any() or (value > 1 << 40).any():
            self.refuse(field, f"{value.tolist()} are no whole numbers of at least {smallest}")
        return [int(x) for x in value]

    def pair(self, field, smallest=0):
        """Rows and columns, given as one number or two."""
        value = self.wholes(field, smallest)
        if len(value) not in (1, 2) or max(value) > MAX_EXTENT:
            self.refuse(field, f"{value} is neither one number nor two, of at most {MAX_EXTENT}")
        return (value[0], value[-1])
