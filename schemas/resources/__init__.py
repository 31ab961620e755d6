"""What people declare: the documents `Trunk`, `DispatchRule`, `PhoneNumber` and `RoutingTest`, as frozen values.

Whoever reads a document from anywhere (a folder, stdin, a cluster) hands the plain mapping to `check.check` and gets
the value or every complaint at once. `effect.not_in_effect` says which written fields the bridge of this version does
not honour yet. `schemas.publish` turns the same models into JSON Schemas for editors and CRDs for clusters.
"""
