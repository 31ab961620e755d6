"""EDGE. The store for many machines: live tables in one Redis server, which several bridges read.

`store` is the facade and `address` the URL. Inside: `wire` (the connection, with time-outs), `errors` (what goes wrong,
in words), `layout` (which keys there are, and what is in them), `scripts` (the two that run within Redis), `reading`,
`publishing`, `staging` (large publishes) and `past`.

The head is one value, and every publish is a script that replaces it and all that belongs to it, if it still is the
value that was read before: compare-and-swap on epoch, revision and digest at once. What a publish changes is a hash
field each, and an entry of a stream that readers wait on. All keys have one prefix in braces, so that a cluster keeps
them on one node.
"""

from __future__ import annotations
