"""Answer requests for one Odoo's assets from the cache, and fetch what it lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from guestpass.domain.reasons import Reason
from guestpass.gateway.context import ForwardedRequest
from guestpass.gateway.upstreams import origin_of
from guestpass.odoo.assets.bodies import GoneError
from guestpass.odoo.assets.cache import AssetKey, FetchedAsset
from guestpass.odoo.assets.exchange import AssetExchange
from guestpass.odoo.assets.fetching import fetched
from guestpass.odoo.assets.responses import AssetResponse
from guestpass.odoo.destination import OdooDestination
from guestpass.odoo.services import OdooServices

# Who asks for assets, as Odoo's log has it: they are fetched for everybody.
_OUR_ADDRESS: Final = b"127.0.0.1"


class AssetRequests:
    """The assets of one Odoo; `otherwise` sends a request there that the cache can't answer."""

    def __init__(
        self,
        services: OdooServices,
        destination: OdooDestination,
        otherwise: Callable[[ForwardedRequest, bytes], None],
    ) -> None:
        self._services = services
        self._assets = services.assets
        self._destination = destination
        self._origin = origin_of(destination.environment)
        self._otherwise = otherwise

    def answer(self, request: ForwardedRequest, path: bytes) -> None:
        """Answer from the cache: at once where all is in memory, else when it was read, fetched or found missing."""
        key = AssetKey.of(self._destination.environment, path)
        asset = self._assets.peek(key, request.head)
        if asset is not None:
            response = self._assets.answer(asset, request.head)
            if response.body is None or response.body.memory is not None:
                self._send(request, response)
                return
        request.wait()
        self._services.runtime.spawn(self._find(request, key))

    async def _find(self, request: ForwardedRequest, key: AssetKey) -> None:
        response = None
        try:
            asset = await self._assets.get(key, request.head, lambda fields: self._fetch(key.path, fields))
            if asset is not None:
                response = self._assets.answer(asset, request.head)
                if response.body is not None:
                    await response.body.open()
        except GoneError:
            response = None
        except Exception:
            request.give_up(Reason.UNAVAILABLE)
            raise
        if not request.goes_on():
            if response is not None and response.body is not None:
                response.body.close()
        elif response is None:
            self._otherwise(request, key.path)
        else:
            self._send(request, response)

    def _send(self, request: ForwardedRequest, response: AssetResponse) -> None:
        client, runtime = request.client, self._services.runtime
        client.start(AssetExchange(client, runtime, request.head, response, request.response, request), request)

    def _fetch(self, path: bytes, fields: Sequence[tuple[bytes, bytes]]) -> AbstractAsyncContextManager[FetchedAsset]:
        destination = self._destination
        return fetched(
            self._services.connector,
            self._origin,
            destination.name,
            path,
            fields,
            address=_OUR_ADDRESS,
            turns=destination.queue,
        )
