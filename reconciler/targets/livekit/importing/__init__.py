"""CORE. What stands at a LiveKit server and in no manifest yet -> manifests, and the proof that they change nothing.

`pieces` finds which objects are one Trunk, `names` what they are called, `draft` writes documents of their rows.
`proof` plans with them: what the plan would do more to an object than mark it is a reason to leave that object alone.
"""
