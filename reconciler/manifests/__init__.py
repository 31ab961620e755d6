"""The reading edge: files, folders and standard input become declared documents, each with its place.

`located` reads text, `files` finds it, `reading` checks it against the models, `folder` does both again at little
cost, `watch` says when. Nothing here raises for what a person wrote: it comes back as problems.
"""
