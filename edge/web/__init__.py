"""Web: dashboard, API and metrics in a process of their own; reads what the others leave, writes nothing of theirs."""
