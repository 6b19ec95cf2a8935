"""Put something that does not fit onto a small disk, and then something that does. Usage: small_disk.py FOLDER"""

import asyncio
import json
import sys
from pathlib import Path

from tests.infra.postgres import sandbox

NOT_ALLOWED = 77


async def chunks(total):
    for _ in range(total // 50_000):
        yield bytes(50_000)


async def story(folder):
    # Not before the disk is mounted: these imports start threads, and only a lone thread may enter a namespace.
    from carrel.infra.blobs import Blobs
    from carrel.infra.db.errors import StorageFull

    blobs, full = Blobs.at(None, folder), None
    try:
        await blobs.put("tenant/document/1", chunks(5_000_000), limit=None)
    except StorageFull as problem:
        full = problem
    left = [str(path) for path in folder.rglob("*") if path.is_file()]
    stored = await blobs.put("tenant/document/1", chunks(100_000), limit=None)
    return {"code": full and full.code, "status": full and full.status, "left": left, "next": stored.size}


def main(folder):
    try:
        sandbox.mount_tmpfs(folder, "2m")
    except OSError:
        sys.exit(NOT_ALLOWED)
    sys.stdout.write(json.dumps(asyncio.run(story(folder))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
