"""From a password to a user key with scrypt, within bounds that a hostile key file cannot exceed."""

from __future__ import annotations

import hashlib

from holdfast.errors import KeyParametersRefused, WeakKeyParameters
from holdfast.model.key import KdfParameters, MasterKey

DEFAULT = KdfParameters(n=32768, r=8, p=1)
"""What new keys use: 32 MiB and about a tenth of a second."""

MINIMUM = KdfParameters(n=16384, r=8, p=1)
"""The least a new key may use."""

SALT_BYTES = 64

_N_MAX = 1 << 20
_R_MAX = 32
_P_MAX = 16
_MEMORY_MAX = 1 << 30
_SLACK_BYTES = 1 << 20


def check_bounds(parameters: KdfParameters, key: object = "new") -> None:
    """Refuses parameters that are no scrypt parameters or cost too much, before any work is done.

    Raises:
        KeyParametersRefused: such parameters.
    """
    n, r, p = parameters.n, parameters.r, parameters.p
    sane = 2 <= n <= _N_MAX and n & (n - 1) == 0 and 1 <= r <= _R_MAX and 1 <= p <= _P_MAX
    if not sane or parameters.memory_bytes > _MEMORY_MAX:
        raise KeyParametersRefused(key=key, parameters=_render(parameters))


def check_new(parameters: KdfParameters, *, allow_weak: bool = False) -> None:
    """Refuses parameters too weak for a key that is about to be made.

    Args:
        allow_weak: for tests, where stretching a password is wasted time.

    Raises:
        KeyParametersRefused: out of bounds.
        WeakKeyParameters: below `MINIMUM`.
    """
    check_bounds(parameters)
    if not allow_weak and (parameters.n < MINIMUM.n or parameters.r < MINIMUM.r):
        raise WeakKeyParameters(parameters=_render(parameters))


def derive(password: bytes, salt: bytes, parameters: KdfParameters, *, key: object = "new") -> MasterKey:
    """Stretches a password into a user key, which unwraps the master key.

    Args:
        password: its raw bytes, without any normalisation.
        salt: 64 bytes.
        key: the name of the key file, for the error.

    Raises:
        KeyParametersRefused: the parameters are out of bounds.
    """
    check_bounds(parameters, key)
    maxmem = parameters.memory_bytes + 256 * parameters.r * parameters.p + _SLACK_BYTES
    try:
        material = hashlib.scrypt(
            password, salt=salt, n=parameters.n, r=parameters.r, p=parameters.p, maxmem=maxmem, dklen=64
        )
    except (ValueError, MemoryError) as error:
        raise KeyParametersRefused(key=key, parameters=_render(parameters)) from error
    return MasterKey(encrypt=material[:32], mac_k=material[32:48], mac_r=material[48:])


def _render(parameters: KdfParameters) -> str:
    return f"{parameters.n}/{parameters.r}/{parameters.p}"
