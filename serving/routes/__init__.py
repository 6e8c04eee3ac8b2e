"""The addresses that the service answers, one file a resource."""
