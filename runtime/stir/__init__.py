"""STIR: whether a caller's carrier vouches for its number by a signature (RFC 8224, RFC 8225, RFC 8588). A core."""
