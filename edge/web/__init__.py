"""Web: dashboard, API and metrics in a process of their own; reads what the others leave, changes nothing of theirs."""
