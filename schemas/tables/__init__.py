"""What calls are answered from: rows, their indexes, the one definition of matching, clashes, and the codec."""
