"""Logs on stderr: readable on a terminal, else one JSON object per event. Never queries, document text or keys."""

import contextlib
import logging
import os
import sys
from typing import Any, TextIO, cast

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer

LEVELS = {"trace": 10, "debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "critical": 50, "off": 50}

# Local variables are left out of traces: they hold queries, documents and keys.
TRACE = ExceptionRenderer(ExceptionDictTransformer(show_locals=False))


class _Stderr:
    """What cannot be written is lost, and the work goes on: a full disk or a closed pipe must not fail a request."""

    def write(self, text: str) -> int:
        # Not through a buffer, which would keep what it could not write and fail again with every later line.
        with contextlib.suppress(OSError):
            os.write(sys.stderr.fileno(), text.encode("utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        return None


def configure(level: str, *, process: str) -> None:
    """Set up logging for this process; `level` is one of LEVELS, anything else counts as info."""
    threshold = LEVELS.get(level.strip().lower(), 20)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _of(process),
    ]
    if sys.stderr.isatty():
        end: list[Any] = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    else:
        end = [TRACE, structlog.processors.JSONRenderer(default=str)]
    structlog.configure(
        processors=[*shared, *end],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Stderr())),
        cache_logger_on_first_use=True,
    )
    _join_standard_logging(threshold, shared, end)


def _of(process: str) -> Any:
    def add(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        event["process"] = process
        return event

    return add


def _join_standard_logging(threshold: int, shared: list[Any], end: list[Any]) -> None:
    """Libraries that use the standard logger speak in the same form."""
    handler = logging.StreamHandler(cast("TextIO", _Stderr()))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *end],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries tell every step at info; what matters of it is told by our own events.
    root.setLevel(max(threshold, logging.WARNING))
