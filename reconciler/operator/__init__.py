"""`reconcile operator`: the reconciler in a Kubernetes cluster."""
