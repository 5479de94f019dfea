"""A paid stand-in on 127.0.0.1 with play money, whose every clip is small, made at once, and in a colour of its own."""

from __future__ import annotations

import colorsys
import functools
import io
import threading

from faults import KEY

from vidu_nb.animatic.server.queue import RenderQueue
from vidu_nb.animatic.server.server import PreviewServer
from vidu_nb.client.client import Client

PRICE_USD = 0.5


@functools.cache
def plain_clip(number, *, width=192, height=128):
    """An MP4 of six frames in one colour, another for each number."""
    import av
    import numpy as np

    colour = [
        round(255 * part) for part in colorsys.hsv_to_rgb(0.61 * number % 1, 0.8, 0.4 + 0.6 * (0.37 * number % 1))
    ]
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=24, options={"preset": "ultrafast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(6):
            frame = np.full((height, width, 3), colour, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


class Takes(PreviewServer):
    """Makes a clip for each call that it accepts.

    `prompts` holds what was accepted, in its order; ``before(prompt)`` is called first and may wait, or fail.
    """

    def __init__(self, *, credits=1000.0):
        super().__init__(key=KEY, credits=credits, render=self.make)
        self.state.queue = RenderQueue(at_once=8)  # as a service does, whatever this machine has of cores
        self.prompts, self.looked = [], 0
        self.before = len
        self._lock = threading.Lock()

    def make(self, request, **_):
        """Return the next clip."""
        with self._lock:
            self.prompts.append(request.prompt)
            number = len(self.prompts)
        self.before(request.prompt)
        return plain_clip(number)

    def client(self, **settings):
        """Return a paying client."""
        return Client(KEY, self.base_url, **{"price_usd": PRICE_USD, "timeout": 20, "notify": len} | settings)
