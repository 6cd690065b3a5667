"""HTTP/1.1 on one asyncio loop: keep-alive, conditional requests, and every fault."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from itertools import count

from scripts.replica.faults import Fault, FaultClock, Faults
from scripts.replica.site import Response, Site, compress
from scripts.replica.truth import HOST

HUGE_CHUNK = b"<p>" + b"Baris panjang yang tidak berhenti. " * 1_900 + b"</p>\n"


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the log: `path` with query, `at` in Unix seconds, `status` 0 where the connection was reset."""

    path: str
    at: float
    user_agent: str
    connection: int
    status: int
    fault: str | None
    headers: dict[str, str]


class Server:
    """Serves a site until it is stopped; call `start` and `stop` from any thread."""

    def __init__(self, site: Site, *, faults: Faults, port: int, rewrite_hosts: bool) -> None:
        self.site = site
        self.rewrite_hosts = rewrite_hosts
        self.requests: list[Request] = []
        self.port = port
        self._numbers = count(1)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._serve, name="site-replica", daemon=True)
        self.set_faults(faults)

    @property
    def base_url(self) -> str:
        """Address of the replica, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def set_faults(self, faults: Faults) -> None:
        """Change what goes wrong; counts of earlier failures are forgotten."""
        self.clock = FaultClock(faults)
        self.site.infinite_index = faults.infinite_index

    def start(self) -> None:
        """Listen, and return when connections are accepted; `OSError` where the port is taken."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Close all connections and the loop."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            server = self._loop.run_until_complete(
                asyncio.start_server(self._talk, "127.0.0.1", self.port, backlog=512)
            )
        except OSError as error:
            self._error = error
            self._ready.set()
            self._loop.close()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = next(self._numbers)
        try:
            while await self._answer(reader, writer, connection):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> bool:
        """Read one request and answer it; `False` when the connection is at its end."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        if first.count(" ") != 2:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return False
        method, target, _ = first.split(" ")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name
        }
        if n_bytes := int(headers.get("content-length", 0)):
            await reader.readexactly(n_bytes)
        fault = self.clock.pick(target)
        faults = self.clock.faults
        if "_putar=" in target:
            fault = Fault.REDIRECT_LOOP
        if fault is Fault.LATENCY:
            await asyncio.sleep(faults.latency_s)
        response = self._make_response(target, headers, method, fault)
        status = 0 if fault is Fault.RESET else response.status
        agent = headers.get("user-agent", "")
        self.requests.append(Request(target, time.time(), agent, connection, status, fault and str(fault), headers))
        body = response.body
        extra = {"Date": formatdate(usegmt=True), "Server": "nginx"}
        if response.status != 304:
            extra["Content-Length"] = str(len(body))
        if fault is Fault.HUGE:
            extra["Content-Length"] = str(faults.huge_bytes)
        if fault in (Fault.RESET, Fault.TRUNCATED, Fault.HUGE) or headers.get("connection", "").lower() == "close":
            extra["Connection"] = "close"
        fields = "".join(f"{name}: {value}\r\n" for name, value in {**response.headers, **extra}.items())
        writer.write(
            f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\n{fields}\r\n".encode("latin-1")
        )
        if method == "HEAD" or response.status == 304:
            body = b""
        if fault is Fault.RESET:
            writer.write(body[: len(body) // 2])
            _reset(writer)
            return False
        if fault is Fault.TRUNCATED:
            writer.write(body[: len(body) // 2])
            await writer.drain()
            return False
        if fault is Fault.SLOW:
            step = max(1, faults.slow_bytes_per_s // 10)
            for at in range(0, len(body), step):
                writer.write(body[at : at + step])
                await writer.drain()
                await asyncio.sleep(0.1)
        elif fault is Fault.HUGE:
            await _pour(writer, body, faults.huge_bytes)
        else:
            writer.write(body)
        await writer.drain()
        return "Connection" not in extra

    def _make_response(self, target: str, headers: dict[str, str], method: str, fault: Fault | None) -> Response:
        faults = self.clock.faults
        if fault is Fault.TOO_MANY:
            return Response(
                429, b"Too Many Requests", {"Retry-After": str(faults.retry_after_s), "Content-Type": "text/plain"}
            )
        if fault is Fault.UNAVAILABLE:
            return Response(503, b"<html><body><h1>503</h1></body></html>", {"Content-Type": "text/html"})
        if fault is Fault.REDIRECT_LOOP:
            base, _, turn = target.partition("_putar=")
            join = "" if turn else "&" if "?" in base else "?"
            return Response(302, b"", {"Location": f"{self.base_url}{base}{join}_putar={int(turn or 0) + 1}"})
        if fault is Fault.FIRST_PAGE:
            target = target.replace("page=all", "page=1")
        if fault in (Fault.HUGE, Fault.RESET, Fault.TRUNCATED):
            headers = {name: value for name, value in headers.items() if not name.startswith("if-")}
        if fault is Fault.HUGE or self.rewrite_hosts:
            accepted = headers.get("accept-encoding", "")
            plain = self.site.respond(target, {**headers, "accept-encoding": ""}, method=method)
            if fault is Fault.HUGE:
                return plain
            own = self.base_url
            body = plain.body.replace(HOST.encode(), own.encode())
            body = body.replace(HOST.replace("/", "\\/").encode(), own.replace("/", "\\/").encode())
            response = compress(Response(plain.status, body, plain.headers), accepted)
        else:
            response = self.site.respond(target, headers, method=method)
        if fault is Fault.WRONG_CHARSET and "html" in response.headers.get("Content-Type", ""):
            return Response(
                response.status, response.body, {**response.headers, "Content-Type": "text/html; charset=ISO-8859-1"}
            )
        return response


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, as a crashed server or a firewall does."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _pour(writer: asyncio.StreamWriter, body: bytes, n_bytes: int) -> None:
    """Write the page, then filler up to `n_bytes`."""
    writer.write(body[:n_bytes])
    left = n_bytes - len(body)
    while left > 0:
        writer.write(HUGE_CHUNK[:left])
        left -= len(HUGE_CHUNK)
        await writer.drain()
