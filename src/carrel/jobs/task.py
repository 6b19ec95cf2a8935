"""Tasks: functions that are run later, and the table of those a process knows."""

import inspect
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta
from string import Formatter
from typing import Any, get_type_hints

from pydantic import TypeAdapter

from carrel.core.ids import JobId, TenantId
from carrel.infra.db import Transaction
from carrel.jobs.schemas import Ending, State

TaskFunction = Callable[..., Coroutine[Any, Any, None]]
RESERVED = frozenset({"priority", "run_at", "unique"})


@dataclass(frozen=True, slots=True)
class Ended:
    """The job that a hook is told about: it failed for good, or was cancelled."""

    id: JobId
    tenant: TenantId
    state: State


FailureHook = Callable[..., Awaitable[None]]
"""`async def note(ended: Ended, db: Transaction, code: str, detail: str, ...)`, then arguments of the task by name."""


class Task:
    """One kind of work. Its arguments are kept as JSON and come back as their annotations say."""

    def __init__(self, name: str, function: TaskFunction, *, queue: str, lock: str | None, timeout: timedelta) -> None:
        self.name, self.queue, self.timeout, self.function = name, queue, timeout, function
        self._lock = lock
        self._hook: FailureHook | None = None
        self._hook_names: frozenset[str] = frozenset()
        self._adapters, self._required = _arguments(function)
        _check(self)

    @property
    def parameters(self) -> frozenset[str]:
        return frozenset(self._adapters)

    @property
    def required(self) -> frozenset[str]:
        return self._required

    @property
    def locked_by(self) -> frozenset[str]:
        return frozenset(name for _, name, _, _ in Formatter().parse(self._lock or "") if name)

    def when_failed(self, hook: FailureHook) -> FailureHook:
        """Run `hook` in the transaction in which a job of this task fails for good or is cancelled.

        So what it writes is true exactly when the job has ended. When it raises, the job does not end: it is tried
        again later, and the log says why.
        """
        self._hook = hook
        self._hook_names = frozenset(list(inspect.signature(hook).parameters)[4:])
        if unknown := self._hook_names - self.parameters:
            raise TypeError(f"The hook of the task {self.name} asks for unknown arguments: {sorted(unknown)}.")
        return hook

    def pack(self, arguments: Mapping[str, object]) -> str:
        """The arguments as JSON. Raises `TypeError` or pydantic's `ValidationError` when they do not fit the task."""
        if unknown := arguments.keys() - self.parameters:
            raise TypeError(f"The task {self.name} has no arguments {sorted(unknown)}.")
        if missing := self._required - arguments.keys():
            raise TypeError(f"The task {self.name} lacks the arguments {sorted(missing)}.")
        return json.dumps({name: self._dump(name, value) for name, value in arguments.items()})

    def lock_key(self, arguments: Mapping[str, object]) -> str | None:
        return None if self._lock is None else self._lock.format(**arguments)

    async def run(self, job: object, stored: Mapping[str, Any]) -> None:
        await self.function(job, **self._unpack(stored))

    async def note_end(self, db: Transaction, ended: Ended, ending: Ending, stored: Mapping[str, Any]) -> None:
        if self._hook is None:
            return
        given = {name: value for name, value in self._unpack(stored).items() if name in self._hook_names}
        await self._hook(ended, db, ending.code, ending.detail, **given)

    def _dump(self, name: str, value: object) -> Any:
        adapter = self._adapters[name]
        return adapter.dump_python(adapter.validate_python(value, strict=True), mode="json")

    def _unpack(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._adapters[name].validate_python(value) for name, value in stored.items()}


def task(
    name: str,
    *,
    timeout: timedelta,
    queue: str = "ingestion",
    lock: str | None = None,
    on_failure: FailureHook | None = None,
) -> Callable[[TaskFunction], Task]:
    """Make a task of `async def function(job: Job, ...)`.

    Two jobs of a tenant whose `lock` (such as "document:{document_id}", filled with the arguments) is the same never
    run at once. `name` is stored with the jobs: renaming it orphans those that wait.
    """

    def declare(function: TaskFunction) -> Task:
        declared = Task(name, function, queue=queue, lock=lock, timeout=timeout)
        if on_failure is not None:
            declared.when_failed(on_failure)
        return declared

    return declare


class Registry:
    """The tasks of a process, which of them listens to which event, and how often a job is tried."""

    def __init__(
        self,
        tasks: Iterable[Task],
        listeners: Mapping[type, Sequence[Task]] | None = None,
        *,
        max_attempts: int = 5,
    ) -> None:
        self.max_attempts = max_attempts
        self._tasks: dict[str, Task] = {}
        for declared in tasks:
            if self._tasks.setdefault(declared.name, declared) is not declared:
                raise ValueError(f"Two tasks are called {declared.name}.")
        self._listeners = dict(listeners or {})
        for event, listening in self._listeners.items():
            self._check_listeners(event, listening)

    def find(self, name: str) -> Task | None:
        return self._tasks.get(name)

    def knows(self, declared: Task) -> bool:
        return self._tasks.get(declared.name) is declared

    def listeners(self, event: type) -> Sequence[Task]:
        return self._listeners.get(event, ())

    def _check_listeners(self, event: type, listening: Sequence[Task]) -> None:
        if not is_dataclass(event):
            raise TypeError(f"The event {event.__name__} is no dataclass.")
        told = {field.name for field in fields(event)}
        for listener in listening:
            if not self.knows(listener):
                raise ValueError(f"The task {listener.name} listens to {event.__name__} and is not in the registry.")
            if missing := listener.required - told:
                raise TypeError(f"The task {listener.name} wants {sorted(missing)}, which {event.__name__} lacks.")


def _arguments(function: TaskFunction) -> tuple[dict[str, TypeAdapter[Any]], frozenset[str]]:
    hints = get_type_hints(function)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    required = frozenset(each.name for each in parameters if each.default is inspect.Parameter.empty)
    return {each.name: TypeAdapter(hints[each.name]) for each in parameters}, required


def _check(declared: Task) -> None:
    if taken := declared.parameters & RESERVED:
        raise TypeError(f"The task {declared.name} uses reserved names for its arguments: {sorted(taken)}.")
    # Only required ones: a lock must not depend on whether a default was spelt out.
    if unknown := declared.locked_by - declared.required:
        raise TypeError(f"The lock of the task {declared.name} names {sorted(unknown)}, which are no arguments of it.")
