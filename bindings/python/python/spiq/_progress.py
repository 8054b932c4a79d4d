"""A bar of tqdm for each stage of what takes long, where tqdm is installed."""


class Bars:
    """Hears how far a computation is; ``shown`` is True, False, or None for a terminal or notebook alone."""

    def __init__(self, shown):
        self._bar = None
        self._stage = 0
        self._tqdm = None
        if shown is not False:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                return
            self._tqdm = tqdm
            self._disable = None if shown is None else False

    def __call__(self, stage, what, done, images):
        if self._tqdm is None or images == 0:
            return
        if stage != self._stage:
            self.close()
            self._stage = stage
            self._bar = self._tqdm(total=images, unit="image", disable=self._disable, leave=False)
        self._bar.set_description(what, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self):
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
