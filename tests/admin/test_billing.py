"""The export of everybody's usage in a month."""

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import date

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.admin import billing
from carrel.admin.billing import as_csv, as_json, days_of, plain
from carrel.admin.schemas import Bill
from carrel.core.ids import TenantId, uuid7
from tests.admin.conftest import Operator
from tests.house import Organisation, problem

pytestmark = pytest.mark.anyio

EXPORT = "/api/admin/usage/export"


def used(organisation: Organisation, *days: tuple[str, int, int, int]) -> None:
    """Days with their documents, bytes and searches, as they would have been closed."""
    with psycopg.connect(organisation.home.dsn, autocommit=True) as connection:
        for day in days:
            connection.execute(
                "INSERT INTO tenant_usage_history (tenant_id, day, documents, storage_bytes, searches) "
                "VALUES (%s, %s, %s, %s, %s)",
                [organisation.tenant, *day],
            )


async def bill_of(operator: Operator, organisation: Organisation, period: str) -> dict[str, str] | None:
    answer = await operator.call("GET", EXPORT, params={"period": period})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    return next((line for line in lines if line["organization_id"] == str(organisation.tenant)), None)


class TestABill:
    async def test_adds_searches_and_tells_peak_and_average_of_the_rest(self, operator, acme):
        used(acme, ("2026-01-31", 9, 900, 9), ("2026-02-01", 1, 100, 10), ("2026-02-02", 4, 200, 0))
        used(acme, ("2026-02-03", 2, 600, 5), ("2026-03-01", 9, 900, 9))

        bill = await bill_of(operator, acme, "2026-02")

        assert bill is not None
        assert bill["name"] == "Acme"
        assert bill["tier"] == "standard"
        assert (bill["days"], bill["searches"]) == ("3", "15")
        assert (bill["documents_peak"], bill["documents_average"]) == ("4", "2.333")
        assert (bill["storage_bytes_peak"], bill["storage_bytes_average"]) == ("600", "300.0")

    async def test_of_the_present_month_counts_the_days_so_far(self, operator, acme):
        await acme.add("Eight by")
        day = (await acme.get("/api/organization/usage"))["day"]

        bill = await bill_of(operator, acme, day[:7])

        assert bill is not None
        assert (bill["days"], bill["documents_peak"], bill["storage_bytes_peak"]) == ("1", "1", "8")

    async def test_of_a_month_before_the_organisation_is_not_written(self, operator, acme):
        assert await bill_of(operator, acme, "2020-02") is None

    async def test_is_in_the_export_however_many_there_are(self, operator, home, monkeypatch):
        monkeypatch.setattr(billing, "PAGE", 3)
        made = [await home.organisation(f"Number {number}") for number in range(8)]
        for organisation in made:
            used(organisation, ("2026-04-01", 1, 1, 1))

        answer = (await operator.call("GET", EXPORT, params={"period": "2026-04", "format": "json"})).json()

        assert answer["period"] == "2026-04"
        ids = [bill["organization_id"] for bill in answer["data"]]
        assert ids == sorted(str(organisation.tenant) for organisation in made)


class TestTheExport:
    async def test_never_begins_a_formula(self, operator, home):
        acme = await home.organisation('=HYPERLINK("http://evil.test";"x")')
        used(acme, ("2026-05-01", 1, 1, 1))

        bill = await bill_of(operator, acme, "2026-05")

        assert bill is not None
        assert bill["name"] == '\'=HYPERLINK("http://evil.test";"x")'

    @pytest.mark.parametrize("period", ["2026-13", "2026-00", "2026", "26-01", "2026-1", "1999-01", "2026-01-01", "x"])
    async def test_refuses_what_is_no_month(self, operator, period):
        answer = await operator.call("GET", EXPORT, params={"period": period})

        assert problem(answer, 422)["code"] == "invalid-request"

    async def test_refuses_another_form(self, operator):
        answer = await operator.call("GET", EXPORT, params={"period": "2026-01", "format": "xls"})

        assert problem(answer, 422)["code"] == "invalid-request"

    async def test_of_a_month_without_anybody_is_empty_and_well_formed(self, operator):
        answers = [
            await operator.call("GET", EXPORT, params={"period": "2001-01", "format": form}) for form in ("csv", "json")
        ]

        assert len(answers[0].text.splitlines()) == 1
        assert answers[1].json() == {"period": "2001-01", "data": []}


@given(st.text(max_size=30))
def test_no_text_is_run_by_a_spreadsheet_and_none_is_changed_otherwise(text):
    shown = plain(text)

    assert shown in {text, f"'{text}"}
    assert not shown.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=5))
async def test_both_forms_say_the_same(names):
    async def bills() -> AsyncIterator[Bill]:
        for name in names:
            yield Bill(TenantId(uuid7()), "slug", name, "free", 1, 2, 3, 4.5, 6, 7.5)

    table = "".join([line async for line in as_csv(bills())])
    tree = json.loads("".join([part async for part in as_json(bills(), "2026-01")]))

    assert [row["name"] for row in csv.DictReader(io.StringIO(table, newline=""))] == [plain(name) for name in names]
    assert [bill["name"] for bill in tree["data"]] == names


@given(st.dates(min_value=date(2000, 1, 1), max_value=date(2999, 12, 31)))
def test_every_day_is_in_its_month(day):
    first, last = days_of(f"{day:%Y-%m}")

    assert first <= day <= last
    assert (first.day, first.month, last.month) == (1, day.month, day.month)
