"""A server and what observes it, as one thing."""

from server.observing.observation import Observation
from server.observing.options import Observed
from server.service import Server, ServerConfig
from server.watcher import Tried, unobserved


class ObservedServer(Server):
    """A server that is observed from its start until it has stopped.

    `tried` is told of every attempt to serve another version.
    """

    def __init__(self, config: ServerConfig, observed: Observed, tried: Tried = unobserved) -> None:
        self._observation = Observation(observed, config.limits, tried)
        try:
            super().__init__(config, self._observation.observers)
        except BaseException:
            self._observation.close()
            raise
        self._observation.watch(self)

    def stop(self, grace_s: float) -> None:
        """As a server's; and then nothing tells of it any more."""
        super().stop(grace_s)
        self._observation.close()
