"""Two organisations on one server: each with its own documents, its own quota, and an end that leaves nothing.

    python examples/multi_tenant.py http://127.0.0.1:8080 "$(cat data/admin.key)"

The key must be that of an operator, such as the one that comes with the server. Needs httpx only. It erases again what
it makes.
"""

import secrets
import sys
import time
from typing import Any

import httpx

QUESTION = "When does the lease end?"


def main(url: str, operators_key: str) -> None:
    with httpx.Client(base_url=url, headers={"X-API-Key": operators_key}, timeout=60) as operator:
        acme, birch = make(operator, "Acme"), make(operator, "Birch")
        try:
            with member(url, acme) as in_acme, member(url, birch) as in_birch:
                add(in_acme, "The lease of Acme ends in May.")
                add(in_birch, "The lease of Birch ends in October.")
                search(in_acme, "Acme", QUESTION)
                search(in_birch, "Birch", QUESTION)
                run_into_quotas(in_acme)
                show_usage(in_acme, "Acme")
        finally:
            for made in (acme, birch):
                erase(operator, made["organization"])


def make(operator: httpx.Client, name: str) -> dict[str, Any]:
    """An organisation that may hold two documents and ask three questions a day, with a key to work in it."""
    about = {
        "name": name,
        "slug": f"{name.lower()}-{secrets.token_hex(4)}",
        "tier": "free",
        "max_documents": 2,
        "max_searches_per_day": 3,
        "with_key": True,
    }
    made = checked(operator.post("/api/admin/organizations", json=about))
    print(f"{name} is there, as {made['organization']['slug']}.")
    return made


def member(url: str, made: dict[str, Any]) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"X-API-Key": made["key"]}, timeout=60)


def add(client: httpx.Client, text: str) -> None:
    document = checked(client.post("/api/documents", json={"content": text}, params={"wait": 50}))
    print(f"Added: {text} It is {document['status']}.")


def search(client: httpx.Client, name: str, question: str) -> None:
    found = checked(client.post("/api/search", json={"query": question}))["results"]
    print(f"{name} asks: {question} -> {' | '.join(hit['text'] for hit in found)}")


def run_into_quotas(client: httpx.Client) -> None:
    """Add and ask until the server says no."""
    for number in range(2, 9):
        answer = client.post("/api/documents", json={"content": f"Document {number}."})
        if answer.status_code == 403:
            tell(answer)
            break
    for _ in range(9):
        answer = client.post("/api/search", json={"query": QUESTION})
        if answer.status_code == 403:
            tell(answer)
            break


def tell(refused: httpx.Response) -> None:
    problem = refused.json()
    print(f"Refused: {problem['title']}. {problem['detail']}")


def show_usage(client: httpx.Client, name: str) -> None:
    usage = checked(client.get("/api/organization/usage"))
    limits = usage["limits"]
    print(
        f"{name} uses {usage['documents']} of {limits['documents']} documents, {usage['storage_mb']} MB, "
        f"{usage['searches_today']} of {limits['searches_per_day']} searches."
    )


def erase(operator: httpx.Client, organization: dict[str, Any]) -> None:
    """Ask for the erasure and wait for its report."""
    path = f"/api/admin/organizations/{organization['id']}"
    report = checked(operator.delete(path, params={"confirm": organization["slug"]}))
    while report["state"] in {"waiting", "erasing"}:
        time.sleep(0.5)
        report = checked(operator.get(f"{path}/erasure"))
    rows = sum(report["before"]["rows"].values()) if report["before"] else 0
    left = "nothing is left" if report["nothing_left"] else f"something is left: {report['error']}"
    print(f"{organization['name']} is {report['state']}: it had {rows} rows, {left}.")


def checked(answer: httpx.Response) -> dict[str, Any]:
    """The body of an answer; of a refusal, its reason as an error."""
    if answer.is_error:
        raise SystemExit(f"{answer.request.method} {answer.request.url} was refused: {answer.text}")
    body: dict[str, Any] = answer.json()
    return body


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
