"""The commands of `reconcile`, one module each with a click command named `command`; `cli` imports them by name."""
