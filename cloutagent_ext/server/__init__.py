"""HTTP: the contract's routes on top of the services. Nothing here decides what an execution does."""
