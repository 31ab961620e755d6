"""CORE. Desired rows beside live rows: the plan, its safety gates, and how both are shown."""
