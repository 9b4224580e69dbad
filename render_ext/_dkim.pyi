from collections.abc import Iterable
from typing import final

from render_ext.dkim import DkimKey, DkimSelector

def relaxed_body(body: bytes) -> bytes: ...

@final
class DkimSigner:
    def __new__(cls, selectors: Iterable[DkimSelector], keys: Iterable[DkimKey]) -> DkimSigner: ...
    def sign(self, message: bytes) -> bytes: ...
