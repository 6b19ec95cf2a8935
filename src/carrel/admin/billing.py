"""What organisations used in a month, as a table or as JSON, for whoever writes the bills."""

import calendar
import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import date

from pydantic import TypeAdapter

from carrel.admin.repository_billing import Bills
from carrel.admin.schemas import Bill
from carrel.core.ids import TenantId
from carrel.infra.db import Database, Role

PAGE = 500
BILL = TypeAdapter(Bill)
# What makes a spreadsheet take a text for a formula, in both widths of the signs.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(frozen=True, slots=True)
class Billing:
    """Reads page by page, each in a short transaction of an operator: a month of many organisations is never held."""

    database: Database

    async def bills(self, period: str) -> AsyncIterator[Bill]:
        """Every organisation that existed in the month `period` (as in 2026-11), by id.

        The first page is read at once, so that what is wrong is known before an answer begins.
        """
        first, last = days_of(period)
        return self._from(await self._page(first, last, None), first, last)

    async def _from(self, page: Sequence[Bill], first: date, last: date) -> AsyncIterator[Bill]:
        while page:
            for bill in page:
                if bill.days:
                    yield bill
            page = await self._page(first, last, page[-1].organization_id) if len(page) == PAGE else ()

    async def _page(self, first: date, last: date, after: TenantId | None) -> Sequence[Bill]:
        async with self.database.transaction(Role.OPERATOR) as db:
            return await Bills(db, first, last).page(after, PAGE)


def days_of(period: str) -> tuple[date, date]:
    """The first and the last day of a month."""
    year, month = int(period[:4]), int(period[5:])
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


async def as_csv(bills: AsyncIterator[Bill]) -> AsyncIterator[str]:
    """A line for the names of the columns, and one for each organisation (RFC 4180)."""
    yield _line([field.name for field in fields(Bill)])
    async for bill in bills:
        yield _line(astuple(bill))


async def as_json(bills: AsyncIterator[Bill], period: str) -> AsyncIterator[str]:
    """One object with all bills under `data`."""
    yield f'{{"period":{json.dumps(period)},"data":['
    between = ""
    async for bill in bills:
        yield between + BILL.dump_json(bill).decode()
        between = ","
    yield "]}"


def _line(values: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([plain(value) if isinstance(value, str) else value for value in values])
    return line.getvalue()


def plain(text: str) -> str:
    """A text that no spreadsheet runs: what could begin a formula gets an apostrophe before it."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text
