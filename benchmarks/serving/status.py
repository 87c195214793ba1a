"""The grpc-status in a block of trailers, without a whole HPACK decoder.

Of a client that allows no table for headers the server spells name and value out, plainly or in Huffman's code.
"""

# The codes of RFC 7541, appendix B, for what is looked for.
_HUFFMAN = {
    "0": "00000", "1": "00001", "2": "00010", "3": "011001", "4": "011010", "5": "011011", "6": "011100",
    "7": "011101", "8": "011110", "9": "011111", "-": "010110", "a": "00011", "c": "00100", "g": "100110",
    "p": "101011", "r": "101100", "s": "01000", "t": "01001", "u": "101101",
}  # fmt: skip


def _plain(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _huffman(text: str) -> bytes:
    bits = "".join(_HUFFMAN[character] for character in text)
    n_bytes = -(-len(bits) // 8)
    return bytes([0x80 | n_bytes]) + int(bits.ljust(8 * n_bytes, "1"), 2).to_bytes(n_bytes)


_NAMES = _plain("grpc-status"), _huffman("grpc-status")
_CODES = {spelt(str(code)): code for code in range(17) for spelt in (_plain, _huffman)}


def grpc_status(block: bytes) -> int | None:
    """The code of gRPC in the header block `block`; None where it has none."""
    for name in _NAMES:
        _, found, rest = block.partition(name)
        if found:
            return _CODES.get(rest[: 1 + (rest[0] & 0x7F)]) if rest else None
    return None
